use serde::{Deserialize, Serialize};
use storage_node_api::Slot;
use storage_node_api::event::Event;

use super::{Family, Key, Parts, write_slot};
use crate::reader::Span;

/// The bounds of a slot's feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FeedKey(pub(crate) Slot);

/// Which events a slot has and had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Feed {
    /// The first sequence still kept; one after `last` if none is.
    pub(crate) first_kept: u64,
    /// The last sequence there is; 0 if there never was one.
    pub(crate) last: u64,
}

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventKey {
    pub(crate) slot: Slot,
    pub(crate) sequence: u64,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            first_kept: 1,
            last: 0,
        }
    }
}

impl EventKey {
    /// Events from one sequence up to, but not including, another.
    pub(crate) fn between(slot: Slot, from: u64, to: u64) -> Span {
        let key = |sequence| Self { slot, sequence }.encode();
        Span {
            from: key(from),
            to: key(to.max(from)),
        }
    }
}

impl Key for FeedKey {
    const FAMILY: Family = Family::Feed;
    type Value = Feed;

    fn write(&self, out: &mut Vec<u8>) {
        write_slot(self.0, out);
    }

    fn read(parts: &mut Parts<'_>) -> Option<Self> {
        parts.slot().map(Self)
    }
}

impl Key for EventKey {
    const FAMILY: Family = Family::Event;
    type Value = Event;

    fn write(&self, out: &mut Vec<u8>) {
        write_slot(self.slot, out);
        out.extend(self.sequence.to_be_bytes());
    }

    fn read(parts: &mut Parts<'_>) -> Option<Self> {
        let slot = parts.slot()?;
        Some(Self {
            slot,
            sequence: parts.u64()?,
        })
    }
}
