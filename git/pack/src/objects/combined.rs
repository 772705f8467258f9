use std::sync::Arc;

use super::Pack;

/// Packs that are searched one by one, at least.
const SINGLE_PACKS: usize = 4;

/// The most objects in the table; packs beyond that are searched one by one too.
const MAX_ENTRIES: usize = 4 << 20;

/// One sorted table over the many small packs that pushes leave behind, so that finding
/// an object does not mean asking each of them.
pub(super) struct Combined {
    /// How many packs, from the largest on, are not in the table.
    single: usize,
    /// The first eight bytes of a name, pack, position.
    entries: Vec<(u64, u32, u32)>,
}

impl Combined {
    /// `packs` are sorted by size, largest first.
    pub(super) fn new(packs: &[Arc<Pack>]) -> Self {
        let mut single = packs.len();
        let mut entries = 0;
        while single > SINGLE_PACKS && entries + packs[single - 1].count() as usize <= MAX_ENTRIES {
            single -= 1;
            entries += packs[single].count() as usize;
        }
        let mut table = Vec::with_capacity(entries);
        for (at, pack) in packs.iter().enumerate().skip(single) {
            let entry = |position| (prefix(pack.id_bytes(position)), at as u32, position);
            table.extend((0..pack.count()).map(entry));
        }
        table.sort_unstable();
        Self {
            single,
            entries: table,
        }
    }

    /// The first pack that holds the object, and its position in that pack's index.
    pub(super) fn find(&self, packs: &[Arc<Pack>], id: &[u8]) -> Option<(usize, u32)> {
        let single = packs[..self.single].iter().enumerate();
        if let Some(found) = single
            .into_iter()
            .find_map(|(at, pack)| Some((at, pack.lookup(id)?)))
        {
            return Some(found);
        }
        let wanted = prefix(id);
        let start = self
            .entries
            .partition_point(|(prefix, ..)| *prefix < wanted);
        let same = self.entries[start..]
            .iter()
            .take_while(|(prefix, ..)| *prefix == wanted);
        let found = same.map(|(_, pack, position)| (*pack as usize, *position));
        found
            .into_iter()
            .find(|(pack, position)| packs[*pack].id_bytes(*position) == id)
    }
}

fn prefix(id: &[u8]) -> u64 {
    id.first_chunk()
        .map_or(0, |start| u64::from_be_bytes(*start))
}
