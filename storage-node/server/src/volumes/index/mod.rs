//! Where each chunk is: a family of the node's key-value store.
//!
//! Everything in it can be made again from the volumes. It is written without
//! syncing, always together with the [`Checkpoint`] up to which it is complete,
//! so that opening has only the rest of the volumes to read.

mod changes;
mod value;

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use bytes::Bytes;
use chunking::ChunkId;
use kv::{Batch, Direction, Durability, Family, KeyValue, KvError};
use storage_node_api::DedupDomain;

pub(super) use changes::Changes;
pub(super) use value::{Checkpoint, Entry, Place, State, Totals};

use super::scrub::Position;
use super::volume::{Damage, VolumeId};

/// The family that the index is kept in.
pub const FAMILY: Family = Family::new("chunk_index");

const CHUNK: u8 = b'c';
const DAMAGE: u8 = b'd';
const CHECKPOINT: &[u8] = b"p";
const POSITION: &[u8] = b"s";
const AFTER_ALL: &[u8] = b"z";
/// Entries that one page of [`Index::page`] has.
const PAGE_ENTRIES: usize = 256;

/// One chunk within its dedup domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) domain: DedupDomain,
    pub(super) id: ChunkId,
}

impl Key {
    fn encode(&self) -> [u8; 41] {
        let mut bytes = [CHUNK; 41];
        bytes[1..9].copy_from_slice(&self.domain.0.to_be_bytes());
        bytes[9..].copy_from_slice(self.id.as_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.first_chunk::<41>()?;
        let mut domain = [0; 8];
        domain.copy_from_slice(&bytes[1..9]);
        let mut id = [0; 32];
        id.copy_from_slice(&bytes[9..]);
        Some(Self {
            domain: DedupDomain(u64::from_be_bytes(domain)),
            id: ChunkId::from_bytes(id),
        })
    }
}

/// The index as it is in the key-value store.
#[derive(Clone, Debug)]
pub(super) struct Index {
    store: Arc<dyn KeyValue>,
}

impl Index {
    pub(super) fn new(store: Arc<dyn KeyValue>) -> Self {
        Self { store }
    }

    pub(super) fn get(&self, key: &Key) -> Result<Option<Entry>, KvError> {
        let value = self.store.get(FAMILY, &key.encode())?;
        // A value that cannot be read is as good as none: the chunk is put again.
        Ok(value.and_then(|value| Entry::decode(&value)))
    }

    pub(super) fn checkpoint(&self) -> Result<Option<Checkpoint>, KvError> {
        let value = self.store.get(FAMILY, CHECKPOINT)?;
        Ok(value.and_then(|value| Checkpoint::decode(&value)))
    }

    /// Where the scrub is, if it was ever begun.
    pub(super) fn position(&self) -> Result<Option<Position>, KvError> {
        let value = self.store.get(FAMILY, POSITION)?;
        Ok(value.and_then(|value| Position::decode(&value)))
    }

    /// Keeps where the scrub is. A crash may take it back a little.
    pub(super) fn set_position(&self, position: &Position) -> Result<(), KvError> {
        let mut batch = Batch::new();
        batch.put(FAMILY, POSITION, position.encode());
        self.store.write(batch, Durability::Buffered)
    }

    /// Forgets everything.
    pub(super) fn clear(&self) -> Result<(), KvError> {
        let mut batch = Batch::new();
        batch.delete_range(FAMILY, Bytes::new(), AFTER_ALL);
        self.store.write(batch, Durability::Buffered)
    }

    /// Makes changes, which with this the index has up to the checkpoint.
    pub(super) fn write(&self, changes: &Changes, checkpoint: &Checkpoint) -> Result<(), KvError> {
        let mut batch = Batch::new();
        for (key, entry) in changes.entries() {
            match entry {
                Some(entry) => batch.put(FAMILY, key.encode().to_vec(), entry.encode()),
                None => batch.delete(FAMILY, key.encode().to_vec()),
            };
        }
        for damage in changes.damage() {
            let mut key = vec![DAMAGE];
            key.extend(damage.volume.0.to_be_bytes());
            key.extend(damage.from.to_be_bytes());
            batch.put(FAMILY, key, damage.to.to_be_bytes().to_vec());
        }
        batch.put(FAMILY, CHECKPOINT, checkpoint.encode());
        self.store.write(batch, Durability::Buffered)
    }

    /// Makes everything written so far survive a power failure.
    pub(super) fn sync(&self) -> Result<(), KvError> {
        self.store.sync()
    }

    /// The damage that was found so far.
    pub(super) fn damage(&self) -> Result<Vec<Damage>, KvError> {
        let mut damage = Vec::new();
        let range = (
            Bound::Included(&[DAMAGE][..]),
            Bound::Excluded(&[DAMAGE + 1][..]),
        );
        self.store
            .scan(FAMILY, range, Direction::Ascending, &mut |key, value| {
                if let (Some(key), Ok(to)) = (key.get(1..17), value.try_into()) {
                    let (volume, from) = key.split_at(8);
                    damage.push(Damage {
                        volume: VolumeId(number(volume)),
                        from: number(from),
                        to: u64::from_be_bytes(to),
                    });
                }
                ControlFlow::Continue(())
            })?;
        Ok(damage)
    }

    /// The next entries after a key, in order; none at the end.
    pub(super) fn page(&self, after: Option<&Key>) -> Result<Vec<(Key, Entry)>, KvError> {
        let after = after.map(Key::encode);
        let from = match &after {
            Some(after) => Bound::Excluded(&after[..]),
            None => Bound::Included(&[CHUNK][..]),
        };
        let range = (from, Bound::Excluded(&[CHUNK + 1][..]));
        let mut page = Vec::new();
        self.store
            .scan(FAMILY, range, Direction::Ascending, &mut |key, value| {
                page.extend(Key::decode(key).zip(Entry::decode(value)));
                if page.len() < PAGE_ENTRIES {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            })?;
        Ok(page)
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}
