//! The log as openraft asks for it.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, Range, RangeBounds};

use futures_util::{Stream, stream};
use openraft::entry::RaftEntry;
use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use openraft::{OptionalSend, RaftLogReader};

use super::GroupLog;
use crate::limits::{LOG_READ_BYTES, MAX_APPEND_BYTES};
use crate::types::{Entry, LogId, Types, Vote};

fn indexes(range: &impl RangeBounds<u64>) -> Range<u64> {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(start) => start.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(end) => end.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    start..end
}

impl RaftLogReader<Types> for GroupLog {
    /// Entries that are to be applied, a bounded piece at a time. Each of them is committed, so
    /// one that is missing is damage.
    async fn entries_stream<RB>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = Result<Entry, io::Error>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let mut rest = indexes(&range);
        rest.end = rest.end.min(self.state.recent().end());
        let pieces = (self.clone(), rest, Vec::new().into_iter());
        stream::unfold(pieces, |(log, mut rest, mut piece)| async move {
            if let Some(entry) = piece.next() {
                return Some((Ok(entry), (log, rest, piece)));
            }
            if rest.is_empty() {
                return None;
            }
            let missing = rest.start;
            let read = log.read(rest.clone(), LOG_READ_BYTES).await;
            let failed = match read {
                Ok(entries) => {
                    let mut entries = entries.into_iter();
                    match entries.next() {
                        Some(first) if first.index() == missing => {
                            rest.start += 1 + entries.len() as u64;
                            return Some((Ok(first), (log, rest, entries)));
                        }
                        _ => io::Error::new(
                            io::ErrorKind::InvalidData,
                            format!("entry {missing} is missing from the log"),
                        ),
                    }
                }
                Err(error) => error,
            };
            Some((Err(failed), (log, 0..0, Vec::new().into_iter())))
        })
    }

    async fn try_get_log_entries<RB>(&mut self, range: RB) -> Result<Vec<Entry>, io::Error>
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        self.read(indexes(&range), usize::MAX).await
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry>, io::Error> {
        self.read(start..end, MAX_APPEND_BYTES).await
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.state.recent().vote)
    }
}

impl RaftLogStorage<Types> for GroupLog {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, io::Error> {
        let recent = self.state.recent();
        Ok(LogState {
            last_purged_log_id: recent.purged,
            last_log_id: recent.last(),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        GroupLog::save_vote(self, vote).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        let mut recent = self.state.recent();
        recent.committed = committed;
        recent.committed_unsaved = true;
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.state.recent().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        GroupLog::append(self, entries.into_iter().collect(), callback).await
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> Result<(), io::Error> {
        GroupLog::truncate_after(self, last_log_id).await
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), io::Error> {
        GroupLog::purge(self, log_id).await
    }
}
