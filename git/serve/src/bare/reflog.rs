//! `logs/`: who moved a ref, when, from where to where (gitrepository-layout(5)).

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use git_id::RefName;

use super::lock::remove_empty_directories;
use crate::RefCommand;

/// Which refs get a log that have none (`core.logAllRefUpdates`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogRefs {
    /// None: logs that are there are continued.
    Existing,
    /// Branches, remote branches, notes and HEAD.
    Branches,
    /// Every ref.
    Always,
}

/// Writes reflogs. Their loss is not the loss of a push: what goes wrong is
/// noted in the log, and nothing is synced, as with git.
#[derive(Clone, Debug)]
pub(super) struct Reflog {
    directory: PathBuf,
    rule: LogRefs,
    /// `name <email>`.
    who: String,
}

/// What git writes for every push.
const MESSAGE: &str = "push";

impl Reflog {
    pub(super) fn new(directory: &Path, rule: LogRefs, name: &str, email: &str) -> Self {
        let who = format!("{} <{}>", identity(name), identity(email));
        Self {
            directory: directory.to_path_buf(),
            rule,
            who,
        }
    }

    /// Notes an update in the ref's log and, where `head` is that ref, in HEAD's;
    /// a deletion ends the ref's log. `at` is the moment of the update.
    pub(super) fn note(&self, command: &RefCommand, head: Option<&RefName>, at: SystemTime) {
        let name = command.name.as_str();
        let noted = match command.new.is_null() {
            true => self.remove(name),
            false => self.append(name, command, at),
        };
        let noted = match head == Some(&command.name) {
            true => noted.and_then(|()| self.append("HEAD", command, at)),
            false => noted,
        };
        if let Err(error) = noted {
            tracing::warn!(%error, name, "a reflog could not be written");
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join("logs").join(name)
    }

    fn append(&self, name: &str, command: &RefCommand, at: SystemTime) -> io::Result<()> {
        let Some(mut file) = self.open(name)? else {
            return Ok(());
        };
        let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let (old, new, who) = (command.old, command.new, &self.who);
        // One write, so that no other process's line gets into it.
        file.write_all(format!("{old} {new} {who} {seconds} +0000\t{MESSAGE}\n").as_bytes())
    }

    fn open(&self, name: &str) -> io::Result<Option<File>> {
        let path = self.path(name);
        let create = self.creates(name);
        if create && let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let open = || OpenOptions::new().append(true).create(create).open(&path);
        match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !create => Ok(None),
            // Deleted refs leave empty directories.
            Err(error) if error.kind() == io::ErrorKind::IsADirectory && create => {
                remove_empty_directories(&path);
                open().map(Some)
            }
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => Ok(None),
            opened => opened.map(Some),
        }
    }

    fn creates(&self, name: &str) -> bool {
        let branches = ["refs/heads/", "refs/remotes/", "refs/notes/"];
        match self.rule {
            LogRefs::Existing => false,
            LogRefs::Always => true,
            LogRefs::Branches => {
                name == "HEAD" || branches.iter().any(|prefix| name.starts_with(prefix))
            }
        }
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        use io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
        match std::fs::remove_file(self.path(name)) {
            Err(error) if !matches!(error.kind(), NotFound | NotADirectory | IsADirectory) => {
                Err(error)
            }
            _ => Ok(()),
        }
    }
}

/// A name or an address without what would break the line.
fn identity(text: &str) -> String {
    let kept = text
        .chars()
        .filter(|character| !matches!(character, '<' | '>') && !character.is_control());
    kept.collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use git_id::{ObjectId, RefName};

    use super::{LogRefs, Reflog};
    use crate::RefCommand;

    fn command(name: &str, old: u8, new: u8) -> RefCommand {
        let id = |byte| ObjectId::from_bytes(&[byte; 20]).unwrap();
        RefCommand {
            name: RefName::new(name).unwrap(),
            old: id(old),
            new: id(new),
        }
    }

    #[test]
    fn logs_are_written_and_end_with_their_refs() {
        let directory = tempfile::tempdir().unwrap();
        let reflog = |rule| Reflog::new(directory.path(), rule, " A <x>\n", "a@example.org");
        let head = RefName::new("refs/heads/m").unwrap();
        let at = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let read = |name: &str| std::fs::read_to_string(directory.path().join("logs").join(name));
        let note = |rule, command: &RefCommand| reflog(rule).note(command, Some(&head), at);

        note(LogRefs::Existing, &command("refs/heads/m", 0, 1));
        assert!(!directory.path().join("logs").exists());
        note(LogRefs::Branches, &command("refs/heads/m", 0, 1));
        note(LogRefs::Branches, &command("refs/tags/t", 0, 1));
        note(LogRefs::Existing, &command("refs/heads/m", 1, 2));
        let (zero, one, two) = ("00".repeat(20), "01".repeat(20), "02".repeat(20));
        let who = "A x <a@example.org> 1700000000 +0000\tpush\n";
        let expected = format!("{zero} {one} {who}{one} {two} {who}");
        assert_eq!(read("refs/heads/m").unwrap(), expected);
        assert_eq!(read("HEAD").unwrap(), expected);
        assert!(read("refs/tags/t").is_err());
        note(LogRefs::Always, &command("refs/tags/t", 0, 1));
        assert!(read("refs/tags/t").is_ok());

        note(LogRefs::Branches, &command("refs/heads/m", 2, 0));
        assert!(read("refs/heads/m").is_err());
        assert_eq!(
            read("HEAD").unwrap(),
            format!("{expected}{two} {zero} {who}")
        );
        note(LogRefs::Branches, &command("refs/heads/d/x", 0, 1));
        note(LogRefs::Branches, &command("refs/heads/d/x", 1, 0));
        note(LogRefs::Branches, &command("refs/heads/d", 0, 1));
        assert!(read("refs/heads/d").is_ok());
    }
}
