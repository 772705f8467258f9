use git_id::ObjectId;
use git_pack::{Objects, ReadError, ReceivedPack};
use git_serve::{CommitError, Push, RefOutcome, RefRejection};
use storage_node_api::Effect;
use storage_node_api::order::Refusal;
use storage_node_api::refs::{self, RefCommand, RefOutcome as Outcome};

use super::check::DROPPED;
use super::propose::{Proposal, outcome};
use super::session::{Streaming, Target, not_stored};
use crate::limits::{PUSH_ATTEMPTS, PUSH_OPTION_BYTES, PUSH_PAUSE};
use crate::repository::store::Stored;

/// Why the objects that refs will name could not be looked at.
#[derive(Debug, thiserror::Error)]
pub(super) enum PeelError {
    #[error("open the quarantined pack")]
    Open(#[from] git_pack::OpenError),
    #[error("read what a tag names")]
    Read(#[from] ReadError),
}

impl Target {
    pub(super) async fn commit(
        &self,
        push: Push,
        mut streamed: Streaming,
    ) -> Result<Vec<RefOutcome>, CommitError> {
        if push.options.iter().map(String::len).sum::<usize>() > PUSH_OPTION_BYTES {
            let message = format!("push options have at most {PUSH_OPTION_BYTES} bytes");
            return Ok(decline(&push, &message));
        }
        let proposal = self.proposal(&push).await?;
        let mut attempt = 0;
        let mut checked = self.seen;
        let (pushed, pack) = loop {
            attempt += 1;
            let stored = match &push.pack {
                Some(pack) => {
                    let streamed = std::mem::replace(&mut streamed, Streaming::GivenUp);
                    Some(self.store(pack, streamed).await?)
                }
                None => None,
            };
            let pack = push.pack.as_ref().zip(stored.as_ref());
            let pack = pack.map(|(pack, stored)| stored.listed(pack.checksum, pack.objects));
            // As late as possible: what is committed after this was allowed
            // when everything before it was done.
            let now = self.cache.runtime.clock.monotonic();
            let allowed = self.pusher.authority.still_stands(now).await;
            if !allowed.map_err(not_stored)? {
                return Ok(decline(&push, "you may no longer push to this repository"));
            }
            let error = match self.propose(&proposal, stored, checked).await {
                Ok(pushed) => break (pushed, pack),
                Err(error) if attempt == PUSH_ATTEMPTS => return Err(commit_error(error)),
                Err(error) => error,
            };
            match error {
                domain::CommitError::Refused(
                    Refusal::SessionExpired
                    | Refusal::NotDurable { .. }
                    | Refusal::NotStaged { .. },
                ) => {
                    tracing::debug!(repo.id = %self.entry.id, attempt, "a push is stored again");
                    self.pause().await;
                }
                domain::CommitError::Refused(Refusal::DroppedSince { .. }) => {
                    tracing::debug!(repo.id = %self.entry.id, attempt, "a push is checked again");
                    match self.check_again(&push).await? {
                        Some(version) => checked = version,
                        None => return Ok(decline(&push, DROPPED)),
                    }
                }
                error => return Err(commit_error(error)),
            }
        };
        if let Some((received, pack)) = push.pack.as_ref().zip(pack)
            && pushed.outcomes.contains(&Outcome::Updated)
            && let Err(error) = self
                .cache
                .adopt(&self.entry, received, &pack, pushed.version)
                .await
        {
            tracing::warn!(
                repo.id = %self.entry.id,
                error = &error as &dyn std::error::Error,
                "a pushed pack is not kept in the cache"
            );
        }
        let outcomes = proposal.commands.iter().zip(pushed.outcomes);
        Ok(outcomes
            .map(|(command, result)| outcome(command, result))
            .collect())
    }

    /// Makes pack and index durable: the bytes that were sent as they arrived,
    /// or those in quarantine if they are others or their sending failed.
    async fn store(&self, pack: &ReceivedPack, streamed: Streaming) -> Result<Stored, CommitError> {
        if let Streaming::Going(streamed) = streamed
            && pack.completed_bases == 0
        {
            match self.packs().store_index(*streamed, &pack.index).await {
                Ok(stored) if stored.pack.manifest.length == pack.bytes => return Ok(stored),
                Ok(stored) => tracing::warn!(
                    arrived = stored.pack.manifest.length,
                    indexed = pack.bytes,
                    "a pack arrived with another length than it was indexed with"
                ),
                Err(error) if error.is_final() => return Err(not_stored(error)),
                Err(error) => tracing::debug!(%error, "a push is stored from quarantine"),
            }
        }
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.packs().store_files(&pack.pack, &pack.index).await {
                Ok(stored) => return Ok(stored),
                Err(error) if error.is_final() || attempt == PUSH_ATTEMPTS => {
                    return Err(not_stored(error));
                }
                Err(error) => {
                    tracing::debug!(%error, attempt, "a push is stored again");
                    self.pause().await;
                }
            }
        }
    }

    async fn pause(&self) {
        self.cache.runtime.clock.sleep(PUSH_PAUSE).await;
    }

    /// The push in the group's words: with what each new tag names in the end.
    async fn proposal(&self, push: &Push) -> Result<Proposal, CommitError> {
        let objects = self
            .cache
            .objects(&self.entry, self.seen)
            .await
            .map_err(not_stored)?;
        let pack = push.pack.as_ref().map(|pack| pack.pack.clone());
        let new: Vec<ObjectId> = push.commands.iter().map(|command| command.new).collect();
        let peel = move || -> Result<Vec<Option<refs::Target>>, PeelError> {
            let objects = match pack {
                Some(pack) => objects.with_pack(&pack)?,
                None => objects,
            };
            new.iter().map(|id| target(&objects, id)).collect()
        };
        let targets = self
            .cache
            .blocking("peel tags", peel)
            .await
            .map_err(not_stored)?;
        let targets = targets.map_err(not_stored)?;
        let commands = push
            .commands
            .iter()
            .zip(targets)
            .map(|(command, new)| RefCommand {
                name: command.name.clone(),
                old: (!command.old.is_null()).then_some(command.old),
                new,
            });
        Ok(Proposal {
            commands: commands.collect(),
            atomic: push.atomic,
            options: push.options.clone(),
            pack: push.pack.as_ref().map(|pack| (pack.checksum, pack.objects)),
        })
    }
}

fn target(objects: &Objects, id: &ObjectId) -> Result<Option<refs::Target>, PeelError> {
    if id.is_null() {
        return Ok(None);
    }
    Ok(Some(refs::Target {
        id: *id,
        peeled: objects.peel(id)?,
    }))
}

fn decline(push: &Push, message: &str) -> Vec<RefOutcome> {
    let rejection = || {
        Err(RefRejection::Declined {
            message: message.to_owned(),
        })
    };
    push.commands.iter().map(|_| rejection()).collect()
}

fn commit_error(error: domain::CommitError) -> CommitError {
    let is_unknown = match &error {
        domain::CommitError::Propose(error) => error.effect() == Effect::Unknown,
        domain::CommitError::Refused(_) => false,
    };
    if is_unknown {
        CommitError::Unknown {
            source: Box::new(error),
        }
    } else {
        CommitError::NotStored {
            source: Box::new(error),
        }
    }
}
