//! The reverse index of a pack (gitformat-pack(5)): the objects in the order of their entries.

use std::path::Path;

use git_id::HashKind;

use super::file::{Damage, load, seal, u32_at};
use super::id_table::hash_byte;
use crate::objects::Pack;

const SIGNATURE: &[u8; 8] = b"RIDX\0\0\0\x01";

/// The reverse index of a pack.
pub(crate) fn encode_reverse(pack: &Pack) -> Vec<u8> {
    let mut out = SIGNATURE.to_vec();
    out.extend_from_slice(&u32::from(hash_byte(pack.hash())).to_be_bytes());
    out.extend(
        pack.by_offset()
            .iter()
            .flat_map(|position| position.to_be_bytes()),
    );
    out.extend_from_slice(pack.checksum().as_bytes());
    seal(&mut out, pack.hash());
    out
}

/// Reads the reverse index beside a pack; `None` if there is none that fits it.
pub(crate) fn load_reverse(path: &Path, hash: HashKind, pack: &Pack) -> Option<Vec<u32>> {
    load(path, hash, |file| {
        let start = SIGNATURE.len() + 4;
        let end = start + pack.count() as usize * 4;
        let content = file.content;
        if !content.starts_with(SIGNATURE)
            || u32_at(&content, SIGNATURE.len()) != Some(u32::from(hash_byte(hash)))
        {
            return Err(Damage::Signature);
        }
        if content.get(end..) != Some(pack.checksum().as_bytes()) {
            return Err(Damage::Foreign);
        }
        let (numbers, _) = content[start..end].as_chunks::<4>();
        let order: Vec<u32> = numbers
            .iter()
            .map(|bytes| u32::from_be_bytes(*bytes))
            .collect();
        let known = order.iter().all(|position| *position < pack.count());
        // Ascending offsets can only be those of all objects, each once.
        let ascending = || order.is_sorted_by(|a, b| pack.offset(*a) < pack.offset(*b));
        if known && ascending() {
            Ok(order)
        } else {
            Err(Damage::Inconsistent("positions"))
        }
    })
}
