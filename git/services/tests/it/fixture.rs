//! Repositories made by git, and git run on them.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::AtomicBool;

use git_id::{HashKind, ObjectId};
use git_pack::Objects;
use tempfile::TempDir;

pub(crate) static NEVER: AtomicBool = AtomicBool::new(false);

/// A repository with a working tree.
pub(crate) struct Repository {
    directory: TempDir,
}

/// A temporary directory, in memory where there is such a place.
pub(crate) fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => TempDir::new_in(memory).unwrap(),
        false => TempDir::new().unwrap(),
    }
}

/// Runs a program in a directory and gives all it said.
pub(crate) fn run(directory: &Path, program: &str, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_AUTHOR_NAME", "A")
        .env("GIT_AUTHOR_EMAIL", "a@example.com")
        .env("GIT_AUTHOR_DATE", "1600000000 +0200")
        .env("GIT_COMMITTER_NAME", "C")
        .env("GIT_COMMITTER_EMAIL", "c@example.com")
        .env("GIT_COMMITTER_DATE", "1600000001 +0000")
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap()
    })
}

impl Repository {
    pub(crate) fn new() -> Self {
        let repository = Self {
            directory: directory(),
        };
        repository.git(&["init", "-q", "-b", "main"]);
        repository
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Runs git, which must succeed, and gives its output.
    pub(crate) fn git_bytes(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let output = run(self.path(), "git", arguments, input);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {said}");
        output.stdout
    }

    /// As [`Self::git_bytes`], as text without the last newline.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let output = self.git_bytes(arguments, b"");
        String::from_utf8(output).unwrap().trim_end().to_owned()
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Commits all of the working tree.
    pub(crate) fn commit(&self, message: &str) -> ObjectId {
        self.git(&["add", "-A", "-f"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.id("HEAD")
    }

    pub(crate) fn id(&self, revision: &str) -> ObjectId {
        let id = self.git(&["rev-parse", "--verify", revision]);
        id.parse().unwrap()
    }

    pub(crate) fn objects(&self) -> Objects {
        Objects::open_directory(HashKind::Sha1, &self.path().join(".git/objects")).unwrap()
    }
}
