use git_id::ObjectId;
use git_serve::{RefOutcome, RefRejection};
use storage_node_api::UploadId;
use storage_node_api::limits::PUSH_PART_COMMANDS;
use storage_node_api::order::{Command, ProposeError, Reply, Staged};
use storage_node_api::refs::{RefCommand, RefOutcome as Outcome};
use storage_node_api::repository::{Actor, Commands, NewPack, Push, Pushed};

use super::session::Target;
use crate::limits::COMMAND_PART_BYTES;
use crate::repository::store::Stored;

/// A push in the words of the repository's group.
#[derive(Clone, Debug)]
pub(super) struct Proposal {
    pub(super) commands: Vec<RefCommand>,
    pub(super) atomic: bool,
    pub(super) options: Vec<String>,
    /// The pack's trailer and how many objects it has.
    pub(super) pack: Option<(ObjectId, u32)>,
}

impl Target {
    /// Stages what one entry is too small for, then commits the push, whose objects were found
    /// connected at that version.
    pub(super) async fn propose(
        &self,
        proposal: &Proposal,
        stored: Option<Stored>,
        checked: u64,
    ) -> Result<Pushed, domain::CommitError> {
        let random = &*self.cache.runtime.random;
        let (blobs, commands) = (UploadId::random(random), UploadId::random(random));
        let (pack, mut staged) = name_pack(proposal, stored, blobs);
        let (commands, parts) = split_commands(proposal.commands.clone(), commands);
        staged.extend(parts);
        let slot = self.entry.id.slot();
        let uploads: Vec<UploadId> = staged.iter().filter_map(upload_of).collect();
        let push = Push {
            repository: self.entry.id,
            pack,
            commands,
            atomic: proposal.atomic,
            actor: Actor(self.pusher.authority.actor()),
            options: proposal.options.clone(),
        };
        let commits = &self.pusher.commits;
        let committed = async {
            for part in staged {
                commits.commit(slot, part).await?;
            }
            if self.cache.knows_replacements().await {
                let push = push.clone();
                let checked = Command::CheckedPush { push, checked };
                match commits.commit(slot, checked).await {
                    // The leader has yet to hear that all know it.
                    Err(domain::CommitError::Propose(ProposeError::TooEarly { .. })) => {}
                    committed => return committed,
                }
            }
            commits.commit(slot, Command::Push(push)).await
        };
        let committed = match committed.await {
            Ok(committed) => committed,
            Err(error) => {
                self.unstage(uploads, &error).await;
                return Err(error);
            }
        };
        match committed.reply {
            Reply::Pushed(pushed) => Ok(pushed),
            Reply::Refused(refusal) => Err(refusal.into()),
            // A group that answers a push with something else is of another
            // version; whether the push took effect cannot be told.
            _ => Err(ProposeError::Interrupted {
                group: committed.token.group,
            }
            .into()),
        }
    }

    /// Forgets the parts of a push that was refused. Of one that may yet be
    /// applied they stay, to be dropped by the group's own limits.
    async fn unstage(&self, mut uploads: Vec<UploadId>, error: &domain::CommitError) {
        if !matches!(error, domain::CommitError::Refused(_)) {
            return;
        }
        uploads.dedup();
        for upload in uploads {
            let forget = Command::Unstage(upload);
            if let Err(error) = self
                .pusher
                .commits
                .commit(self.entry.id.slot(), forget)
                .await
            {
                tracing::debug!(%error, "parts of a refused push stay staged");
            }
        }
    }
}

fn upload_of(command: &Command) -> Option<UploadId> {
    match command {
        Command::Stage { upload, .. } => Some(*upload),
        _ => None,
    }
}

fn name_pack(
    proposal: &Proposal,
    stored: Option<Stored>,
    upload: UploadId,
) -> (Option<NewPack>, Vec<Command>) {
    let (Some(stored), Some((checksum, objects))) = (stored, proposal.pack) else {
        return (None, Vec::new());
    };
    let (pack, staged) = stored.staged(checksum, objects, upload);
    (Some(pack), staged)
}

/// The commands as the entry carries them, and the parts to stage before it.
fn split_commands(commands: Vec<RefCommand>, upload: UploadId) -> (Commands, Vec<Command>) {
    let mut parts = vec![Vec::new()];
    let mut bytes = 0;
    for command in commands {
        // Three ids of at most 33 bytes and the name, each with its length.
        let size = command.name.as_str().len() + 128;
        let part = parts.last_mut().expect("there is a first part");
        if part.len() >= PUSH_PART_COMMANDS || bytes + size > COMMAND_PART_BYTES {
            parts.push(vec![command]);
            bytes = size;
        } else {
            part.push(command);
            bytes += size;
        }
    }
    if parts.len() == 1 {
        return (Commands::Inline(parts.remove(0)), Vec::new());
    }
    let count = u32::try_from(parts.len()).expect("a push has fewer than 2^32 commands");
    let stage = |(commands, part)| Command::Stage {
        upload,
        part,
        content: Staged::Commands(commands),
    };
    (
        Commands::Staged {
            upload,
            parts: count,
        },
        parts.into_iter().zip(0..).map(stage).collect(),
    )
}

/// What became of a command, in git's words.
pub(super) fn outcome(command: &RefCommand, outcome: Outcome) -> RefOutcome {
    match outcome {
        Outcome::Updated => Ok(()),
        Outcome::Stale { actual } => Err(match (command.old, actual) {
            (None, _) => RefRejection::Exists,
            (Some(_), None) => RefRejection::Missing,
            (Some(_), Some(_)) => RefRejection::StaleOldValue,
        }),
        Outcome::Conflict { with } => Err(RefRejection::NameConflict { existing: with }),
        Outcome::Aborted => Err(RefRejection::AtomicTransaction),
    }
}

#[cfg(test)]
mod tests {
    use git_id::{ObjectId, RefName};
    use storage_node_api::UploadId;
    use storage_node_api::limits::{MAX_COMMAND_BYTES, PUSH_PART_COMMANDS};
    use storage_node_api::order::{Command, Staged};
    use storage_node_api::refs::{RefCommand, Target};
    use storage_node_api::repository::Commands;

    use super::split_commands;

    fn commands(count: usize, name_bytes: usize) -> Vec<RefCommand> {
        let id = ObjectId::from_bytes(&[7; 32]).unwrap();
        let name = |number| RefName::branch(&format!("{number:0name_bytes$}")).unwrap();
        let target = Some(Target {
            id,
            peeled: Some(id),
        });
        let command = |number| RefCommand {
            name: name(number),
            old: Some(id),
            new: target,
        };
        (0..count).map(command).collect()
    }

    #[test]
    fn few_commands_ride_in_the_entry_and_many_are_staged() {
        let upload = UploadId([1; 16]);
        for (count, name_bytes, parts) in [
            (0, 1, 0),
            (1, 1, 0),
            (PUSH_PART_COMMANDS, 10, 0),
            (PUSH_PART_COMMANDS + 1, 10, 2),
            (100, 1000, 5),
            (10_000, 20, 79),
        ] {
            let all = commands(count, name_bytes);
            let (carried, staged) = split_commands(all.clone(), upload);
            assert_eq!(staged.len(), parts, "{count} of {name_bytes}");
            let again: Vec<RefCommand> = match carried {
                Commands::Inline(commands) => commands,
                Commands::Staged { parts: count, .. } => {
                    assert_eq!(usize::try_from(count).unwrap(), parts);
                    let content = staged.into_iter().map(|command| match command {
                        Command::Stage {
                            content: Staged::Commands(commands),
                            ..
                        } => commands,
                        other => panic!("{other:?}"),
                    });
                    content
                        .inspect(|part| assert!(bytes(part) < MAX_COMMAND_BYTES))
                        .flatten()
                        .collect()
                }
            };
            assert_eq!(again, all);
        }
    }

    fn bytes(part: &[RefCommand]) -> usize {
        part.iter()
            .map(|command| command.name.as_str().len() + 128)
            .sum()
    }
}
