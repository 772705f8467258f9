use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, bail, ensure};
use sha2::{Digest, Sha256};

use super::{ADMINISTRATOR, PASSWORD};

/// A directory in which real git is run, untouched by the user's configuration.
#[derive(Clone, Debug)]
pub struct Git {
    directory: PathBuf,
    protocol: Option<u8>,
}

/// Everything that tells two repositories apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// All refs as `git for-each-ref` prints them.
    pub refs: String,
    /// The SHA-256 of the sorted `git rev-list --objects --all`.
    pub objects: String,
}

impl Git {
    /// Git in this directory.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            protocol: None,
        }
    }

    /// The same with another protocol version.
    #[must_use]
    pub fn speaking(mut self, version: u8) -> Self {
        self.protocol = Some(version);
        self
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes the directory a repository.
    pub fn init(directory: impl Into<PathBuf>, bare: bool) -> anyhow::Result<Self> {
        let git = Self::at(directory);
        std::fs::create_dir_all(&git.directory)?;
        let mut arguments = vec!["init", "--quiet", "--initial-branch", "main"];
        if bare {
            arguments.push("--bare");
        }
        git.run(&arguments)?;
        Ok(git)
    }

    /// Runs git and returns everything about its end.
    pub fn output<S: AsRef<OsStr>>(&self, arguments: &[S]) -> anyhow::Result<Output> {
        let mut git = Command::new("git");
        if let Some(version) = self.protocol {
            git.args(["-c", &format!("protocol.version={version}")]);
        }
        git.args(arguments)
            .current_dir(&self.directory)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_AUTHOR_NAME", "A U Thor")
            .env("GIT_AUTHOR_EMAIL", "author@example.org")
            .env("GIT_COMMITTER_NAME", "C O Mitter")
            .env("GIT_COMMITTER_EMAIL", "committer@example.org")
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .output()
            .context("run git")
    }

    /// Runs git, which must succeed, and returns its standard output.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> anyhow::Result<String> {
        let output = self.output(arguments)?;
        if !output.status.success() {
            let words: Vec<_> = arguments
                .iter()
                .map(|a| a.as_ref().to_string_lossy())
                .collect();
            bail!(
                "git {} ended with {}: {}",
                words.join(" "),
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Writes a file and commits it.
    pub fn commit(&self, file: &str, content: &str) -> anyhow::Result<String> {
        let path = self.directory.join(file);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, content)?;
        self.run(&["add", "--", file])?;
        self.run(&["commit", "--quiet", "--message", &format!("change {file}")])?;
        Ok(self.run(&["rev-parse", "HEAD"])?.trim().to_owned())
    }

    /// What the repository holds. Fails if `git fsck --strict` finds a fault.
    pub fn summary(&self) -> anyhow::Result<Summary> {
        let fsck = self.output(&["fsck", "--strict", "--no-dangling"])?;
        ensure!(
            fsck.status.success(),
            "git fsck in {}: {}",
            self.directory.display(),
            String::from_utf8_lossy(&fsck.stderr)
        );
        let refs = self.run(&["for-each-ref", "--format=%(objectname) %(refname)"])?;
        let listing = self.run(&["rev-list", "--objects", "--all"])?;
        let mut objects: Vec<&str> = listing
            .lines()
            .map(|line| line.split(' ').next().unwrap_or_default())
            .collect();
        objects.sort_unstable();
        let mut hash = Sha256::new();
        for object in objects {
            hash.update(object.as_bytes());
        }
        Ok(Summary {
            refs,
            objects: format!("{:x}", hash.finalize()),
        })
    }

    /// A URL with the administrator's credentials in it.
    pub fn url(base: &str, path: &str) -> String {
        let password = PASSWORD.replace(' ', "%20");
        let host = base.trim_start_matches("http://");
        format!("http://{ADMINISTRATOR}:{password}@{host}/{path}")
    }
}
