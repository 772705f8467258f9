//! The records of a volume.
//!
//! A record is a header of 96 bytes and a payload, filled with zeros to a
//! multiple of 64 bytes. All numbers are little-endian:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `DFrc` |
//! | 4 | 1 | format, 1 |
//! | 5 | 1 | kind: 1 chunk, 2 touch, 3 seal, 4 drop |
//! | 6 | 1 | codec of the payload: 0 as it is |
//! | 7 | 1 | flags, 0 |
//! | 8 | 4 | id of the key that encrypts the payload: 0 none |
//! | 12 | 4 | bytes of the payload as stored |
//! | 16 | 4 | bytes of the payload when decoded |
//! | 20 | 4 | CRC-32 of the payload as stored |
//! | 24 | 8 | generation of the touch |
//! | 32 | 8 | dedup domain |
//! | 40 | 8 | offset below which the volume was synced when this was written |
//! | 48 | 32 | chunk id; zeros in other kinds |
//! | 80 | 8 | the volume's salt |
//! | 88 | 4 | own offset in units of 64 bytes |
//! | 92 | 4 | CRC-32 of the 92 bytes before |
//!
//! The salt, which nobody outside the node knows, and the own offset tell a
//! record from a chunk whose content looks like one. The synced offset tells
//! corruption from a torn write: what lies below the synced offset of any later
//! record had been acknowledged.

use chunking::{ChunkId, MAX_CHUNK_BYTES};
use storage_node_api::{DedupDomain, Generation};

/// Records begin at multiples of this.
pub(super) const ALIGN: u64 = 64;
/// Groups of records begin at multiples of this, so that no write touches a
/// disk block that holds acknowledged bytes.
pub(super) const BLOCK: u64 = 4096;
/// Bytes of a record's header.
pub(super) const HEADER_BYTES: usize = 96;
/// The longest payload of any record.
pub(super) const MAX_PAYLOAD_BYTES: usize = MAX_CHUNK_BYTES;
/// Most chunks that one touch or drop record names.
pub(super) const MAX_TOUCHES: usize = 8192;

const MAGIC: [u8; 4] = *b"DFrc";
const FORMAT: u8 = 1;
const CODEC_PLAIN: u8 = 0;
const NO_KEY: u32 = 0;

/// What a record is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// Holds a chunk.
    Chunk = 1,
    /// Raises the touch of the chunks whose ids are its payload.
    Touch = 2,
    /// Ends a volume: nothing follows, and nothing is missing before.
    Seal = 3,
    /// Ends the chunks whose ids are its payload: they are held no more.
    Drop = 4,
}

/// A record's header. Where it lies and in which volume is added on writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) length: u32,
    pub(super) payload_crc: u32,
    pub(super) generation: Generation,
    pub(super) domain: DedupDomain,
    pub(super) synced: u64,
    pub(super) id: ChunkId,
    pub(super) salt: u64,
}

/// Bytes that are not the header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotAHeader {
    /// Zeros: never written, or filling.
    Blank,
    /// Something else.
    Garbage,
    /// An intact header, but of a later release. All formats have the magic,
    /// the format, the salt and the last eight bytes where they are.
    Newer { format: u8, salt: u64 },
}

/// The next multiple of `unit`, a power of two.
pub(super) const fn align(offset: u64, unit: u64) -> u64 {
    (offset + unit - 1) & !(unit - 1)
}

/// Bytes that a record with this payload takes, filling included.
pub(super) const fn size_of(payload: usize) -> u64 {
    align((HEADER_BYTES + payload) as u64, ALIGN)
}

impl Header {
    /// The header as it is written at `offset`.
    pub(super) fn encode(&self, offset: u64) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let mut at = 0;
        let mut put = |part: &[u8]| {
            bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        };
        put(&MAGIC);
        put(&[FORMAT, self.kind as u8, CODEC_PLAIN, 0]);
        put(&NO_KEY.to_le_bytes());
        put(&self.length.to_le_bytes());
        put(&self.length.to_le_bytes());
        put(&self.payload_crc.to_le_bytes());
        put(&self.generation.0.to_le_bytes());
        put(&self.domain.0.to_le_bytes());
        put(&self.synced.to_le_bytes());
        put(self.id.as_bytes());
        put(&self.salt.to_le_bytes());
        put(&place(offset).to_le_bytes());
        let crc = crc32fast::hash(&bytes[..HEADER_BYTES - 4]);
        bytes[HEADER_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the header at `offset`. Its payload is not looked at.
    pub(super) fn decode(bytes: &[u8], offset: u64) -> Result<Self, NotAHeader> {
        let Some(bytes) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(blank_or_garbage(bytes));
        };
        if bytes[..4] != MAGIC {
            return Err(blank_or_garbage(bytes));
        }
        let crc = crc32fast::hash(&bytes[..HEADER_BYTES - 4]);
        if u32_at(bytes, 92) != crc || u32_at(bytes, 88) != place(offset) {
            return Err(NotAHeader::Garbage);
        }
        let newer = NotAHeader::Newer {
            format: bytes[4],
            salt: u64_at(bytes, 80),
        };
        if bytes[4] != FORMAT {
            return Err(newer);
        }
        let kind = match bytes[5] {
            1 => Kind::Chunk,
            2 => Kind::Touch,
            3 => Kind::Seal,
            4 => Kind::Drop,
            _ => return Err(newer),
        };
        if bytes[6] != CODEC_PLAIN || u32_at(bytes, 8) != NO_KEY {
            return Err(newer);
        }
        let mut id = [0; 32];
        id.copy_from_slice(&bytes[48..80]);
        Ok(Self {
            kind,
            length: u32_at(bytes, 12),
            payload_crc: u32_at(bytes, 20),
            generation: Generation(u64_at(bytes, 24)),
            domain: DedupDomain(u64_at(bytes, 32)),
            synced: u64_at(bytes, 40),
            id: ChunkId::from_bytes(id),
            salt: u64_at(bytes, 80),
        })
    }

    /// Bytes of the payload.
    pub(super) fn payload_bytes(&self) -> usize {
        self.length as usize
    }
}

/// The chunks that a touch or drop record names, from its payload.
pub(super) fn touched(payload: &[u8]) -> impl Iterator<Item = ChunkId> {
    let (ids, _) = payload.as_chunks::<32>();
    ids.iter().map(|id| ChunkId::from_bytes(*id))
}

/// Whether the payload length of a decoded header can be true.
pub(super) fn plausible(header: &Header) -> bool {
    header.payload_bytes() <= MAX_PAYLOAD_BYTES
}

fn place(offset: u64) -> u32 {
    u32::try_from(offset / ALIGN).unwrap_or(u32::MAX)
}

fn blank_or_garbage(bytes: &[u8]) -> NotAHeader {
    if bytes.iter().all(|byte| *byte == 0) {
        NotAHeader::Blank
    } else {
        NotAHeader::Garbage
    }
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use chunking::ChunkId;
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
    use storage_node_api::{DedupDomain, Generation};

    use super::{HEADER_BYTES, Header, Kind, NotAHeader, align, size_of};

    fn header() -> Header {
        Header {
            kind: Kind::Chunk,
            length: 5,
            payload_crc: crc32fast::hash(b"hello"),
            generation: Generation(7),
            domain: DedupDomain(3),
            synced: 8192,
            id: ChunkId::of(b"hello"),
            salt: 0x0102_0304_0506_0708,
        }
    }

    /// These bytes are on people's disks: a change needs a new format number.
    #[test]
    fn a_header_is_written_as_it_always_was() {
        let golden = "\
            4446726301010000 00000000 05000000 05000000 86a61036 \
            0700000000000000 0300000000000000 0020000000000000 \
            ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f \
            0807060504030201 80000000 61765b3f";
        let hex: String = header()
            .encode(8192)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let expected: String = golden.split_whitespace().collect();
        assert_eq!(hex, expected);
    }

    #[test]
    fn a_header_elsewhere_or_newer_is_not_taken() {
        let bytes = header().encode(8192);
        assert_eq!(Header::decode(&bytes, 8192), Ok(header()));
        assert_eq!(Header::decode(&bytes, 8256), Err(NotAHeader::Garbage));
        assert_eq!(Header::decode(&bytes[..95], 8192), Err(NotAHeader::Garbage));
        assert_eq!(Header::decode(&[0; 96], 8192), Err(NotAHeader::Blank));
        assert_eq!(Header::decode(&[0; 7], 8192), Err(NotAHeader::Blank));
        for (at, newer) in [(4, 2), (5, 1), (6, 1), (8, 1)] {
            let mut bytes = bytes;
            bytes[at] = 9;
            if at == 4 {
                bytes[at] = newer;
            }
            let crc = crc32fast::hash(&bytes[..92]);
            bytes[92..].copy_from_slice(&crc.to_le_bytes());
            let newer = NotAHeader::Newer {
                format: newer,
                salt: header().salt,
            };
            assert_eq!(Header::decode(&bytes, 8192), Err(newer));
        }
    }

    #[test]
    fn sizes_are_aligned() {
        assert_eq!(size_of(0), 128);
        assert_eq!(size_of(32), 128);
        assert_eq!(size_of(33), 192);
        assert_eq!(align(4096, 4096), 4096);
        assert_eq!(align(4097, 4096), 8192);
    }

    proptest! {
        #[test]
        fn any_changed_byte_is_noticed(at in 0..HEADER_BYTES, bit in 0..8u32) {
            let mut bytes = header().encode(64);
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(Header::decode(&bytes, 64), Err(NotAHeader::Garbage));
        }

        #[test]
        fn any_bytes_are_read_without_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200), offset: u64
        ) {
            prop_assert!(Header::decode(&bytes, offset).is_err());
        }
    }
}
