use super::collect::Found;
use super::versions::Versions;
use super::{Content, PackOptions, Part, Plan, PlanError, Source, Span};
use crate::bitmap::Bitmap;
use crate::objects::{Objects, Pack};
use crate::reachability::Reachable;

/// Arranges the objects by pack, in the order in which they are stored.
///
/// Packs are in the order of [`Objects::packs`]: an object that is in several is taken from
/// the first. So a delta whose base is taken from another pack finds it in an earlier one,
/// and no delta can come to build on itself.
pub(super) fn compose(
    objects: &Objects,
    options: PackOptions,
    found: Found,
) -> Result<Plan, PlanError> {
    let Found {
        reachable,
        loose,
        known,
        versions,
    } = found;
    let numbers = match reachable {
        Reachable::Some(numbers) => numbers,
        Reachable::Everything => std::sync::Arc::new(first_copies(objects)),
    };
    let mut parts = Vec::new();
    let mut count = loose.len();
    for (at, pack) in objects.pack_list().iter().enumerate() {
        let first = objects.number(at, 0);
        let range = first..first + pack.count();
        let taken = numbers.count_range(range.clone());
        count += taken as usize;
        if taken == 0 {
            continue;
        }
        let content = if taken == pack.count() && options.ofs_delta {
            Content::Whole
        } else {
            let positions: Vec<u32> = numbers.range(range).map(|number| number - first).collect();
            Content::Entries(spans(pack, &positions, &numbers, first))
        };
        parts.push(Part { pack: at, content });
    }
    let count = u32::try_from(count).map_err(|_| PlanError::TooManyObjects)?;
    let packed = objects.packed_objects();
    let versions = if options.thin {
        Versions::new(objects, &numbers, &versions)
    } else {
        Versions::default()
    };
    let loose = numbers
        .range(packed..u32::MAX)
        .map(Source::Loose)
        .zip(loose)
        .collect();
    Ok(Plan {
        objects: objects.clone(),
        options,
        count,
        parts,
        loose,
        known,
        versions,
    })
}

/// All packed objects, each once.
pub(super) fn first_copies(objects: &Objects) -> Bitmap {
    let mut numbers = Bitmap::with_capacity(objects.packed_objects());
    for (at, pack) in objects.pack_list().iter().enumerate() {
        if at == 0 && !pack.has_duplicates() {
            numbers.insert_range(0..pack.count());
            continue;
        }
        for position in 0..pack.count() {
            if objects.find_packed(pack.id_bytes(position)) == Some((at, position)) {
                numbers.insert(objects.number(at, position));
            }
        }
    }
    numbers
}

/// From one entry in how many on it is cheaper to go through all entries of the pack.
const DENSE: usize = 16;

/// Where the entries are, in ascending order.
fn spans(pack: &Pack, positions: &[u32], numbers: &Bitmap, first: u32) -> Vec<Span> {
    let order = pack.by_offset();
    let ranks: Vec<usize> = if positions.len() >= order.len() / DENSE {
        (0..order.len())
            .filter(|rank| numbers.contains(first + order[*rank]))
            .collect()
    } else {
        let mut ranks: Vec<usize> = positions
            .iter()
            .filter_map(|position| pack.rank_of(pack.offset(*position)))
            .collect();
        ranks.sort_unstable();
        ranks
    };
    let span = |rank: usize| Span {
        start: pack.offset(order[rank]),
        end: pack.end_of_rank(rank),
    };
    ranks.into_iter().map(span).collect()
}
