//! Repositories made by git, and git run on them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::AtomicBool;

use git_id::{HashKind, ObjectId};
use git_pack::{
    Consolidate, DeltaOptions, Islands, MaintainOptions, Maintained, Maintenance, NoProgress,
    Objects, ReceiveError, ReceiveOptions, ReceivedPack, receive,
};
use tempfile::TempDir;

pub(crate) static NEVER: AtomicBool = AtomicBool::new(false);

/// A temporary directory, in memory where there is such a place.
pub(crate) fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        TempDir::new_in(memory).unwrap()
    } else {
        TempDir::new().unwrap()
    }
}

/// Runs git and gives all it said.
pub(crate) fn try_git(directory: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new("git")
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_AUTHOR_NAME", "A")
        .env("GIT_AUTHOR_EMAIL", "a@example.com")
        .env("GIT_COMMITTER_NAME", "C")
        .env("GIT_COMMITTER_EMAIL", "c@example.com")
        .env("LC_ALL", "C")
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

/// Runs git, which must succeed, and gives its output.
pub(crate) fn git_bytes(directory: &Path, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let output = try_git(directory, arguments, input);
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// As [`git_bytes`], as text without the last newline.
pub(crate) fn git(directory: &Path, arguments: &[&str]) -> String {
    String::from_utf8(git_bytes(directory, arguments, b""))
        .unwrap()
        .trim_end()
        .to_owned()
}

/// A bare repository.
pub(crate) struct Repository {
    pub(crate) directory: TempDir,
    pub(crate) hash: HashKind,
}

impl Repository {
    pub(crate) fn empty(hash: HashKind) -> Self {
        let directory = directory();
        let path = directory.path();
        for below in ["objects/info", "objects/pack", "refs/heads"] {
            std::fs::create_dir_all(path.join(below)).unwrap();
        }
        std::fs::write(path.join("HEAD"), "ref: refs/heads/main\n").unwrap();
        let format = match hash {
            HashKind::Sha1 => "[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
            HashKind::Sha256 => {
                "[core]\n\trepositoryformatversion = 1\n\tbare = true\n\
                 [extensions]\n\tobjectformat = sha256\n"
            }
        };
        std::fs::write(path.join("config"), format).unwrap();
        Self { directory, hash }
    }

    /// An empty repository that borrows the objects of this one.
    pub(crate) fn borrower(&self) -> Self {
        let borrower = Self::empty(self.hash);
        let line = format!("{}\n", self.path().join("objects").display());
        std::fs::write(borrower.path().join("objects/info/alternates"), line).unwrap();
        borrower
    }

    /// 60 commits with merges, renames, a revert, two directories that swap places, a large file that
    /// changes a little each time, a submodule, annotated tags and a tag of a tag; in one pack.
    pub(crate) fn with_history(hash: HashKind) -> Self {
        let repository = Self::empty(hash);
        git_bytes(
            repository.path(),
            &["fast-import", "--quiet", "--force"],
            history(hash).as_bytes(),
        );
        let main = repository.id("main");
        repository.git(&["tag", "-a", "-m", "one", "v1", "main~20"]);
        repository.git(&["tag", "-a", "-m", "two", "v2", &main.to_string()]);
        repository.git(&["tag", "-a", "-m", "tag of a tag", "v2-signed", "v2"]);
        repository.git(&["tag", "light", "main~30"]);
        repository.git(&["repack", "-q", "-adf", "--depth=50", "--window=20"]);
        repository
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git(self.path(), arguments)
    }

    pub(crate) fn id(&self, revision: &str) -> ObjectId {
        self.git(&["rev-parse", "--verify", revision])
            .parse()
            .unwrap()
    }

    pub(crate) fn objects(&self) -> Objects {
        Objects::open_directory(self.hash, &self.path().join("objects")).unwrap()
    }

    /// The packs only.
    pub(crate) fn packed(&self) -> Objects {
        Objects::open_packs(self.hash, &self.objects().packs()).unwrap()
    }

    pub(crate) fn tips(&self) -> Vec<ObjectId> {
        ids(&self.git(&["for-each-ref", "--format=%(objectname)"]))
    }

    /// What `git rev-list --objects` lists.
    pub(crate) fn rev_list(&self, arguments: &[&str]) -> BTreeSet<ObjectId> {
        let listed =
            self.git(&[&["rev-list", "--objects", "--no-object-names"], arguments].concat());
        ids(&listed).into_iter().collect()
    }

    /// A pack of what `revisions` select, as `git pack-objects` makes it.
    pub(crate) fn pack(&self, revisions: &str, options: &[&str]) -> Vec<u8> {
        let arguments = [&["pack-objects", "-q", "--revs", "--stdout"], options].concat();
        if revisions == "--all" {
            return git_bytes(self.path(), &[&arguments[..], &["--all"]].concat(), b"");
        }
        git_bytes(self.path(), &arguments, revisions.as_bytes())
    }

    /// Has git index a pack, completing it from what is in this repository, and gives what it holds.
    pub(crate) fn index(&self, pack: &[u8]) {
        git_bytes(self.path(), &["index-pack", "--stdin", "--fix-thin"], pack);
    }

    /// The names of all objects in the repository.
    pub(crate) fn all_objects(&self) -> BTreeSet<ObjectId> {
        let listed = self.git(&[
            "cat-file",
            "--batch-all-objects",
            "--batch-check=%(objectname)",
        ]);
        ids(&listed).into_iter().collect()
    }
}

pub(crate) fn ids(text: &str) -> Vec<ObjectId> {
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// A script for `git fast-import`.
fn history(hash: HashKind) -> String {
    let mut script = String::new();
    let mut large: Vec<String> = (0..400)
        .map(|line| format!("line {line} of a large file\n"))
        .collect();
    let submodule = "1".repeat(hash.len_hex());
    for number in 1..=60u32 {
        let branch = if number % 10 == 7 { "side" } else { "main" };
        let when = 1_600_000_000 + number * 1000;
        writeln!(script, "commit refs/heads/{branch}\nmark :{number}").unwrap();
        writeln!(
            script,
            "author A <a@example.com> {when} +0200\ncommitter C <c@example.com> {when} -0330"
        )
        .unwrap();
        let message = format!("commit {number}\n");
        writeln!(script, "data {}\n{message}", message.len()).unwrap();
        if branch == "side" {
            writeln!(script, "from :{}", number - 1).unwrap();
        } else if number > 1 {
            writeln!(
                script,
                "from :{}",
                if number % 10 == 8 {
                    number - 2
                } else {
                    number - 1
                }
            )
            .unwrap();
        }
        if number % 10 == 9 {
            writeln!(script, "merge :{}", number - 2).unwrap();
        }
        large[(number as usize * 37) % 400] = format!("changed by {number}\n");
        let content = large.concat();
        let file = |script: &mut String, path: &str, content: &str| {
            writeln!(
                script,
                "M 100644 inline {path}\ndata {}\n{content}",
                content.len()
            )
            .unwrap();
        };
        file(&mut script, "large", &content);
        file(
            &mut script,
            &format!("dir/sub{}/file{number}", number % 3),
            &format!("file {number}\n"),
        );
        match number {
            1 => {
                file(&mut script, "one/shared", "the same\n");
                file(&mut script, "one/own", "one\n");
                file(&mut script, "two/shared", "the same\n");
                file(&mut script, "two/own", "two\n");
                file(&mut script, "kept", "never changes\n");
            }
            2 => script.push_str("R one three\nR two one\nR three two\n"),
            15 => writeln!(script, "M 160000 {submodule} module").unwrap(),
            20 => script.push_str("R dir/sub0 moved\n"),
            21 => file(&mut script, "kept", "changes once\n"),
            25 => file(&mut script, "kept", "never changes\n"),
            _ => {}
        }
        script.push('\n');
    }
    script
}

pub(crate) fn options(hash: HashKind) -> ReceiveOptions {
    ReceiveOptions {
        hash,
        max_bytes: 1 << 30,
        max_objects: 1 << 20,
        max_object_bytes: 100 << 20,
        check: true,
        threads: 2,
        sync: false,
    }
}

/// Receives a pack into a directory.
pub(crate) fn take(
    pack: &[u8],
    into: &Path,
    bases: &Objects,
) -> Result<ReceivedPack, ReceiveError> {
    receive(
        &mut &pack[..],
        into,
        bases,
        &options(bases.hash()),
        &NoProgress,
        &NEVER,
    )
}

/// Names of the files in a directory.
pub(crate) fn listing(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

/// Does all maintenance that there is, or what `change` makes of that.
pub(crate) fn maintain(
    repository: &Repository,
    change: impl FnOnce(&mut MaintainOptions),
) -> Maintained {
    let mut options = MaintainOptions {
        consolidate: Consolidate::Geometric { factor: 2 },
        commit_graph: true,
        bitmaps: true,
        deltas: DeltaOptions::default(),
        islands: Islands::default(),
        threads: 2,
    };
    change(&mut options);
    let maintenance = Maintenance {
        hash: repository.hash,
        directory: &repository.path().join("objects"),
        tips: &repository.tips(),
        progress: &NoProgress,
        cancel: &NEVER,
    };
    maintenance.run(&options).unwrap()
}
