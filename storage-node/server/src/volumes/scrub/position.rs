use bytes::Bytes;
use chunking::ChunkId;
use storage_node_api::{DedupDomain, Timestamp};

use crate::volumes::index::Key;
use crate::volumes::record::u64_at;
use crate::volumes::volume::VolumeId;

const VERSION: u8 = 1;
const BYTES: usize = 82;
const IDLE: u8 = 0;
const VOLUME: u8 = 1;
const INDEX: u8 = 2;
const INDEX_AFTER: u8 = 3;

/// Where the passes over a store are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::volumes) struct Position {
    /// When the pass under way or the last one began; 0 before the first.
    pub(super) began: Timestamp,
    /// When the last full pass ended; 0 if none did.
    pub(super) completed: Timestamp,
    /// Bytes that the pass has read.
    pub(super) bytes: u64,
    /// Chunks that the pass saw and that do not belong here.
    pub(super) surplus: u64,
    /// Chunks that it saw in volumes and not in the index.
    pub(super) unindexed: u64,
    pub(super) at: At,
}

/// Where the pass under way is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum At {
    /// There is none.
    #[default]
    Idle,
    /// At this offset of the first volume that is not before this one.
    Volume { volume: VolumeId, offset: u64 },
    /// Behind this key of the index.
    Index { after: Option<Key> },
}

impl Position {
    /// A version byte, a kind, five numbers (little-endian), and 40 bytes that
    /// the kind explains: volume and offset, or domain and id.
    pub(in crate::volumes) fn encode(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.push(VERSION);
        let (kind, words, id) = match self.at {
            At::Idle => (IDLE, [0; 2], None),
            At::Volume { volume, offset } => (VOLUME, [volume.0, offset], None),
            At::Index { after: None } => (INDEX, [0; 2], None),
            At::Index { after: Some(key) } => (INDEX_AFTER, [key.domain.0, 0], Some(key.id)),
        };
        bytes.push(kind);
        let (began, completed) = (self.began.0, self.completed.0);
        for number in [began, completed, self.bytes, self.surplus, self.unindexed] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(words[0].to_le_bytes());
        match id {
            Some(id) => bytes.extend(id.as_bytes()),
            None => {
                bytes.extend(words[1].to_le_bytes());
                bytes.resize(BYTES, 0);
            }
        }
        bytes.into()
    }

    /// Nothing if these are not the bytes of a position of this version.
    pub(in crate::volumes) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; BYTES] = bytes.try_into().ok()?;
        let at = match (bytes[0], bytes[1]) {
            (VERSION, IDLE) => At::Idle,
            (VERSION, VOLUME) => At::Volume {
                volume: VolumeId(u64_at(bytes, 42)),
                offset: u64_at(bytes, 50),
            },
            (VERSION, INDEX) => At::Index { after: None },
            (VERSION, INDEX_AFTER) => {
                let mut id = [0; 32];
                id.copy_from_slice(&bytes[50..]);
                At::Index {
                    after: Some(Key {
                        domain: DedupDomain(u64_at(bytes, 42)),
                        id: ChunkId::from_bytes(id),
                    }),
                }
            }
            _ => return None,
        };
        Some(Self {
            began: Timestamp(u64_at(bytes, 2)),
            completed: Timestamp(u64_at(bytes, 10)),
            bytes: u64_at(bytes, 18),
            surplus: u64_at(bytes, 26),
            unindexed: u64_at(bytes, 34),
            at,
        })
    }
}

#[cfg(test)]
mod tests {
    use chunking::ChunkId;
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
    use storage_node_api::{DedupDomain, Timestamp};

    use super::{At, Position};
    use crate::volumes::index::Key;
    use crate::volumes::volume::VolumeId;

    proptest! {
        #[test]
        fn positions_read_back(n: [u64; 7], id: [u8; 32], kind in 0..4u8) {
            let key = Key { domain: DedupDomain(n[4]), id: ChunkId::from_bytes(id) };
            let position = Position {
                began: Timestamp(n[0]),
                completed: Timestamp(n[1]),
                bytes: n[2],
                surplus: n[3],
                unindexed: n[6],
                at: match kind {
                    0 => At::Idle,
                    1 => At::Volume { volume: VolumeId(n[4]), offset: n[5] },
                    2 => At::Index { after: None },
                    _ => At::Index { after: Some(key) },
                },
            };
            prop_assert_eq!(Position::decode(&position.encode()), Some(position));
        }

        #[test]
        fn other_bytes_are_refused_without_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..100)
        ) {
            let known = bytes.len() == 82 && bytes[0] == 1 && bytes[1] < 4;
            prop_assert!(Position::decode(&bytes).is_some() == known);
        }
    }
}
