//! Changing refs in files.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use git_id::{HashKind, ObjectId, RefName, RefNameError};
use git_pack::Objects;

use super::lock::LockFile;
use super::packed::{self, PackedRef, Peeled};
use super::reflog::Reflog;
use super::refs::{RawRefs, RefFiles, Value};
use crate::{RefCommand, RefOutcome, RefRejection};

/// Above so many updates in one push all are written to `packed-refs`, in one
/// rename, instead of one synced file each.
const MAX_LOOSE_UPDATES: usize = 16;

/// Why a transaction ended without an outcome.
#[derive(Debug, thiserror::Error)]
pub(super) enum TransactionError {
    #[error("name refs in the namespace")]
    Name(#[source] RefNameError),
    #[error("lock and read refs")]
    Prepare(#[source] io::Error),
    #[error("publish the pack")]
    Publish(#[source] PublishError),
    #[error("write refs")]
    Write(#[source] WriteRefsError),
}

/// Why the pack could not be made visible.
#[derive(Debug, thiserror::Error)]
pub(super) enum PublishError {
    #[error("move the pack")]
    Move(#[from] io::Error),
    #[error("open the objects")]
    Open(#[from] git_pack::OpenError),
}

/// Why refs could not be written; some may have been.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteRefsError {
    #[error("write ref files")]
    Io(#[from] io::Error),
    #[error("peel a tag")]
    Peel(#[from] git_pack::ReadError),
    #[error("packed-refs is locked by another process")]
    PackedRefsLocked,
}

/// Changes refs in git's order of steps: lock each, compare, publish objects,
/// write, unlock.
#[derive(Debug)]
pub(super) struct Transaction {
    directory: PathBuf,
    hash: HashKind,
    files: RefFiles,
    reflog: Option<Reflog>,
}

/// A command whose ref is locked, and the file that is to be written.
#[derive(Debug)]
struct Locked<'a> {
    command: &'a RefCommand,
    lock: LockFile,
}

impl Transaction {
    pub(super) fn new(directory: &Path, hash: HashKind, reflog: Option<Reflog>) -> Self {
        let files = RefFiles::new(directory, hash);
        Self {
            directory: directory.to_path_buf(),
            hash,
            files,
            reflog,
        }
    }

    /// Runs the commands; `publish` makes their objects visible, and is called
    /// once if at least one command is accepted. Returns an outcome for each.
    ///
    /// Many updates, or several atomic ones, become visible by one rename of
    /// `packed-refs`. A crash while a few are written one by one can leave the
    /// first of them written, as with git.
    pub(super) fn run(
        &self,
        commands: &[RefCommand],
        atomic: bool,
        publish: impl FnOnce() -> Result<Objects, PublishError>,
    ) -> Result<Vec<RefOutcome>, TransactionError> {
        let mut locks = Vec::with_capacity(commands.len());
        for command in commands {
            locks.push(self.lock(command).map_err(TransactionError::Prepare)?);
        }
        let raw = self.files.read().map_err(TransactionError::Prepare)?;
        let names = Names::new(&raw, commands);
        let mut outcomes: Vec<RefOutcome> = Vec::with_capacity(commands.len());
        for (command, lock) in commands.iter().zip(&locks) {
            outcomes.push(judge(command, lock.is_some(), &raw, &names));
        }
        if atomic && outcomes.iter().any(RefOutcome::is_err) {
            for outcome in outcomes.iter_mut().filter(|outcome| outcome.is_ok()) {
                *outcome = Err(RefRejection::AtomicTransaction);
            }
        }
        let pairs = commands.iter().zip(locks).zip(&outcomes);
        let accepted: Vec<_> = pairs
            .filter(|(_, outcome)| outcome.is_ok())
            .filter_map(|((command, lock), _)| {
                Some(Locked {
                    command,
                    lock: lock?,
                })
            })
            .collect();
        if !accepted.is_empty() {
            let objects = publish().map_err(TransactionError::Publish)?;
            self.write(accepted, atomic, &objects, raw.head.as_ref())
                .map_err(TransactionError::Write)?;
        }
        Ok(outcomes)
    }

    /// Locks a ref; `None` if it cannot be, which [`judge`] explains.
    fn lock(&self, command: &RefCommand) -> io::Result<Option<LockFile>> {
        match LockFile::acquire(self.files.path(&command.name)) {
            // A ref stands where a directory is needed, or the other way round.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists
                ) =>
            {
                Ok(None)
            }
            acquired => acquired,
        }
    }

    fn write(
        &self,
        accepted: Vec<Locked<'_>>,
        atomic: bool,
        objects: &Objects,
        head: Option<&Value>,
    ) -> Result<(), WriteRefsError> {
        let in_one = accepted.len() > MAX_LOOSE_UPDATES || (atomic && accepted.len() > 1);
        let mut changes = BTreeMap::new();
        for Locked { command, .. } in &accepted {
            if command.new.is_null() {
                changes.insert(&command.name, None);
            } else if in_one {
                changes.insert(&command.name, Some(command.new));
            }
        }
        self.rewrite_packed(&changes, objects)?;
        for Locked { command, lock } in accepted {
            self.log(command, &lock, head)?;
            if command.new.is_null() || in_one {
                self.remove_loose(&lock)?;
            } else {
                lock.commit(format!("{}\n", command.new).as_bytes())?;
            }
        }
        Ok(())
    }

    /// Notes the update in the reflog, while the ref is locked.
    fn log(&self, command: &RefCommand, lock: &LockFile, head: Option<&Value>) -> io::Result<()> {
        if let Some(reflog) = &self.reflog {
            let head = match head {
                Some(Value::Symbolic(target)) => Some(target),
                _ => None,
            };
            reflog.note(command, head, lock.taken_at()?);
        }
        Ok(())
    }

    /// Writes refs into `packed-refs`, or takes them out of it.
    fn rewrite_packed(
        &self,
        changes: &BTreeMap<&RefName, Option<ObjectId>>,
        objects: &Objects,
    ) -> Result<(), WriteRefsError> {
        if changes.is_empty() {
            return Ok(());
        }
        let lock = LockFile::acquire(self.directory.join("packed-refs"))?;
        let lock = lock.ok_or(WriteRefsError::PackedRefsLocked)?;
        let mut refs = packed::read(&self.directory, self.hash)?;
        let before = refs.len();
        refs.retain(|packed| !changes.contains_key(&packed.name));
        let added = changes.iter().filter_map(|(name, id)| {
            Some(PackedRef {
                name: (*name).clone(),
                id: (*id)?,
                peeled: Peeled::Unknown,
            })
        });
        let removed = before - refs.len();
        let kept = refs.len();
        refs.extend(added);
        if removed == 0 && refs.len() == kept {
            return Ok(());
        }
        refs.sort_by(|a, b| a.name.cmp(&b.name));
        for packed in &mut refs {
            if packed.peeled == Peeled::Unknown {
                packed.peeled = Peeled::Known(objects.peel(&packed.id)?);
            }
        }
        Ok(lock.commit(packed::render(&refs).as_bytes())?)
    }

    /// Removes a ref's file while its lock is still held.
    fn remove_loose(&self, lock: &LockFile) -> Result<(), WriteRefsError> {
        match std::fs::remove_file(lock.target()) {
            Err(error) if !is_no_file(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// Whether there was no file to remove; a directory is none.
fn is_no_file(error: &io::Error) -> bool {
    use io::ErrorKind::{IsADirectory, NotADirectory, NotFound, PermissionDenied};
    matches!(
        error.kind(),
        NotFound | NotADirectory | IsADirectory | PermissionDenied
    )
}

fn judge(command: &RefCommand, locked: bool, raw: &RawRefs, names: &Names<'_>) -> RefOutcome {
    let current = match raw.get(&command.name) {
        Some(Value::Symbolic(_)) => {
            return Err(RefRejection::Symbolic {
                name: command.name.clone(),
            });
        }
        Some(Value::Id(id)) => Some(id),
        None => None,
    };
    match current {
        Some(_) if command.old.is_null() => return Err(RefRejection::Exists),
        Some(id) if id != command.old => return Err(RefRejection::StaleOldValue),
        None if !command.old.is_null() => return Err(RefRejection::Missing),
        Some(_) | None => {}
    }
    if current.is_none()
        && !command.new.is_null()
        && let Some(existing) = names.conflict(&command.name)
    {
        return Err(RefRejection::NameConflict {
            existing: existing.clone(),
        });
    }
    if locked {
        Ok(())
    } else {
        Err(RefRejection::Locked)
    }
}

/// The names with which a new ref may not conflict: those that exist, deleted in
/// this push or not, and those that this push creates.
#[derive(Debug)]
struct Names<'a> {
    names: BTreeSet<&'a RefName>,
}

impl<'a> Names<'a> {
    fn new(raw: &'a RawRefs, commands: &'a [RefCommand]) -> Self {
        let created = commands.iter().filter(|command| !command.new.is_null());
        let created = created.map(|command| &command.name);
        let existing = raw
            .loose
            .keys()
            .chain(raw.packed.iter().map(|packed| &packed.name));
        Self {
            names: existing.chain(created).collect(),
        }
    }

    /// A name that is a directory of `name`, or that has `name` as a directory.
    fn conflict(&self, name: &RefName) -> Option<&'a RefName> {
        let text = name.as_str();
        let parents = text.match_indices('/').skip(1).map(|(at, _)| &text[..at]);
        let mut parents = parents.filter_map(|parent| RefName::new(parent).ok());
        if let Some(found) = parents.find_map(|parent| self.names.get(&parent).copied()) {
            return Some(found);
        }
        // The least name that could lie below: '/' sorts before every letter.
        let below = RefName::new(&format!("{text}/!")).ok()?;
        let next = self.names.range::<RefName, _>(&below..).next()?;
        next.as_str()
            .strip_prefix(text)
            .filter(|rest| rest.starts_with('/'))
            .map(|_| *next)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use git_id::{HashKind, ObjectId, RefName};
    use git_pack::Objects;

    use super::Transaction;
    use crate::RefCommand;

    const NONE: u8 = 0;

    fn id(byte: u8) -> ObjectId {
        ObjectId::from_bytes(&[byte; 20]).unwrap()
    }

    fn command(name: &str, old: u8, new: u8) -> RefCommand {
        RefCommand {
            name: RefName::new(name).unwrap(),
            old: id(old),
            new: id(new),
        }
    }

    fn run(directory: &Path, commands: &[RefCommand], atomic: bool) -> Vec<String> {
        let transaction = Transaction::new(directory, HashKind::Sha1, None);
        let publish = || Ok(Objects::empty(HashKind::Sha1));
        let outcomes = transaction.run(commands, atomic, publish).unwrap();
        let text = |outcome: Result<(), crate::RefRejection>| match outcome {
            Ok(()) => "ok".to_owned(),
            Err(rejection) => rejection.to_string(),
        };
        outcomes.into_iter().map(text).collect()
    }

    fn values(directory: &Path) -> Vec<(String, ObjectId)> {
        let raw = super::RefFiles::new(directory, HashKind::Sha1)
            .read()
            .unwrap();
        let names = super::Names::new(&raw, &[]).names;
        let value = |name: &RefName| match raw.get(name) {
            Some(super::Value::Id(id)) => id,
            other => panic!("{other:?}"),
        };
        names
            .iter()
            .map(|name| (name.to_string(), value(name)))
            .collect()
    }

    #[test]
    fn each_command_is_compared_on_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let create = [
            command("refs/heads/a", NONE, 1),
            command("refs/heads/d/x", NONE, 1),
        ];
        assert_eq!(run(directory.path(), &create, false), ["ok", "ok"]);
        let commands = [
            command("refs/heads/a", 1, 2),
            command("refs/heads/b", 1, 2),
            command("refs/heads/d/x", 9, 2),
            command("refs/heads/c", NONE, 3),
            command("refs/heads/a/b", NONE, 3),
            command("refs/heads/d", NONE, 3),
            command("refs/heads/e", NONE, 3),
            command("refs/heads/e/f", NONE, 3),
            command("refs/heads/gone", NONE, NONE),
        ];
        let expected = [
            "ok",
            "reference does not exist",
            "incorrect old value provided",
            "ok",
            "refname conflict: 'refs/heads/a' exists",
            "refname conflict: 'refs/heads/d/x' exists",
            "refname conflict: 'refs/heads/e/f' exists",
            "refname conflict: 'refs/heads/e' exists",
            "ok",
        ];
        assert_eq!(run(directory.path(), &commands, false), expected);
        let expected = [
            ("refs/heads/a", 2),
            ("refs/heads/c", 3),
            ("refs/heads/d/x", 1),
        ];
        let expected = expected.map(|(name, byte)| (name.to_owned(), id(byte)));
        assert_eq!(values(directory.path()), expected);
    }

    #[test]
    fn an_atomic_push_changes_all_or_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let commands = [
            command("refs/heads/a", NONE, 1),
            command("refs/heads/b", 1, 2),
        ];
        let outcomes = run(directory.path(), &commands, true);
        assert_eq!(
            outcomes,
            ["atomic transaction failed", "reference does not exist"]
        );
        assert!(values(directory.path()).is_empty());
        let commands = [
            command("refs/heads/a", NONE, 1),
            command("refs/heads/b", NONE, 2),
        ];
        assert_eq!(run(directory.path(), &commands, true), ["ok", "ok"]);
        assert!(directory.path().join("packed-refs").exists());
        assert_eq!(values(directory.path()).len(), 2);
    }

    #[test]
    fn deleted_refs_are_gone_from_both_places() {
        let directory = tempfile::tempdir().unwrap();
        let create: Vec<_> = (0..100)
            .map(|n| command(&format!("refs/heads/b{n}"), NONE, 1))
            .collect();
        assert!(
            run(directory.path(), &create, false)
                .iter()
                .all(|outcome| outcome == "ok")
        );
        assert_eq!(values(directory.path()).len(), 100);
        assert_eq!(
            run(directory.path(), &[command("refs/heads/b7", 1, 2)], false),
            ["ok"]
        );
        let delete = [
            command("refs/heads/b7", 2, NONE),
            command("refs/heads/b8", 1, NONE),
        ];
        assert_eq!(run(directory.path(), &delete, false), ["ok", "ok"]);
        assert_eq!(values(directory.path()).len(), 98);
        assert!(!directory.path().join("refs/heads/b7.lock").exists());
        assert_eq!(
            run(
                directory.path(),
                &[command("refs/heads/b7/x", NONE, 1)],
                false
            ),
            ["ok"]
        );
    }

    #[test]
    fn a_held_lock_and_a_symbolic_ref_are_rejections() {
        let directory = tempfile::tempdir().unwrap();
        let heads = directory.path().join("refs/heads");
        std::fs::create_dir_all(&heads).unwrap();
        std::fs::write(heads.join("a.lock"), b"").unwrap();
        std::fs::write(heads.join("s"), b"ref: refs/heads/a\n").unwrap();
        let commands = [
            command("refs/heads/a", NONE, 1),
            command("refs/heads/s", NONE, 1),
        ];
        let expected = [
            "failed to lock, try again",
            "'refs/heads/s' is a symbolic ref, push to what it points to",
        ];
        assert_eq!(run(directory.path(), &commands, false), expected);
    }
}
