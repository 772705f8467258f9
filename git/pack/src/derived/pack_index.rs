use git_id::{HashKind, ObjectId};

use super::file::seal;
use super::id_table::fanout;

/// One line of a pack index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct IndexEntry {
    pub(crate) id: ObjectId,
    pub(crate) offset: u64,
    pub(crate) crc: u32,
}

/// Offsets from here on are stored in the table of large ones.
const FIRST_LARGE_OFFSET: u64 = 1 << 31;

/// The index of version 2 (gitformat-pack(5)) of a pack with that checksum.
/// `entries` are sorted.
pub(crate) fn encode_index(hash: HashKind, entries: &[IndexEntry], pack: ObjectId) -> Vec<u8> {
    let mut out =
        Vec::with_capacity(1032 + entries.len() * (hash.len_bytes() + 8) + 2 * hash.len_bytes());
    out.extend_from_slice(b"\xfftOc\0\0\0\x02");
    out.extend(fanout(entries.iter().map(|entry| &entry.id)));
    for entry in entries {
        out.extend_from_slice(entry.id.as_bytes());
    }
    for entry in entries {
        out.extend_from_slice(&entry.crc.to_be_bytes());
    }
    let mut large = Vec::new();
    for entry in entries {
        let offset = if entry.offset < FIRST_LARGE_OFFSET {
            entry.offset as u32
        } else {
            large.push(entry.offset);
            FIRST_LARGE_OFFSET as u32 | (large.len() - 1) as u32
        };
        out.extend_from_slice(&offset.to_be_bytes());
    }
    for offset in large {
        out.extend_from_slice(&offset.to_be_bytes());
    }
    out.extend_from_slice(pack.as_bytes());
    seal(&mut out, hash);
    out
}

#[cfg(test)]
mod tests {
    use git_id::{HashKind, ObjectId};

    use super::{IndexEntry, encode_index};

    #[test]
    fn offsets_beyond_two_gigabytes_are_read_back() {
        let id = |byte: u8| ObjectId::from_bytes(&[byte; 20]).unwrap();
        let entries: Vec<_> = [(0, 12), (7, (1 << 31) - 1), (7, 1 << 31), (255, 1 << 40)]
            .into_iter()
            .map(|(byte, offset)| IndexEntry {
                id: id(byte),
                offset,
                crc: 5,
            })
            .collect();
        let bytes = encode_index(HashKind::Sha1, &entries, id(9));
        let index =
            gix_pack::index::File::from_data(bytes, "x.idx".into(), gix_hash::Kind::Sha1).unwrap();
        let offsets: Vec<_> = (0..4)
            .map(|position| index.pack_offset_at_index(position))
            .collect();
        assert_eq!(offsets, [12, (1 << 31) - 1, 1 << 31, 1 << 40]);
        assert_eq!(
            index.lookup(gix_hash::oid::from_bytes_unchecked(&[255; 20])),
            Some(3)
        );
    }
}
