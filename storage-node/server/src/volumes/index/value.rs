use bytes::Bytes;
use storage_node_api::{ClusterId, Generation, NodeId};

use crate::volumes::record::{u32_at, u64_at};
use crate::volumes::volume::{Identity, VolumeId};

const VERSION: u8 = 1;
const ENTRY_BYTES: usize = 30;
const CHECKPOINT_BYTES: usize = 73;

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::volumes) struct Place {
    pub(in crate::volumes) volume: VolumeId,
    /// Of the record's header.
    pub(in crate::volumes) offset: u64,
    /// Of the payload.
    pub(in crate::volumes) length: u32,
}

/// Whether a chunk can be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::volumes) enum State {
    /// As far as is known.
    Intact = 0,
    /// No: its bytes are not what they were.
    Corrupt = 1,
}

/// What the index knows of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::volumes) struct Entry {
    pub(in crate::volumes) state: State,
    pub(in crate::volumes) place: Place,
    /// The generation of the last touch.
    pub(in crate::volumes) touched: Generation,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::volumes) struct Totals {
    /// Intact chunks.
    pub(in crate::volumes) chunks: u64,
    /// Their bytes.
    pub(in crate::volumes) bytes: u64,
    /// Corrupt chunks that were not replaced.
    pub(in crate::volumes) corrupt: u64,
}

/// Up to where the index is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::volumes) struct Checkpoint {
    pub(in crate::volumes) identity: Identity,
    pub(in crate::volumes) volume: VolumeId,
    /// Everything before this offset of the volume was synced and is indexed.
    pub(in crate::volumes) offset: u64,
    pub(in crate::volumes) totals: Totals,
    /// The volume's salt, which tells it from another of the same number.
    pub(in crate::volumes) salt: u64,
}

impl Entry {
    pub(in crate::volumes) fn encode(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(ENTRY_BYTES);
        bytes.extend([VERSION, self.state as u8]);
        bytes.extend(self.place.volume.0.to_le_bytes());
        bytes.extend(self.place.offset.to_le_bytes());
        bytes.extend(self.place.length.to_le_bytes());
        bytes.extend(self.touched.0.to_le_bytes());
        bytes.into()
    }

    pub(in crate::volumes) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; ENTRY_BYTES] = bytes.try_into().ok()?;
        let state = match (bytes[0], bytes[1]) {
            (VERSION, 0) => State::Intact,
            (VERSION, 1) => State::Corrupt,
            _ => return None,
        };
        Some(Self {
            state,
            place: Place {
                volume: VolumeId(u64_at(bytes, 2)),
                offset: u64_at(bytes, 10),
                length: u32_at(bytes, 18),
            },
            touched: Generation(u64_at(bytes, 22)),
        })
    }

    pub(in crate::volumes) fn is_intact(&self) -> bool {
        self.state == State::Intact
    }
}

impl Checkpoint {
    pub(in crate::volumes) fn encode(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(CHECKPOINT_BYTES);
        bytes.push(VERSION);
        bytes.extend(self.identity.cluster.0);
        for number in [
            self.identity.node.0,
            self.volume.0,
            self.offset,
            self.totals.chunks,
            self.totals.bytes,
            self.totals.corrupt,
            self.salt,
        ] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.into()
    }

    pub(in crate::volumes) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; CHECKPOINT_BYTES] = bytes.try_into().ok()?;
        if bytes[0] != VERSION {
            return None;
        }
        let mut cluster = [0; 16];
        cluster.copy_from_slice(&bytes[1..17]);
        Some(Self {
            identity: Identity {
                cluster: ClusterId(cluster),
                node: NodeId(u64_at(bytes, 17)),
            },
            volume: VolumeId(u64_at(bytes, 25)),
            offset: u64_at(bytes, 33),
            totals: Totals {
                chunks: u64_at(bytes, 41),
                bytes: u64_at(bytes, 49),
                corrupt: u64_at(bytes, 57),
            },
            salt: u64_at(bytes, 65),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::{Checkpoint, Entry, Place, State, Totals};
    use crate::volumes::volume::{Identity, VolumeId};
    use storage_node_api::{ClusterId, Generation, NodeId};

    proptest! {
        #[test]
        fn entries_read_back(volume: u64, offset: u64, length: u32, touched: u64, corrupt: bool) {
            let entry = Entry {
                state: if corrupt { State::Corrupt } else { State::Intact },
                place: Place { volume: VolumeId(volume), offset, length },
                touched: Generation(touched),
            };
            prop_assert_eq!(Entry::decode(&entry.encode()), Some(entry));
        }

        #[test]
        fn checkpoints_read_back(cluster: [u8; 16], n: [u64; 7]) {
            let checkpoint = Checkpoint {
                identity: Identity { cluster: ClusterId(cluster), node: NodeId(n[0]) },
                volume: VolumeId(n[1]),
                offset: n[2],
                totals: Totals { chunks: n[3], bytes: n[4], corrupt: n[5] },
                salt: n[6],
            };
            prop_assert_eq!(Checkpoint::decode(&checkpoint.encode()), Some(checkpoint));
        }

        #[test]
        fn other_bytes_are_refused_without_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..100)
        ) {
            let known = bytes.len() == 30 && bytes[0] == 1 && bytes[1] < 2;
            prop_assert_eq!(Entry::decode(&bytes).is_some(), known);
            let known = bytes.len() == 73 && bytes[0] == 1;
            prop_assert_eq!(Checkpoint::decode(&bytes).is_some(), known);
        }
    }
}
