//! A directory of repositories, and git pointed at this crate's services.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::http_server::HttpServer;

/// How git reaches the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// The example program on two pipes: a stateful conversation.
    Pipes,
    /// A small web server around the CGI backend: stateless requests.
    Http,
}

/// Every way to fetch.
pub(crate) const FETCH_WAYS: [(Over, u8); 6] = [
    (Over::Pipes, 0),
    (Over::Pipes, 1),
    (Over::Pipes, 2),
    (Over::Http, 0),
    (Over::Http, 1),
    (Over::Http, 2),
];

pub(crate) struct Sandbox {
    root: tempfile::TempDir,
    http: HttpServer,
}

/// What a git command printed.
#[derive(Debug)]
pub(crate) struct Printed {
    pub(crate) success: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let http = HttpServer::start(root.path());
        Self { root, http }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Makes an empty bare repository `name`.
    pub(crate) fn init(&self, name: &str, format: &str) -> PathBuf {
        let path = self.path(name);
        let format = format!("--object-format={format}");
        self.ok(&[
            "init",
            "-q",
            "-b",
            "main",
            "--bare",
            &format,
            path.to_str().unwrap(),
        ]);
        path
    }

    /// Makes a bare repository with a history of merges, tags and branches.
    pub(crate) fn history(&self, name: &str, commits: usize) -> PathBuf {
        let path = self.init(name, "sha1");
        self.import(&path, 0..commits);
        path
    }

    /// Adds commits to `refs/heads/main`, with a tag for every tenth.
    pub(crate) fn import(&self, repository: &Path, numbers: std::ops::Range<usize>) {
        let mut stream = String::new();
        for n in numbers.clone() {
            let branch = if n % 7 == 3 { "side" } else { "main" };
            let message = format!("commit {n}\n");
            let time = 1_600_000_000 + n * 1000;
            writeln!(stream, "commit refs/heads/{branch}\nmark :{}", n + 1).unwrap();
            writeln!(stream, "committer A <a@example.org> {time} +0000").unwrap();
            writeln!(stream, "data {}\n{message}", message.len()).unwrap();
            if n == numbers.start && n > 0 {
                writeln!(stream, "from refs/heads/main^0").unwrap();
            } else if branch == "side" {
                writeln!(stream, "from refs/heads/main").unwrap();
            } else if n % 7 == 5 && n > numbers.start + 2 {
                writeln!(stream, "merge refs/heads/side").unwrap();
            }
            let text: String = (0..200)
                .map(|line| format!("line {line} of {}\n", n % (line + 1)))
                .collect();
            for path in [
                format!("dir{}/file{}", n % 3, n % 5),
                format!("new{n}"),
                "same".to_owned(),
            ] {
                writeln!(stream, "M 644 inline {path}\ndata {}\n{text}", text.len()).unwrap();
            }
            if n % 10 == 9 {
                writeln!(
                    stream,
                    "tag v{n}\nfrom :{}\ntagger A <a@example.org> {time} +0000\ndata 2\nt\n",
                    n + 1
                )
                .unwrap();
            }
        }
        self.git_in(
            repository,
            &["fast-import", "--quiet", "--force"],
            stream.as_bytes(),
        )
        .expect_ok();
    }

    /// The URL of a repository.
    pub(crate) fn url(&self, over: Over, name: &str) -> String {
        match over {
            Over::Pipes => format!("file://{}", self.path(name).display()),
            Over::Http => format!("http://127.0.0.1:{}/{name}", self.http.port()),
        }
    }

    /// Runs git in the root; it must succeed.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        self.run(arguments).expect_ok()
    }

    /// Runs git in the root.
    pub(crate) fn run(&self, arguments: &[&str]) -> Printed {
        self.git_in(self.root.path(), arguments, b"")
    }

    /// Runs git in a repository; it must succeed.
    pub(crate) fn at(&self, repository: &Path, arguments: &[&str]) -> String {
        self.git_in(repository, arguments, b"").expect_ok()
    }

    /// Runs git in a repository with an input.
    pub(crate) fn git_in(&self, directory: &Path, arguments: &[&str], input: &[u8]) -> Printed {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(directory);
        run_with_input(isolated(&mut command, self.root.path()), input)
    }

    /// Runs git in a repository; it must succeed. Returns the packets that it sent
    /// and got.
    pub(crate) fn traced(&self, repository: &Path, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(repository);
        isolated(&mut command, self.root.path()).env("GIT_TRACE_PACKET", "1");
        let printed = run_with_input(&mut command, b"");
        assert!(printed.success, "git failed: {printed:?}");
        printed.err
    }

    /// Runs git in a repository with a variable and an input, and returns the bytes
    /// that it prints, whether it succeeds or not.
    pub(crate) fn bytes_in(
        &self,
        directory: &Path,
        variable: &str,
        arguments: &[&str],
        input: &[u8],
    ) -> Vec<u8> {
        let (name, value) = variable.split_once('=').unwrap();
        let mut command = Command::new("git");
        command.args(arguments).current_dir(directory);
        isolated(&mut command, self.root.path()).env(name, value);
        output_of(&mut command, input).stdout
    }

    /// Clones through the services, with further options.
    pub(crate) fn clone(&self, way: (Over, u8), from: &str, to: &str, options: &[&str]) -> PathBuf {
        let (over, version) = way;
        let version = format!("protocol.version={version}");
        let path = self.path(to);
        let upload = format!("uploadpack={} upload-pack", server_program().display());
        let receive = format!("receivepack={} receive-pack", server_program().display());
        let mut arguments = vec![
            "-c".to_owned(),
            version.clone(),
            "clone".to_owned(),
            "-q".to_owned(),
        ];
        arguments.extend(["-c".to_owned(), version]);
        for setting in [upload, receive] {
            arguments.extend(["-c".to_owned(), format!("remote.origin.{setting}")]);
        }
        arguments.extend(options.iter().map(ToString::to_string));
        if over == Over::Pipes {
            arguments.push(format!(
                "--upload-pack={} upload-pack",
                server_program().display()
            ));
        }
        arguments.extend([self.url(over, from), path.to_str().unwrap().to_owned()]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.ok(&arguments);
        path
    }

    /// Asserts that two repositories have the same refs and objects, all sound.
    pub(crate) fn assert_same(&self, one: &Path, other: &Path) {
        assert_eq!(self.refs(one), self.refs(other));
        let list = ["rev-list", "--objects", "--all"];
        let sorted = |path| {
            let mut lines: Vec<String> = self.at(path, &list).lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(one), sorted(other));
        for path in [one, other] {
            self.at(path, &["fsck", "--strict", "--full"]);
        }
    }

    /// A pack of no objects.
    pub(crate) fn empty_pack(&self) -> Vec<u8> {
        let path = self.path("empty-pack");
        let file = std::fs::File::create(&path).unwrap();
        let mut command = Command::new("git");
        command
            .args(["pack-objects", "-q", "--stdout"])
            .current_dir(self.init("packer.git", "sha1"));
        let status = isolated(&mut command, self.root.path())
            .stdin(Stdio::null())
            .stdout(file)
            .status();
        assert!(status.unwrap().success());
        std::fs::read(path).unwrap()
    }

    /// The refs of a repository, one a line.
    pub(crate) fn refs(&self, repository: &Path) -> String {
        self.at(
            repository,
            &["for-each-ref", "--format=%(objectname) %(refname)"],
        )
    }

    /// What a revision names.
    pub(crate) fn id(&self, repository: &Path, revision: &str) -> String {
        self.at(repository, &["rev-parse", revision])
            .trim()
            .to_owned()
    }
}

impl Printed {
    pub(crate) fn expect_ok(self) -> String {
        assert!(self.success, "git failed: {self:?}");
        self.out
    }
}

/// The example program. Cargo builds it before it runs a package's tests.
pub(crate) fn server_program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test
        .parent()
        .and_then(Path::parent)
        .unwrap()
        .join("examples/git-server");
    assert!(
        program.exists(),
        "build it with: cargo build -p git-serve --example git-server"
    );
    program
}

/// Shields a git command from the machine's configuration.
pub(crate) fn isolated<'a>(command: &'a mut Command, home: &Path) -> &'a mut Command {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GIT_")) {
        command.env_remove(name);
    }
    let identity = ["AUTHOR", "COMMITTER"];
    for who in identity {
        command
            .env(format!("GIT_{who}_NAME"), "A")
            .env(format!("GIT_{who}_EMAIL"), "a@example.org");
        command.env(format!("GIT_{who}_DATE"), "1700000000 +0000");
    }
    command
        .env("HOME", home)
        .env("LC_ALL", "C")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .args([] as [&str; 0])
}

pub(crate) fn run_with_input(command: &mut Command, input: &[u8]) -> Printed {
    let Output {
        status,
        stdout,
        stderr,
    } = output_of(command, input);
    Printed {
        success: status.success(),
        out: String::from_utf8_lossy(&stdout).into_owned(),
        err: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

fn output_of(command: &mut Command, input: &[u8]) -> Output {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}
