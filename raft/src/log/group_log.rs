//! One group's log.

use std::fmt;
use std::io;
use std::ops::{Bound, ControlFlow, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kv::{Batch, Direction, Durability, KeyValue, KvError};
use openraft::entry::RaftEntry;
use runtime::{Runtime, run_blocking};
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use super::keys::{Kind, LOG, STATE, log_index, log_key, state_key};
use super::recent::Recent;
use super::writer::{Done, LogWriter, Operation, WriteFailed};
use crate::GroupId;
use crate::format::{FormatError, decode, encode, v1};
use crate::limits::MAX_POINT_DELETES;
use crate::types::{Entry, LogId, Vote};

/// One group's log: storage and reader in one. Clones share it.
#[derive(Clone)]
pub(crate) struct GroupLog {
    pub(super) state: Arc<GroupState>,
    store: Arc<dyn KeyValue>,
    writer: LogWriter,
    runtime: Runtime,
}

/// What the group's log, its readers and the writer share.
pub(crate) struct GroupState {
    group: GroupId,
    recent: Mutex<Recent>,
}

/// A log that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("read the log")]
    Store(#[from] KvError),
    #[error("read the log")]
    Format(#[from] FormatError),
}

impl fmt::Debug for GroupLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupLog({})", self.state.group)
    }
}

impl GroupState {
    pub(super) fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the newest committed place to a batch that is written anyway.
    pub(super) fn save_committed(&self, batch: &mut Batch) {
        let mut recent = self.recent();
        if !std::mem::take(&mut recent.committed_unsaved) {
            return;
        }
        if let Some(committed) = &recent.committed {
            let value = encode(&v1::LogId::from(committed));
            batch.put(STATE, state_key(self.group, Kind::Committed), value);
        }
    }

    pub(super) fn written(&self, number: u64) {
        self.recent().written(number);
    }
}

impl GroupLog {
    /// Reads the ends of a group's log. Blocks on the disk.
    pub(crate) fn load(
        group: GroupId,
        store: Arc<dyn KeyValue>,
        writer: LogWriter,
        runtime: Runtime,
    ) -> Result<Self, LoadError> {
        let vote = state::<v1::Vote>(&*store, group, Kind::Vote)?.map(Vote::from);
        let committed = state::<v1::LogId>(&*store, group, Kind::Committed)?.map(LogId::from);
        let purged = state::<v1::LogId>(&*store, group, Kind::Purged)?.map(LogId::from);
        let mut last = None;
        let range = (log_key(group, 0), log_key(group, u64::MAX));
        let range = (
            Bound::Included(range.0.as_slice()),
            Bound::Included(range.1.as_slice()),
        );
        store.scan(LOG, range, Direction::Descending, &mut |_, value| {
            last = Some(decode::<v1::Entry>(value));
            ControlFlow::Break(())
        })?;
        let last = last.transpose()?.map(|entry| entry.id.into());
        Ok(Self {
            state: Arc::new(GroupState {
                group,
                recent: Mutex::new(Recent::loaded(vote, committed, purged, last)),
            }),
            store,
            writer,
            runtime,
        })
    }

    /// The last entry that is no longer in the log.
    pub(crate) fn purged(&self) -> Option<LogId> {
        self.state.recent().purged
    }

    /// Whether this replica has neither voted nor stored anything.
    pub(crate) fn is_new(&self) -> bool {
        let recent = self.state.recent();
        recent.vote.is_none() && recent.last().is_none()
    }

    async fn send(&self, batch: Batch, durability: Durability, done: Done) -> io::Result<()> {
        let operation = Operation {
            group: self.state.clone(),
            batch,
            durability,
            done,
        };
        Ok(self.writer.send(operation).await?)
    }

    async fn write(&self, batch: Batch, durability: Durability) -> io::Result<()> {
        let (reply, answer) = oneshot::channel();
        self.send(batch, durability, Done::Reply(reply)).await?;
        answer.await.map_err(|_| WriteFailed::Closed)?
    }

    /// Keeps no entry in memory that is on disk: nobody reads them for a while.
    pub(crate) fn forget_entries(&self) {
        self.state.recent().shrink(0);
    }

    /// Writes what was left to be written along with something else.
    pub(crate) async fn flush(&self) -> io::Result<()> {
        self.write(Batch::new(), Durability::Synced).await
    }

    pub(super) async fn save_vote(&self, vote: &Vote) -> io::Result<()> {
        let mut batch = Batch::new();
        let value = encode(&v1::Vote::from(vote));
        batch.put(STATE, state_key(self.state.group, Kind::Vote), value);
        self.write(batch, Durability::Synced).await?;
        self.state.recent().vote = Some(*vote);
        Ok(())
    }

    pub(super) async fn append(
        &self,
        entries: Vec<Entry>,
        callback: openraft::storage::IOFlushed<crate::types::Types>,
    ) -> io::Result<()> {
        let mut batch = Batch::new();
        let mut sized = Vec::with_capacity(entries.len());
        for entry in entries {
            let value = encode(&v1::Entry::from(&entry));
            sized.push((value.len(), entry.clone()));
            batch.put(LOG, log_key(self.state.group, entry.index()), value);
        }
        let number = self.state.recent().append(sized);
        let done = Done::Append { number, callback };
        self.send(batch, Durability::Synced, done).await
    }

    pub(super) async fn truncate_after(&self, last: Option<LogId>) -> io::Result<()> {
        let start = last.map_or(0, |last| last.index() + 1);
        let removed = {
            let mut recent = self.state.recent();
            let removed = start.max(recent.start())..recent.end();
            recent.truncate_after(last);
            removed
        };
        let mut batch = Batch::new();
        self.remove(&mut batch, removed);
        self.write(batch, Durability::Synced).await
    }

    pub(super) async fn purge(&self, purged: LogId) -> io::Result<()> {
        let removed = {
            let mut recent = self.state.recent();
            let removed = recent.start()..recent.end().min(purged.index() + 1);
            recent.purge(purged);
            removed
        };
        let mut batch = Batch::new();
        let value = encode(&v1::LogId::from(&purged));
        batch.put(STATE, state_key(self.state.group, Kind::Purged), value);
        self.remove(&mut batch, removed);
        self.send(batch, Durability::Buffered, Done::Nobody).await
    }

    fn remove(&self, batch: &mut Batch, range: Range<u64>) {
        let group = self.state.group;
        if range.end.saturating_sub(range.start) > MAX_POINT_DELETES {
            batch.delete_range(LOG, log_key(group, range.start), log_key(group, range.end));
        } else {
            for index in range {
                batch.delete(LOG, log_key(group, index));
            }
        }
    }

    /// The entries of a range that the log has, without gaps, until `max_bytes` are read; at
    /// least one if there is any.
    pub(super) async fn read(&self, range: Range<u64>, max_bytes: usize) -> io::Result<Vec<Entry>> {
        let plan = self.state.recent().plan(range);
        let mut found = Found {
            entries: Vec::new(),
            bytes: 0,
            max_bytes,
        };
        if !plan.on_disk.is_empty() {
            let (store, group) = (self.store.clone(), self.state.group);
            let reading = move || {
                read_disk(&*store, group, plan.on_disk, &mut found)?;
                Ok::<_, io::Error>(found)
            };
            found = run_blocking(&*self.runtime.tasks, "raft-log-read", reading)
                .await
                .map_err(WriteFailed::Task)??;
        }
        for (bytes, entry) in plan.in_memory {
            if !found.take(bytes, entry) {
                break;
            }
        }
        Ok(found.entries)
    }
}

struct Found {
    entries: Vec<Entry>,
    bytes: usize,
    max_bytes: usize,
}

impl Found {
    /// Takes the entry if it follows on the last and there is room. The log may be truncated
    /// while it is read: then what was read first is what counts.
    fn take(&mut self, bytes: usize, entry: Entry) -> bool {
        let follows = self
            .entries
            .last()
            .is_none_or(|last| last.index() + 1 == entry.index());
        let room = self.entries.is_empty() || self.bytes < self.max_bytes;
        if follows && room {
            self.bytes += bytes;
            self.entries.push(entry);
        }
        follows && room
    }
}

fn read_disk(
    store: &dyn KeyValue,
    group: GroupId,
    range: Range<u64>,
    found: &mut Found,
) -> io::Result<()> {
    let (from, to) = (log_key(group, range.start), log_key(group, range.end));
    let bounds = (
        Bound::Included(from.as_slice()),
        Bound::Excluded(to.as_slice()),
    );
    let mut failed = None;
    let mut visit = |key: &[u8], value: &[u8]| match parse(key, value) {
        Ok(entry) => {
            if found.take(value.len(), entry) {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        }
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    };
    store
        .scan(LOG, bounds, Direction::Ascending, &mut visit)
        .map_err(io::Error::other)?;
    match failed {
        Some(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        None => Ok(()),
    }
}

fn parse(key: &[u8], value: &[u8]) -> Result<Entry, FormatError> {
    let entry: v1::Entry = decode(value)?;
    if log_index(key) != Some(entry.id.index) {
        return Err(crate::format::damaged("an entry is under another's key"));
    }
    entry.try_into()
}

fn state<T: DeserializeOwned>(
    store: &dyn KeyValue,
    group: GroupId,
    kind: Kind,
) -> Result<Option<T>, LoadError> {
    let value = store.get(STATE, &state_key(group, kind))?;
    Ok(value.map(|value| decode(&value)).transpose()?)
}
