use std::sync::atomic::{AtomicBool, Ordering};

use git_id::ObjectId;

use super::{Job, RepackError};
use crate::Kind;
use crate::defect::Defect;
use crate::derived::canonical;
use crate::entry::{Representation, parse_header};
use crate::objects::{Objects, Pack, ReadError};

/// Stands for no item.
pub(super) const NONE: u32 = u32::MAX;

/// An object that goes into the new pack.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) source: Source,
    pub(super) kind: Kind,
    pub(super) name_hash: u32,
    pub(super) rank: u32,
    /// The item that its stored delta builds on and may go on doing so.
    pub(super) base: u32,
    /// How many deltas it is above an object that is stored whole.
    pub(super) depth: u32,
    /// How many deltas are above it, at most.
    pub(super) height: u32,
    /// Whether it is stored whole.
    pub(super) is_whole: bool,
}

/// Where an object is stored.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// At a position of the index of a pack, at these bytes.
    Packed {
        pack: u32,
        position: u32,
        start: u64,
        end: u64,
    },
    /// By its place in the list of loose objects.
    Loose(u32),
}

impl Item {
    /// The number of the object.
    pub(super) fn number(&self, job: &Job<'_>) -> u32 {
        match self.source {
            Source::Packed { pack, position, .. } => job.objects.number(pack as usize, position),
            Source::Loose(at) => job.objects.packed_objects() + at,
        }
    }

    pub(super) fn id(&self, job: &Job<'_>) -> ObjectId {
        match self.source {
            Source::Packed { pack, position, .. } => {
                job.objects.pack_list()[pack as usize].id(position)
            }
            Source::Loose(at) => job.loose[at as usize],
        }
    }
}

/// Lists what is to be packed, and which stored deltas may stay.
pub(super) fn gather(job: &Job<'_>, cancel: &AtomicBool) -> Result<Vec<Item>, RepackError> {
    let objects = job.objects;
    let mut items = Vec::new();
    let mut item_of = vec![NONE; objects.packed_objects() as usize];
    for (at, pack) in objects.pack_list().iter().enumerate() {
        if !job.taken[at] {
            continue;
        }
        let kinds = pack.kinds()?;
        for (rank, position) in pack.by_offset().iter().enumerate() {
            let number = objects.number(at, *position);
            let elsewhere = canonical(objects, at, *position) != number;
            if elsewhere || job.only.is_some_and(|only| !only.contains(number)) {
                continue;
            }
            item_of[number as usize] = items.len() as u32;
            items.push(Item {
                source: Source::Packed {
                    pack: at as u32,
                    position: *position,
                    start: pack.offset(*position),
                    end: pack.end_of_rank(rank),
                },
                kind: kinds.at(*position),
                name_hash: job.names.hash(number),
                rank: job.names.rank(number),
                base: NONE,
                depth: 0,
                height: 0,
                is_whole: true,
            });
        }
    }
    find_bases(job, &mut items, &item_of, cancel)?;
    prefer_deltas(job, &mut items, &item_of, cancel)?;
    limit_depth(&mut items, job.options.depth);
    for (at, id) in job.loose.iter().enumerate() {
        let number = objects.packed_objects() + at as u32;
        if job.only.is_some_and(|only| !only.contains(number)) {
            continue;
        }
        let header = objects.header(id)?;
        let missing = ReadError::Missing {
            id: *id,
            referrer: None,
        };
        items.push(Item {
            source: Source::Loose(at as u32),
            kind: header.ok_or(missing)?.kind,
            name_hash: job.names.hash(number),
            rank: job.names.rank(number),
            base: NONE,
            depth: 0,
            height: 0,
            is_whole: false,
        });
    }
    Ok(items)
}

/// Finds, for each stored delta, whether its base is packed too.
fn find_bases(
    job: &Job<'_>,
    items: &mut [Item],
    item_of: &[u32],
    cancel: &AtomicBool,
) -> Result<(), ReadError> {
    for at in 0..items.len() {
        if at % 1024 == 0 && cancel.load(Ordering::Relaxed) {
            return Err(ReadError::Cancelled);
        }
        let Source::Packed { pack, start, .. } = items[at].source else {
            continue;
        };
        let held = &job.objects.pack_list()[pack as usize];
        let base = match stored_base(job.objects, held, start)? {
            StoredBase::None => continue,
            StoredBase::At(position) => Some(position),
            StoredBase::Elsewhere => None,
        };
        items[at].is_whole = false;
        // A pack with duplicates does not say on which of them a delta builds.
        let Some(position) = base.filter(|_| !held.has_duplicates()) else {
            continue;
        };
        let base = item_of[canonical(job.objects, pack as usize, position) as usize];
        if base != NONE && is_allowed(job, items, base, at as u32) {
            items[at].base = base;
        }
    }
    Ok(())
}

/// Takes objects that are stored whole from another pack where they are deltas, as the copies that complete
/// thin packs are in the pack that they came with.
fn prefer_deltas(
    job: &Job<'_>,
    items: &mut [Item],
    item_of: &[u32],
    cancel: &AtomicBool,
) -> Result<(), ReadError> {
    let objects = job.objects;
    let packs = objects.pack_list().iter().enumerate().skip(1);
    for (at, pack) in packs.filter(|(at, pack)| job.taken[*at] && !pack.has_duplicates()) {
        if cancel.load(Ordering::Relaxed) {
            return Err(ReadError::Cancelled);
        }
        for (rank, position) in pack.by_offset().iter().enumerate() {
            let found = canonical(objects, at, *position);
            let item = item_of[found as usize];
            let is_other = found != objects.number(at, *position) && item != NONE;
            if !is_other || !items[item as usize].is_whole {
                continue;
            }
            let start = pack.offset(*position);
            let StoredBase::At(base) = stored_base(objects, pack, start)? else {
                continue;
            };
            let base = item_of[canonical(objects, at, base) as usize];
            if base == NONE || !is_allowed(job, items, base, item) {
                continue;
            }
            let item = &mut items[item as usize];
            item.source = Source::Packed {
                pack: at as u32,
                position: *position,
                start,
                end: pack.end_of_rank(rank),
            };
            item.base = base;
            item.is_whole = false;
        }
    }
    Ok(())
}

fn is_allowed(job: &Job<'_>, items: &[Item], base: u32, item: u32) -> bool {
    let id = |item: u32| items[item as usize].id(job);
    job.islands.is_empty() || job.islands.allow(&id(base), &id(item))
}

enum StoredBase {
    /// It is stored whole.
    None,
    At(u32),
    /// In no place of the same pack.
    Elsewhere,
}

fn stored_base(objects: &Objects, pack: &Pack, offset: u64) -> Result<StoredBase, ReadError> {
    let corrupt = |defect| ReadError::Corrupt {
        pack: pack.path().to_owned(),
        offset,
        defect,
    };
    let bytes = pack
        .entry_bytes(offset)
        .ok_or_else(|| corrupt(Defect::BadBase))?;
    let header = parse_header(bytes, objects.hash()).map_err(corrupt)?;
    Ok(match header.representation {
        Representation::Whole(_) => StoredBase::None,
        Representation::Offset(distance) => {
            let base = offset
                .checked_sub(distance)
                .and_then(|base| pack.position_at(base));
            StoredBase::At(base.ok_or_else(|| corrupt(Defect::BadBase))?)
        }
        Representation::Reference(base) => pack
            .lookup(base.as_bytes())
            .map_or(StoredBase::Elsewhere, StoredBase::At),
    })
}

/// Cuts chains that are too long, and finds how deep and how high each item is in what is left. Copies
/// from several packs may build on each other in a circle, which is cut too.
pub(super) fn limit_depth(items: &mut [Item], limit: u32) {
    const UNKNOWN: u32 = u32::MAX;
    const ON_THE_WAY: u32 = u32::MAX - 1;
    let mut depths = vec![UNKNOWN; items.len()];
    let mut chain = Vec::new();
    for at in 0..items.len() {
        let mut next = at as u32;
        while next != NONE && depths[next as usize] == UNKNOWN {
            depths[next as usize] = ON_THE_WAY;
            chain.push(next);
            next = items[next as usize].base;
        }
        while let Some(item) = chain.pop() {
            let base = items[item as usize].base;
            let above = (base != NONE).then(|| depths[base as usize]);
            let above = above.filter(|depth| *depth < limit.min(ON_THE_WAY));
            depths[item as usize] = above.map_or(0, |depth| depth + 1);
            if above.is_none() {
                items[item as usize].base = NONE;
            }
        }
    }
    let mut order: Vec<u32> = (0..items.len() as u32).collect();
    order.sort_unstable_by_key(|item| std::cmp::Reverse(depths[*item as usize]));
    for item in order {
        let (base, height) = (items[item as usize].base, items[item as usize].height + 1);
        items[item as usize].depth = depths[item as usize];
        if base != NONE {
            let base = &mut items[base as usize];
            base.height = base.height.max(height);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::proptest;

    use super::{Item, NONE, Source, limit_depth};
    use crate::Kind;

    proptest! {
        #[test]
        fn chains_are_grounded_and_short(bases in proptest::collection::vec(0u32..40, 1..40), limit in 1u32..6) {
            let base = |base: u32| if (base as usize) < bases.len() { base } else { NONE };
            let item = |at: &u32| Item {
                source: Source::Loose(0),
                kind: Kind::Blob,
                name_hash: 0,
                rank: 0,
                base: base(*at),
                depth: 0,
                height: 0,
                is_whole: false,
            };
            let mut items: Vec<Item> = bases.iter().map(item).collect();
            limit_depth(&mut items, limit);
            for item in &items {
                match item.base {
                    NONE => assert_eq!(item.depth, 0),
                    base => {
                        let base = &items[base as usize];
                        assert!(item.depth == base.depth + 1 && item.depth <= limit);
                        assert!(base.height > item.height);
                    }
                }
            }
        }
    }
}
