//! A built git source tree with its server programs replaced.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::harness::devflow;

/// What of a tree the scripts do not need.
const NOT_COPIED: &[&str] = &["./.git", "./Documentation", "*.o", "*.a", "./t/trash*"];

/// Server programs that `devflow git` takes the place of.
const SERVERS: &[&str] = &["upload-pack", "receive-pack", "http-backend"];

/// Whose server programs a tree has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Servers {
    /// `devflow git …`.
    Devflow,
    /// C git's own.
    Git,
}

impl Servers {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Devflow => "devflow",
            Self::Git => "git",
        }
    }
}

/// The copy that the scripts run in; removed in the end.
pub(super) struct Tree {
    servers: Servers,
    place: TempDir,
    path: PathBuf,
}

impl Tree {
    /// Copies a built tree, and replaces its server programs if they shall be ours.
    pub(super) fn copy(from: &Path, servers: Servers) -> anyhow::Result<Self> {
        let from = fs::canonicalize(from).with_context(|| format!("find {}", from.display()))?;
        ensure!(
            from.join("git-upload-pack").exists() && from.join("t/helper/test-tool").exists(),
            "{} holds no built git: run make in it first",
            from.display()
        );
        let place = tempfile::tempdir()?;
        let tree = Self {
            servers,
            path: place.path().join("git"),
            place,
        };
        tree.fill(&from)?;
        tree.move_paths(&from)?;
        if servers == Servers::Devflow {
            tree.replace_servers()?;
        }
        if rustix::process::geteuid().is_root() {
            tree.hand_over()?;
        }
        Ok(tree)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn servers(&self) -> Servers {
        self.servers
    }

    /// How often a replaced program was run until now.
    pub(super) fn server_runs(&self) -> anyhow::Result<usize> {
        Ok(fs::read_to_string(self.run_log())?.lines().count())
    }

    fn run_log(&self) -> PathBuf {
        self.path.join("devflow-runs")
    }

    fn fill(&self, from: &Path) -> anyhow::Result<()> {
        fs::create_dir(&self.path)?;
        let mut pack = Command::new("tar");
        pack.arg("-C").arg(from);
        for pattern in NOT_COPIED {
            pack.arg(format!("--exclude={pattern}"));
        }
        let mut pack = pack
            .args(["-cf", "-", "."])
            .stdout(Stdio::piped())
            .spawn()?;
        let archive = pack.stdout.take().context("tar has no output")?;
        let unpacked = Command::new("tar")
            .arg("-C")
            .arg(&self.path)
            .args(["-xf", "-"])
            .stdin(archive)
            .status()?;
        ensure!(
            pack.wait()?.success() && unpacked.success(),
            "copy {}",
            from.display()
        );
        Ok(())
    }

    /// git writes the tree's own path into what `make` generates.
    fn move_paths(&self, from: &Path) -> anyhow::Result<()> {
        let (old, new) = (from.display().to_string(), self.path.display().to_string());
        let wrappers = fs::read_dir(self.path.join("bin-wrappers"))?;
        let wrappers = wrappers.map(|entry| entry.map(|entry| entry.path()));
        let options = self.path.join("GIT-BUILD-OPTIONS");
        for file in wrappers.chain([Ok(options)]) {
            let file = file?;
            let text = fs::read_to_string(&file)?;
            fs::write(&file, text.replace(&old, &new))?;
        }
        Ok(())
    }

    fn replace_servers(&self) -> anyhow::Result<()> {
        // Copied to where the user of the tests may run it.
        let binary = self.path.join("devflow-under-test");
        fs::copy(devflow()?, &binary)?;
        fs::write(self.run_log(), "")?;
        let run = format!(
            "echo >>'{}'; exec '{}' git",
            self.run_log().display(),
            binary.display()
        );
        for name in SERVERS {
            let path = self.path.join(format!("git-{name}"));
            replace(&path, &format!("{run} {name} \"$@\"\n"))?;
        }
        // `git upload-pack` is a part of git itself: git daemon starts it so. The
        // real one is not named `git-…`: it would take the rest for a command.
        let (git, real) = (self.path.join("git"), self.path.join("git.itself"));
        fs::rename(&git, &real)?;
        replace(&git, &git_wrapper(&run, &real))?;
        // t5701 asks the protocol's code of C git through this program.
        let tool = self.path.join("t/helper/test-tool");
        let real = self.path.join("t/helper/test-tool.itself");
        fs::rename(&tool, &real)?;
        replace(&tool, &test_tool_wrapper(&run, &real))
    }

    fn hand_over(&self) -> anyhow::Result<()> {
        let status = Command::new("chown")
            .args(["-R", "nobody:nogroup"])
            .arg(self.place.path())
            .status()?;
        ensure!(status.success(), "hand {} to nobody", self.path.display());
        Ok(())
    }
}

/// A `git` that runs devflow for the servers, whatever options come before them.
fn git_wrapper(run: &str, real: &Path) -> String {
    let real = real.display();
    let servers = SERVERS.join("|");
    format!(
        r#"case "$*" in
*upload-pack*|*receive-pack*|*http-backend*) ;;
*) exec '{real}' "$@" ;;
esac
skip=no where=.
for word in "$@"; do
    case "$skip,$word" in
    C,*) where="$where/$word"; case "$word" in /*) where="$word" ;; esac; skip=no ;;
    c,*) skip=no ;;
    no,-C) skip=C ;;
    no,-c) skip=c ;;
    no,-*) ;;
    *) server="$word"; break ;;
    esac
done
case "$server" in
{servers}) ;;
*) exec '{real}' "$@" ;;
esac
while test "$1" != "$server"; do shift; done
shift
cd "$where" || exit 128
{run} "$server" "$@"
"#
    )
}

/// A `test-tool` that runs devflow for `serve-v2`.
fn test_tool_wrapper(run: &str, real: &Path) -> String {
    format!(
        r#"case "$1,$3" in
-C,serve-v2) cd "$2" || exit 128; shift 2 ;;
serve-v2,*) ;;
*) exec '{real}' "$@" ;;
esac
shift
GIT_PROTOCOL=version=2 && export GIT_PROTOCOL
case "$1" in
--advertise-capabilities) set -- --http-backend-info-refs ;;
esac
{run} upload-pack "$@" .
"#,
        real = real.display()
    )
}

fn replace(path: &Path, script: &str) -> anyhow::Result<()> {
    // First removed: the programs are one file with many names.
    if path.exists() {
        fs::remove_file(path).with_context(|| format!("replace {}", path.display()))?;
    }
    fs::write(path, format!("#!/bin/sh\n{script}"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}
