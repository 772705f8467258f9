//! Keys on disk, and the commands that use them.

use std::path::{Path, PathBuf};
use std::process::Output;

use domain::keys::{Key, KeyOwner, NewKey};
use domain::{Repository, User};
use tokio::process::Command;

use crate::forge::TestForge;

/// A key pair below a forge's scratch directory.
#[derive(Clone, Debug)]
pub(crate) struct KeyFile(pub(crate) PathBuf);

impl KeyFile {
    pub(crate) async fn new(forge: &TestForge, name: &str) -> Self {
        Self::of_kind(forge, name, &["-t", "ed25519"]).await
    }

    pub(crate) async fn of_kind(forge: &TestForge, name: &str, kind: &[&str]) -> Self {
        let path = forge.path(name);
        let arguments = ["-q", "-N", "", "-C", name, "-f", path.to_str().unwrap()];
        keygen(&[kind, &arguments].concat()).await;
        Self(path)
    }

    /// An account, and a key of hers.
    pub(crate) async fn of_alice(forge: &TestForge) -> (User, Self) {
        let alice = forge.user("alice").await;
        let key = Self::new(forge, "key").await;
        let key = key.of_account(forge, &alice).await;
        (alice, key)
    }

    pub(crate) fn public(&self) -> String {
        std::fs::read_to_string(self.0.with_extension("pub")).unwrap()
    }

    /// Adds it to an account.
    pub(crate) async fn of_account(self, forge: &TestForge, user: &User) -> Self {
        self.add(forge, KeyOwner::Account(user.id), false).await;
        self
    }

    /// Adds it to a repository.
    pub(crate) async fn of_repository(
        self,
        forge: &TestForge,
        repository: &Repository,
        read_only: bool,
    ) -> Self {
        let owner = KeyOwner::Repository {
            repository: repository.key,
            by: repository.owner.id,
        };
        self.add(forge, owner, read_only).await;
        self
    }

    pub(crate) async fn add(&self, forge: &TestForge, owner: KeyOwner, read_only: bool) -> Key {
        let text = self.public();
        let new = NewKey {
            title: "",
            text: &text,
            read_only,
        };
        forge.forge.keys.add(owner, new).await.unwrap()
    }

    /// What git is configured with to use it.
    pub(crate) fn git(&self, forge: &TestForge) -> String {
        let words = self.ssh_words(forge).join(" ");
        format!("core.sshCommand=ssh {words}")
    }

    /// Runs ssh; `arguments` come before and after the host's name.
    pub(crate) async fn ssh(&self, forge: &TestForge, before: &[&str], after: &[&str]) -> Output {
        self.command(forge, before, after).output().await.unwrap()
    }

    /// Runs a command of the server's with so much to say, and gives its answer.
    pub(crate) async fn talk(&self, forge: &TestForge, command: &str, said: &[u8]) -> Vec<u8> {
        let mut client = self.command(forge, &[], &[command]);
        client.stdin(std::process::Stdio::piped());
        client.stdout(std::process::Stdio::piped());
        let mut client = client.spawn().unwrap();
        let mut stdin = client.stdin.take().unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stdin, said)
            .await
            .unwrap();
        client.wait_with_output().await.unwrap().stdout
    }

    /// The command that [`KeyFile::ssh`] runs.
    pub(crate) fn command(&self, forge: &TestForge, before: &[&str], after: &[&str]) -> Command {
        let mut command = Command::new("ssh");
        // Of options that are given twice ssh takes the first.
        command.args(before);
        command.args(self.ssh_words(forge));
        command.args(["-p", &forge.ssh.port().to_string()]);
        if !before.iter().any(|word| word.ends_with("@127.0.0.1")) {
            command.arg("git@127.0.0.1");
        }
        command.args(after);
        command.stdin(std::process::Stdio::null());
        command.kill_on_drop(true);
        command
    }

    fn ssh_words(&self, forge: &TestForge) -> Vec<String> {
        let known = forge.path("known_hosts");
        let options = [
            format!("UserKnownHostsFile={}", known.display()),
            "StrictHostKeyChecking=accept-new".to_owned(),
            "IdentitiesOnly=yes".to_owned(),
            "IdentityAgent=none".to_owned(),
            "BatchMode=yes".to_owned(),
            "LogLevel=ERROR".to_owned(),
        ];
        let mut words = vec!["-F".to_owned(), "/dev/null".to_owned(), "-i".to_owned()];
        words.push(self.0.to_str().unwrap().to_owned());
        for option in options {
            words.extend(["-o".to_owned(), option]);
        }
        words
    }
}

/// The address of a repository over SSH.
pub(crate) fn url(forge: &TestForge, repository: &str) -> String {
    format!("ssh://git@{}/{repository}", forge.ssh)
}

/// Runs ssh-keygen.
pub(crate) async fn keygen(arguments: &[&str]) {
    let output = Command::new("ssh-keygen").args(arguments).output();
    let output = output.await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ssh-keygen {arguments:?}: {said}");
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A directory for commands that need none.
pub(crate) fn here(forge: &TestForge) -> &Path {
    forge.scratch.path()
}
