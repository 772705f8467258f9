//! Packs made by hand, to be as wrong as needed.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use git_id::HashKind;
use sha1::Digest as _;

/// What goes into a handmade pack.
pub(crate) enum Entry<'a> {
    Whole(u8, &'a [u8]),
    /// Against the entry that many before.
    OffsetDelta(usize, &'a [u8]),
    ReferenceDelta(&'a [u8], &'a [u8]),
    /// Type, claimed size, content.
    Lying(u8, u64, &'a [u8]),
}

pub(crate) const COMMIT: u8 = 1;
pub(crate) const TREE: u8 = 2;
pub(crate) const BLOB: u8 = 3;
pub(crate) const TAG: u8 = 4;

pub(crate) fn kind_name(kind: u8) -> &'static str {
    ["commit", "tree", "blob", "tag"][usize::from(kind) - 1]
}

pub(crate) fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn head(kind: u8, size: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let mut byte = kind << 4 | (size & 15) as u8;
    let mut rest = size >> 4;
    while rest > 0 {
        out.push(byte | 0x80);
        byte = (rest & 0x7f) as u8;
        rest >>= 7;
    }
    out.push(byte);
    out
}

/// Appends the checksum.
pub(crate) fn seal(mut bytes: Vec<u8>, hash: HashKind) -> Vec<u8> {
    let sum = match hash {
        HashKind::Sha1 => sha1::Sha1::digest(&bytes).to_vec(),
        HashKind::Sha256 => sha2::Sha256::digest(&bytes).to_vec(),
    };
    bytes.extend_from_slice(&sum);
    bytes
}

/// A pack with these entries.
pub(crate) fn pack(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut bytes = b"PACK\0\0\0\x02".to_vec();
    bytes.extend_from_slice(&(entries.len() as u32).to_be_bytes());
    let mut offsets: Vec<usize> = Vec::new();
    for entry in entries {
        let offset = bytes.len();
        match entry {
            Entry::Whole(kind, data) => {
                bytes.extend_from_slice(&head(*kind, data.len() as u64));
                bytes.extend_from_slice(&zlib(data));
            }
            Entry::Lying(kind, size, data) => {
                bytes.extend_from_slice(&head(*kind, *size));
                bytes.extend_from_slice(&zlib(data));
            }
            Entry::OffsetDelta(back, delta) => {
                let distance = offset - offsets[offsets.len() - back];
                assert!(distance < 128 + 128 * 128);
                bytes.extend_from_slice(&head(6, delta.len() as u64));
                if distance >= 128 {
                    bytes.push(0x80 | ((distance >> 7) - 1) as u8);
                }
                bytes.push((distance & 0x7f) as u8);
                bytes.extend_from_slice(&zlib(delta));
            }
            Entry::ReferenceDelta(base, delta) => {
                bytes.extend_from_slice(&head(7, delta.len() as u64));
                bytes.extend_from_slice(base);
                bytes.extend_from_slice(&zlib(delta));
            }
        }
        offsets.push(offset);
    }
    seal(bytes, HashKind::Sha1)
}

/// A delta that replaces all of a small base by a small result.
pub(crate) fn delta(base: &[u8], result: &[u8]) -> Vec<u8> {
    assert!(base.len() < 128 && result.len() < 128);
    let mut out = vec![base.len() as u8, result.len() as u8];
    if !result.is_empty() {
        out.push(result.len() as u8);
        out.extend_from_slice(result);
    }
    out
}

/// The name of an object under SHA-1.
pub(crate) fn id(kind: u8, data: &[u8]) -> Vec<u8> {
    let mut hasher = sha1::Sha1::new();
    hasher.update(format!("{} {}\0", kind_name(kind), data.len()));
    hasher.update(data);
    hasher.finalize().to_vec()
}
