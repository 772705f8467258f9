//! The trait and its words.

use std::fmt;
use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use crate::{Batch, KvError};

/// A named, separately ordered part of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Family(&'static str);

impl Family {
    /// The family of this name. The name is written to disk: it never changes.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Which way a scan goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the least key up.
    Ascending,
    /// From the greatest key down.
    Descending,
}

/// When a write is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// With the operating system, which writes it out later: survives the end of the process but
    /// not a power failure.
    Buffered,
    /// On the disk, together with everything written before, when the call returns.
    Synced,
}

/// The keys from one bound to the other. Empty if they cross.
pub type Range<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// What a scan shows its pairs to: it is given key and value, and says whether to go on.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// A consistent state of a store at one instant.
pub trait View: Send + Sync + fmt::Debug {
    /// The value of a key.
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, KvError>;

    /// Shows the pairs of a range to `visit` in order until it breaks.
    fn scan(
        &self,
        family: Family,
        range: Range<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), KvError>;
}

/// An ordered key-value store. Its own reads are each of the latest state; all calls may block
/// on the disk.
pub trait KeyValue: View {
    /// Makes all changes of `batch`, or none, even across a crash. Writes are ordered: none
    /// survives a crash without those that returned before it began.
    ///
    /// After an error ([`KvError::may_have_happened`]) the store takes no more writes until it
    /// is reopened.
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), KvError>;

    /// Everything written so far is on the disk when this returns.
    fn sync(&self) -> Result<(), KvError>;

    /// Whether some call has found files that are not what was written. Such a store is to be made
    /// anew: what is damaged in it comes up again whenever it is read or moved.
    fn is_damaged(&self) -> bool {
        false
    }

    /// The present state, which later writes do not change. Cheap to make; held for long it
    /// keeps old values from being reclaimed.
    fn view(&self) -> Box<dyn View>;
}
