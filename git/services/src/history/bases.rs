use std::sync::atomic::AtomicBool;

use git_id::ObjectId;
use git_pack::{History, Objects, ReadError};

use super::painted::Painted;
use crate::cancel;

const ONE: u8 = 1;
const OTHER: u8 = 2;
/// Reached from a commit that both sides reach.
const STALE: u8 = 4;
const BOTH: u8 = ONE | OTHER;

/// The best common ancestors of two commits, newest first: those that both reach, and that no other such
/// commit reaches.
///
/// # Errors
///
/// An object is missing or damaged, or nobody waits any more.
pub fn merge_bases(
    objects: &Objects,
    one: &ObjectId,
    other: &ObjectId,
    cancel: &AtomicBool,
) -> Result<Vec<ObjectId>, ReadError> {
    let mut history = History::new(objects);
    let bases = paint(&mut history, one, other, cancel)?;
    if bases.len() < 2 {
        return Ok(bases);
    }
    // Clocks that go wrong can leave one that another reaches.
    let mut best = Vec::new();
    for base in &bases {
        let mut is_reached = false;
        for reaching in bases.iter().filter(|reaching| *reaching != base) {
            is_reached |= paint(&mut history, base, reaching, cancel)? == [*base];
        }
        if !is_reached {
            best.push(*base);
        }
    }
    Ok(best)
}

fn paint(
    history: &mut History<'_>,
    one: &ObjectId,
    other: &ObjectId,
    cancel: &AtomicBool,
) -> Result<Vec<ObjectId>, ReadError> {
    if one == other {
        return Ok(vec![*one]);
    }
    let mut walk = Painted::new(STALE);
    walk.paint(history, *one, ONE)?;
    walk.paint(history, *other, OTHER)?;
    let mut common = Vec::new();
    while !walk.is_settled() {
        cancel::check(cancel)?;
        let Some((commit, mut colour)) = walk.next() else {
            break;
        };
        if colour & BOTH == BOTH {
            if colour & STALE == 0 && !common.contains(&commit) {
                common.push(commit);
            }
            colour |= STALE;
        }
        for parent in history.links(&commit)?.parents {
            walk.paint(history, parent, colour)?;
        }
    }
    common.retain(|commit| walk.colour(commit) & STALE == 0);
    Ok(common)
}
