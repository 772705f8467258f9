//! Volume files: their names and their first block.
//!
//! The first block of 4 KiB, little-endian, zeros after what is named:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `DFvolume` |
//! | 8 | 4 | format, 1 |
//! | 12 | 4 | CRC-32 of the 48 bytes from 16 |
//! | 16 | 8 | volume id |
//! | 24 | 8 | node id |
//! | 32 | 16 | cluster id |
//! | 48 | 8 | salt |
//! | 56 | 8 | 0 |

use std::fmt;
use std::io;
use std::sync::Arc;

use runtime::{File, Files};
use storage_node_api::{ClusterId, NodeId};

use super::record::{BLOCK, u32_at, u64_at};

const MAGIC: [u8; 8] = *b"DFvolume";
const FORMAT: u32 = 1;
const FIELDS_BYTES: usize = 64;
const PREFIX: &str = "vol-";
const NEW_PREFIX: &str = "new-";

/// One append-only file of chunks. Numbers grow and are not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VolumeId(pub u64);

impl VolumeId {
    pub(super) fn next(self) -> Self {
        Self(self.0 + 1)
    }

    pub(super) fn file_name(self) -> String {
        format!("{PREFIX}{:016x}", self.0)
    }

    /// The volume that a file of this name is, if it is one.
    pub(super) fn of_file(name: &str) -> Option<Self> {
        let hex = name.strip_prefix(PREFIX).filter(|hex| hex.len() == 16)?;
        u64::from_str_radix(hex, 16).ok().map(Self)
    }
}

impl fmt::Display for VolumeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "volume {:016x}", self.0)
    }
}

/// Whose store it is: files of another node or cluster are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The cluster.
    pub cluster: ClusterId,
    /// The node.
    pub node: NodeId,
}

/// Bytes of a volume in which no record can be found, although there were some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// In which volume.
    pub volume: VolumeId,
    /// The first byte.
    pub from: u64,
    /// The byte after the last.
    pub to: u64,
}

/// What the first block of a volume says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct VolumeHeader {
    pub(super) volume: VolumeId,
    pub(super) identity: Identity,
    pub(super) salt: u64,
}

/// What is wrong with a first block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderFault {
    /// It is not intact.
    Corrupt,
    /// It is of a later release.
    Newer(u32),
}

impl VolumeHeader {
    pub(super) fn encode(&self) -> [u8; FIELDS_BYTES] {
        let mut bytes = [0; FIELDS_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.volume.0.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.identity.node.0.to_le_bytes());
        bytes[32..48].copy_from_slice(&self.identity.cluster.0);
        bytes[48..56].copy_from_slice(&self.salt.to_le_bytes());
        let crc = crc32fast::hash(&bytes[16..]);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let bytes = bytes.first_chunk::<FIELDS_BYTES>();
        let bytes = bytes.ok_or(HeaderFault::Corrupt)?;
        if bytes[..8] != MAGIC || u32_at(bytes, 12) != crc32fast::hash(&bytes[16..]) {
            return Err(HeaderFault::Corrupt);
        }
        let format = u32_at(bytes, 8);
        if format != FORMAT {
            return Err(HeaderFault::Newer(format));
        }
        let mut cluster = [0; 16];
        cluster.copy_from_slice(&bytes[32..48]);
        Ok(Self {
            volume: VolumeId(u64_at(bytes, 16)),
            identity: Identity {
                cluster: ClusterId(cluster),
                node: NodeId(u64_at(bytes, 24)),
            },
            salt: u64_at(bytes, 48),
        })
    }

    /// Makes the volume's file, durable with its name and first block.
    pub(super) fn create(&self, files: &dyn Files) -> io::Result<Arc<dyn File>> {
        let new = format!("{NEW_PREFIX}{:016x}", self.volume.0);
        let file = match files.create(&new) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // Left behind by an attempt that failed or crashed.
                files.remove(&new)?;
                files.create(&new)?
            }
            created => created?,
        };
        file.write_at(&self.encode(), 0)?;
        file.allocate(BLOCK)?;
        file.sync_data()?;
        files.rename(&new, &self.volume.file_name())?;
        files.sync_dir("")?;
        Ok(file)
    }
}

/// The volumes that there are, in order, without the remains of unfinished ones,
/// which are removed.
pub(super) fn list(files: &dyn Files) -> io::Result<Vec<VolumeId>> {
    let mut volumes = Vec::new();
    for name in files.list("")? {
        if name.starts_with(NEW_PREFIX) {
            files.remove(&name)?;
        } else {
            volumes.extend(VolumeId::of_file(&name));
        }
    }
    volumes.sort_unstable();
    Ok(volumes)
}

#[cfg(test)]
mod tests {
    use runtime::{Files, MemoryFiles, Survives};
    use storage_node_api::{ClusterId, NodeId};

    use super::{HeaderFault, Identity, VolumeHeader, VolumeId, list};

    fn header() -> VolumeHeader {
        VolumeHeader {
            volume: VolumeId(2),
            identity: Identity {
                cluster: ClusterId(*b"0123456789abcdef"),
                node: NodeId(9),
            },
            salt: 0xfeed,
        }
    }

    /// These bytes are on people's disks: a change needs a new format number.
    #[test]
    fn a_first_block_is_written_as_it_always_was() {
        let bytes = header().encode();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let expected = "4446766f6c756d65 01000000 1832ae7f 0200000000000000 0900000000000000 \
             30313233343536373839616263646566 edfe000000000000 0000000000000000";
        assert_eq!(hex, expected.split_whitespace().collect::<String>());
        assert_eq!(VolumeHeader::decode(&bytes), Ok(header()));
    }

    #[test]
    fn a_damaged_or_newer_first_block_is_told_apart() {
        let mut bytes = header().encode();
        bytes[8] = 2;
        assert_eq!(VolumeHeader::decode(&bytes), Err(HeaderFault::Newer(2)));
        bytes[20] ^= 1;
        assert_eq!(VolumeHeader::decode(&bytes), Err(HeaderFault::Corrupt));
        let short = VolumeHeader::decode(&bytes[..63]);
        assert_eq!(short, Err(HeaderFault::Corrupt));
    }

    #[test]
    fn a_volume_exists_whole_or_not_at_all() {
        for n in 0..10 {
            let files = MemoryFiles::new();
            files.faults().fail_after(n);
            let created = header().create(&files).is_ok();
            for survives in [Survives::Nothing, Survives::Everything, Survives::Random(n)] {
                // A copy of the tree as it is at the crash.
                let files = files.crash(survives);
                let found = list(&files).unwrap();
                assert!(found.len() == 1 || !created, "call {n}");
                for volume in found {
                    let mut block = [0; 64];
                    let file = files.open(&volume.file_name()).unwrap();
                    assert_eq!(file.read_at(&mut block, 0).unwrap(), 64);
                    assert_eq!(VolumeHeader::decode(&block), Ok(header()));
                }
            }
        }
    }
}
