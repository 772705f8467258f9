//! What a group's log remembers in memory: its ends, and its newest entries.

use std::collections::BTreeMap;

use crate::limits::RECENT_LOG_BYTES;
use crate::types::{Entry, LogId, Vote};

/// The state of one group's log as its callers see it: ahead of the disk by what is queued.
#[derive(Debug, Default)]
pub(super) struct Recent {
    pub(super) vote: Option<Vote>,
    pub(super) committed: Option<LogId>,
    /// Whether `committed` is newer than what the disk has. It is written along with the next
    /// operation: losing it costs nothing but a later catching up.
    pub(super) committed_unsaved: bool,
    pub(super) purged: Option<LogId>,
    last: Option<LogId>,
    /// The newest entries, without gaps up to the last: all that are queued, and some written.
    entries: BTreeMap<u64, Slot>,
    bytes: usize,
    /// Number of the last append that was queued, and of the last that was written.
    queued: u64,
    written: u64,
}

#[derive(Debug)]
struct Slot {
    append: u64,
    bytes: usize,
    entry: Entry,
}

/// Where the entries of a range are.
pub(super) struct Plan {
    /// Those to be read from disk: `start..end`, empty if all are in memory.
    pub(super) on_disk: std::ops::Range<u64>,
    /// Those after them.
    pub(super) in_memory: Vec<(usize, Entry)>,
}

impl Recent {
    pub(super) fn loaded(
        vote: Option<Vote>,
        committed: Option<LogId>,
        purged: Option<LogId>,
        last: Option<LogId>,
    ) -> Self {
        Self {
            vote,
            committed,
            purged,
            last,
            ..Self::default()
        }
    }

    /// The last entry, or the last purged one if there is no entry after it.
    pub(super) fn last(&self) -> Option<LogId> {
        self.last.max(self.purged)
    }

    /// Index after the last entry.
    pub(super) fn end(&self) -> u64 {
        self.last().map_or(0, |last| last.index() + 1)
    }

    /// Index of the first entry that can still be there.
    pub(super) fn start(&self) -> u64 {
        self.purged.map_or(0, |purged| purged.index() + 1)
    }

    /// Takes entries with their encoded sizes. Returns the number of this append.
    pub(super) fn append(&mut self, entries: Vec<(usize, Entry)>) -> u64 {
        self.queued += 1;
        for (bytes, entry) in entries {
            self.last = Some(entry.log_id);
            self.bytes += bytes;
            let slot = Slot {
                append: self.queued,
                bytes,
                entry,
            };
            let replaced = self.entries.insert(slot.entry.log_id.index(), slot);
            self.bytes -= replaced.map_or(0, |slot| slot.bytes);
        }
        self.queued
    }

    /// The append of this number is on disk: its entries need not stay in memory.
    pub(super) fn written(&mut self, append: u64) {
        self.written = append;
        self.shrink(RECENT_LOG_BYTES);
    }

    /// Lets go of the oldest entries that are on disk until the others have at most so many bytes.
    pub(super) fn shrink(&mut self, bytes: usize) {
        while self.bytes > bytes
            && let Some(first) = self.entries.first_entry()
            && first.get().append <= self.written
        {
            self.bytes -= first.remove().bytes;
        }
    }

    /// Forgets the entries after `last`, if there are any.
    pub(super) fn truncate_after(&mut self, last: Option<LogId>) {
        if last.map(|last| last.index()) >= self.last.map(|last| last.index()) {
            return;
        }
        let end = last.map_or(0, |last| last.index() + 1);
        for (_, slot) in self.entries.split_off(&end) {
            self.bytes -= slot.bytes;
        }
        self.last = last;
    }

    /// Forgets the entries up to `purged`.
    pub(super) fn purge(&mut self, purged: LogId) {
        self.purged = self.purged.max(Some(purged));
        let kept = self.entries.split_off(&(purged.index() + 1));
        for slot in std::mem::replace(&mut self.entries, kept).into_values() {
            self.bytes -= slot.bytes;
        }
    }

    /// Where the entries of `range` are, as far as the log has them.
    pub(super) fn plan(&self, range: std::ops::Range<u64>) -> Plan {
        let start = range.start.max(self.start());
        let end = range.end.min(self.end());
        let first = self.entries.keys().next().copied().unwrap_or(end);
        let disk_end = end.min(first).max(start);
        let in_memory = if disk_end < end {
            let slots = self.entries.range(disk_end..end);
            slots
                .map(|(_, slot)| (slot.bytes, slot.entry.clone()))
                .collect()
        } else {
            Vec::new()
        };
        Plan {
            on_disk: start..disk_end,
            in_memory,
        }
    }
}

#[cfg(test)]
mod tests {
    use openraft::entry::RaftEntry;
    use openraft::vote::RaftLeaderId;

    use super::*;
    use crate::NodeId;
    use crate::types::LeaderId;

    fn id(index: u64) -> LogId {
        LogId::new(LeaderId::new(1, NodeId(1)), index)
    }

    fn entries(indexes: std::ops::Range<u64>, bytes: usize) -> Vec<(usize, Entry)> {
        indexes
            .map(|index| (bytes, Entry::new_blank(id(index))))
            .collect()
    }

    fn planned(recent: &Recent, range: std::ops::Range<u64>) -> (std::ops::Range<u64>, Vec<u64>) {
        let plan = recent.plan(range);
        let indexes = plan.in_memory.iter().map(|(_, entry)| entry.index());
        (plan.on_disk, indexes.collect())
    }

    #[test]
    fn queued_entries_stay_and_written_ones_go_when_room_is_needed() {
        let mut recent = Recent::default();
        let half = RECENT_LOG_BYTES / 2;
        let first = recent.append(entries(0..3, half));
        let second = recent.append(entries(3..5, half));
        assert_eq!(planned(&recent, 0..9), (0..0, vec![0, 1, 2, 3, 4]));
        recent.written(first);
        assert_eq!(planned(&recent, 0..9), (0..3, vec![3, 4]));
        assert_eq!(planned(&recent, 1..2), (1..2, vec![]));
        recent.written(second);
        assert_eq!(planned(&recent, 0..9), (0..3, vec![3, 4]));
        assert_eq!(recent.end(), 5);
        recent.append(entries(5..6, half));
        recent.shrink(0);
        assert_eq!(planned(&recent, 0..9), (0..5, vec![5]), "it is queued");
    }

    #[test]
    fn truncated_and_purged_entries_are_gone_at_once() {
        let mut recent = Recent::default();
        recent.append(entries(0..10, 1));
        recent.truncate_after(Some(id(6)));
        assert_eq!(recent.last(), Some(id(6)));
        recent.purge(id(2));
        assert_eq!(planned(&recent, 0..99), (3..3, vec![3, 4, 5, 6]));
        recent.purge(id(20));
        assert_eq!(recent.last(), Some(id(20)));
        assert_eq!(planned(&recent, 0..99), (21..21, vec![]));
        assert_eq!(recent.bytes, 0);
    }
}
