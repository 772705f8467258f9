//! Repositories as the replicated state knows them, and the commands on them.

use chunking::BlobId;
use git_id::{HashKind, ObjectId, RefName};
use serde::{Deserialize, Serialize};

use crate::blob::StoredBlob;
use crate::limits::{PUSH_PART_COMMANDS, PUSH_PART_NAME_BYTES};
use crate::order::{Command, Staged};
use crate::refs::{RefCommand, RefOutcome};
use crate::{DedupDomain, RepositoryId, Timestamp, UploadId};

/// One repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// Its id.
    pub id: RepositoryId,
    /// The hash that names its objects.
    pub hash: HashKind,
    /// The branch that HEAD names.
    pub head: RefName,
    /// Where its chunks are shared.
    pub domain: DedupDomain,
    /// Whether it may be written.
    pub state: State,
    /// Grows with every change to its refs, HEAD or pack list.
    pub version: u64,
    /// How many packs its list has.
    pub packs: u32,
    /// The bytes of those packs and their indexes.
    pub bytes: u64,
    /// The number of its last event.
    pub events: u64,
    /// When it last changed.
    pub changed: Timestamp,
}

/// The life of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Readable and writable.
    Active,
    /// About to be deleted: every write is refused.
    Sealed,
    /// On its way back from a backup: every write but the restore's is refused.
    Restoring,
}

/// One pack of a pack list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pack {
    /// The pack's own trailer, which names its files.
    pub checksum: ObjectId,
    /// The `.pack`.
    pub pack: BlobId,
    /// The `.idx`.
    pub index: BlobId,
    /// How many objects are in it.
    pub objects: u32,
    /// The bytes of the `.pack`.
    pub bytes: u64,
}

/// The ordered packs that make up a repository at a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackList {
    /// The repository's version as of this list.
    pub version: u64,
    /// Oldest first.
    pub packs: Vec<Pack>,
}

/// A pack that a push brings: its files, durable but not yet named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewPack {
    /// The pack's own trailer.
    pub checksum: ObjectId,
    /// How many objects are in it.
    pub objects: u32,
    /// The `.pack`.
    pub pack: StoredBlob,
    /// The `.idx`.
    pub index: StoredBlob,
}

/// Who pushed, for the event: an opaque number of the application's accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor(pub u64);

/// One push: packs, ref updates and the event, visible together or not at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    /// Into which repository.
    pub repository: RepositoryId,
    /// The pack, unless the push only deletes or moves within what is there.
    pub pack: Option<NewPack>,
    /// The ref updates, in the order of the client.
    pub commands: Commands,
    /// All or none.
    pub atomic: bool,
    /// Who.
    pub actor: Actor,
    /// `push-option`s, for the event.
    pub options: Vec<String>,
}

/// What maintenance commits: packs in the place of others, for every reader at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replacement {
    /// Of which repository.
    pub repository: RepositoryId,
    /// The trailers of the packs that go. All must be in the list, or nothing happens.
    pub old: Vec<ObjectId>,
    /// The packs that come; those that are in the list already stay as they are.
    pub new: Vec<NewPack>,
    /// The version of the refs and of the pack list that it was made from. Refused if packs were
    /// replaced since: what was left out as being in another pack too may be there no longer.
    pub seen: u64,
    /// Whether the packs that come lack objects that nothing reached at that version. Then it is
    /// refused at any other.
    pub drops: bool,
}

/// Ref commands, in the entry or staged before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Commands {
    /// Few enough for the entry.
    Inline(Vec<RefCommand>),
    /// This many parts, staged under this upload.
    Staged {
        /// The upload they were staged under, as parts from 0.
        upload: UploadId,
        /// How many parts.
        parts: u32,
    },
}

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pushed {
    /// The repository's version after it.
    pub version: u64,
    /// One outcome per command, in order.
    pub outcomes: Vec<RefOutcome>,
}

impl Commands {
    /// What a push needs: these commands, and before it the parts that its
    /// entry is too small for. The upload must be the commands' own.
    pub fn staged(mut commands: Vec<RefCommand>, upload: UploadId) -> (Self, Vec<Command>) {
        if part_length(&commands) == commands.len() {
            return (Self::Inline(commands), Vec::new());
        }
        let mut stages = Vec::new();
        let mut parts = 0;
        while !commands.is_empty() {
            let rest = commands.split_off(part_length(&commands));
            let content = Staged::Commands(std::mem::replace(&mut commands, rest));
            stages.push(Command::Stage {
                upload,
                part: parts,
                content,
            });
            parts += 1;
        }
        (Self::Staged { upload, parts }, stages)
    }
}

/// How many of the first commands fit into one part; at least one.
fn part_length(commands: &[RefCommand]) -> usize {
    let mut bytes = 0;
    commands
        .iter()
        .take(PUSH_PART_COMMANDS)
        .take_while(|command| {
            bytes += command.name.as_str().len();
            bytes <= PUSH_PART_NAME_BYTES
        })
        .count()
        .max(1)
        .min(commands.len())
}

#[cfg(test)]
mod tests {
    use git_id::RefName;

    use super::Commands;
    use crate::UploadId;
    use crate::order::{Command, Staged};
    use crate::refs::RefCommand;

    #[test]
    fn commands_go_in_parts_by_count_and_by_length() {
        for (count, length, parts) in [(0, 5, 0), (128, 5, 0), (129, 5, 2), (40, 1000, 3)] {
            let commands: Vec<RefCommand> = (0..count)
                .map(|number| RefCommand {
                    name: RefName::branch(&format!("{number:0length$}")).unwrap(),
                    old: None,
                    new: None,
                })
                .collect();
            let (inline, stages) = Commands::staged(commands.clone(), UploadId([1; 16]));
            assert_eq!(stages.len(), parts, "{count} names of {length} bytes");
            let mut all = match inline {
                Commands::Inline(commands) => commands,
                Commands::Staged { parts: named, .. } => {
                    assert_eq!(usize::try_from(named).unwrap(), parts);
                    Vec::new()
                }
            };
            for stage in stages {
                match stage {
                    Command::Stage {
                        content: Staged::Commands(part),
                        ..
                    } => all.extend(part),
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(all, commands);
        }
    }
}
