use std::collections::BTreeSet;

use storage_node_api::backup::{HiddenRecord, NumberedPack, Restore};
use storage_node_api::event::Event;
use storage_node_api::order::{Answer, Command, Query};
use storage_node_api::refs::Ref;
use storage_node_api::repository::{Repository, State};
use storage_node_api::{RepositoryId, Slot};

use super::{RestoreError, Restoring};
use crate::format::GroupsRecord;
use crate::limits::{PART_BYTES, PART_ENTRIES};
use crate::order::GroupError;
use crate::records::Records;

/// The repository whose parts come.
struct Open {
    id: RepositoryId,
    state: State,
    refs: u64,
    packs: u32,
    /// It is there in full, from an earlier try.
    is_there: bool,
}

impl Restoring<'_> {
    /// Brings back what groups had, without the blobs, which are there.
    pub(super) async fn groups(&self, records: &mut Records) -> Result<(), RestoreError> {
        let mut feeds: BTreeSet<Slot> = BTreeSet::new();
        for slots in &self.spans {
            let begun = self.tier.feeds(*slots).await?;
            feeds.extend(begun.into_iter().map(|feed| feed.slot));
        }
        let mut open: Option<Open> = None;
        let mut done = 0_u64;
        while let Some(record) = records.next_of_groups().await? {
            match record {
                GroupsRecord::Refs(refs) => self.refs(open.as_ref(), refs).await?,
                GroupsRecord::Packs(packs) => self.packs(open.as_ref(), packs).await?,
                other => {
                    self.finish(open.take()).await?;
                    if let GroupsRecord::Repository { .. } = other {
                        done += 1;
                        self.report(done, records);
                    }
                    open = self.whole(other, &feeds).await?;
                }
            }
        }
        self.finish(open).await
    }

    fn report(&self, done: u64, records: &Records) {
        if done.is_multiple_of(100) {
            let all = records.manifest.totals.repositories;
            self.progress
                .say(&format!("{done} of {all} repositories are back"));
        }
    }

    /// A record that begins something new.
    async fn whole(
        &self,
        record: GroupsRecord,
        feeds: &BTreeSet<Slot>,
    ) -> Result<Option<Open>, RestoreError> {
        match record {
            GroupsRecord::Repository {
                repository,
                hidden,
                refs,
                packs,
            } => return Ok(Some(self.begin(repository, hidden, (refs, packs)).await?)),
            GroupsRecord::Owner(owned) => self.owner(&owned).await?,
            GroupsRecord::Events(events) => self.events(events, feeds).await?,
            GroupsRecord::Feed(feed) => {
                if !feeds.contains(&feed.slot) {
                    self.part(feed.slot, Restore::Feed(feed)).await?;
                }
            }
            // All blobs are there.
            GroupsRecord::Blob { .. } | GroupsRecord::Refs(_) | GroupsRecord::Packs(_) => {}
        }
        Ok(None)
    }

    async fn begin(
        &self,
        repository: Repository,
        hidden: HiddenRecord,
        (refs, packs): (u64, u32),
    ) -> Result<Open, RestoreError> {
        let (id, state) = (repository.id, repository.state);
        let found = match self.tier.ask(id.slot(), Query::Repository(id)).await? {
            Answer::Repository(found) => found,
            _ => return Err(GroupError::Unexpected.into()),
        };
        let is_there = found.is_some_and(|found| found.state != State::Restoring);
        if !is_there {
            let part = Restore::Repository { repository, hidden };
            self.part(id.slot(), part).await?;
        }
        Ok(Open {
            id,
            state,
            refs,
            packs,
            is_there,
        })
    }

    async fn refs(&self, open: Option<&Open>, refs: Vec<Ref>) -> Result<(), RestoreError> {
        let Some(open) = open.filter(|open| !open.is_there) else {
            return Ok(());
        };
        let size = |one: &Ref| one.name.as_str().len() + 2 * 33;
        for refs in parts(refs, size) {
            let part = Restore::Refs {
                repository: open.id,
                refs,
            };
            self.part(open.id.slot(), part).await?;
        }
        Ok(())
    }

    async fn packs(
        &self,
        open: Option<&Open>,
        packs: Vec<NumberedPack>,
    ) -> Result<(), RestoreError> {
        let Some(open) = open.filter(|open| !open.is_there) else {
            return Ok(());
        };
        for packs in parts(packs, |_| 128) {
            let part = Restore::Packs {
                repository: open.id,
                packs,
            };
            self.part(open.id.slot(), part).await?;
        }
        Ok(())
    }

    async fn finish(&self, open: Option<Open>) -> Result<(), RestoreError> {
        let Some(open) = open.filter(|open| !open.is_there) else {
            return Ok(());
        };
        // A backup has no repository in this state but one of a restore that
        // was under way; nothing names it.
        let state = match open.state {
            State::Restoring => State::Sealed,
            state => state,
        };
        let part = Restore::Finish {
            repository: open.id,
            state,
            refs: open.refs,
            packs: open.packs,
        };
        self.part(open.id.slot(), part).await
    }

    async fn events(&self, events: Vec<Event>, feeds: &BTreeSet<Slot>) -> Result<(), RestoreError> {
        let Some(slot) = events.first().map(|event| event.repository.slot()) else {
            return Ok(());
        };
        if feeds.contains(&slot) {
            return Ok(());
        }
        let size = |event: &Event| postcard::experimental::serialized_size(event).unwrap_or(0);
        for events in parts(events, size) {
            self.part(slot, Restore::Events(events)).await?;
        }
        Ok(())
    }

    async fn part(&self, slot: Slot, part: Restore) -> Result<(), RestoreError> {
        Ok(self.tier.commit(slot, Command::Restore(part)).await?)
    }
}

/// Cuts a list into parts that entries have room for.
fn parts<T>(list: Vec<T>, size: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut parts: Vec<Vec<T>> = Vec::new();
    let mut bytes = 0;
    for one in list {
        let more = size(&one);
        match parts.last_mut() {
            Some(part) if part.len() < PART_ENTRIES && bytes + more <= PART_BYTES => {
                bytes += more;
                part.push(one);
            }
            _ => {
                bytes = more;
                parts.push(vec![one]);
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::{PART_BYTES, PART_ENTRIES, parts};

    #[test]
    fn parts_are_bounded_by_count_and_by_size_and_lose_nothing() {
        for (count, size, expected) in [
            (0, 1, 0),
            (PART_ENTRIES, 1, 1),
            (PART_ENTRIES + 1, 1, 2),
            (3, PART_BYTES, 3),
            (2, PART_BYTES + 1, 2),
        ] {
            let list: Vec<usize> = (0..count).collect();
            let cut = parts(list.clone(), |_| size);
            assert_eq!(cut.len(), expected, "{count} of {size}");
            assert_eq!(cut.concat(), list);
        }
    }
}
