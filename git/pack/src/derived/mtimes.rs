//! When the objects of a cruft pack were last of use (gitformat-pack(5), `.mtimes`): seconds since the
//! epoch, in the order of the index.

use std::path::Path;

use git_id::{HashKind, ObjectId};

use super::file::{Damage, load, seal, u32_at};
use super::id_table::hash_byte;
use crate::objects::Pack;

const SIGNATURE: &[u8; 8] = b"MTME\0\0\0\x01";

/// The file of a pack with that checksum.
pub(crate) fn encode_mtimes(
    hash: HashKind,
    times: impl Iterator<Item = u32>,
    pack: ObjectId,
) -> Vec<u8> {
    let mut out = SIGNATURE.to_vec();
    out.extend_from_slice(&u32::from(hash_byte(hash)).to_be_bytes());
    out.extend(times.flat_map(u32::to_be_bytes));
    out.extend_from_slice(pack.as_bytes());
    seal(&mut out, hash);
    out
}

/// Reads the file beside a pack, by position in the index; `None` if there is none that fits it.
pub(crate) fn load_mtimes(path: &Path, pack: &Pack) -> Option<Vec<u32>> {
    load(path, pack.hash(), |file| {
        let start = SIGNATURE.len() + 4;
        let end = start + pack.count() as usize * 4;
        let content = file.content;
        let hash = u32_at(&content, SIGNATURE.len());
        if !content.starts_with(SIGNATURE) || hash != Some(u32::from(hash_byte(pack.hash()))) {
            return Err(Damage::Signature);
        }
        if content.get(end..) != Some(pack.checksum().as_bytes()) {
            return Err(Damage::Foreign);
        }
        let (times, _) = content[start..end].as_chunks::<4>();
        Ok(times
            .iter()
            .map(|bytes| u32::from_be_bytes(*bytes))
            .collect())
    })
}
