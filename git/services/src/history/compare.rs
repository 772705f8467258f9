use std::sync::atomic::AtomicBool;

use git_id::ObjectId;
use git_pack::{History, Objects, ReadError};

use super::log::Seen;
use super::merge_bases;
use super::painted::Painted;
use crate::cancel;

/// How two commits stand to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Their best common ancestor; of several, the newest.
    pub base: Option<ObjectId>,
    /// Commits that only the second reaches, newest first.
    pub ahead: Vec<ObjectId>,
    /// How many commits only the first reaches.
    pub behind: usize,
}

/// Compares a commit with another one, which may be ahead of it and behind it.
///
/// # Errors
///
/// An object is missing or damaged, or nobody waits any more.
pub fn compare(
    objects: &Objects,
    from: &ObjectId,
    to: &ObjectId,
    cancel: &AtomicBool,
) -> Result<Comparison, ReadError> {
    let mut history = History::new(objects);
    let base = merge_bases(objects, from, to, cancel)?.first().copied();
    let mut walk = Painted::new(BOTH);
    walk.paint(&mut history, *from, FROM)?;
    walk.paint(&mut history, *to, TO)?;
    let (mut order, mut slop) = (Vec::new(), SLOP);
    while let Some((commit, colour)) = walk.next() {
        cancel::check(cancel)?;
        if colour != BOTH {
            order.push(commit);
            slop = SLOP;
        } else if walk.is_settled() {
            slop -= 1;
            if slop == 0 {
                break;
            }
        }
        for parent in history.links(&commit)?.parents {
            walk.paint(&mut history, parent, colour)?;
        }
    }
    Ok(Comparison {
        base,
        behind: order
            .iter()
            .filter(|commit| walk.colour(commit) == FROM)
            .count(),
        ahead: order
            .into_iter()
            .filter(|commit| walk.colour(commit) == TO)
            .collect(),
    })
}

const FROM: u8 = 1;
const TO: u8 = 2;
const BOTH: u8 = FROM | TO;

/// Commits beyond the last of one side only that are walked in search of others, since clocks go wrong;
/// as many as in git.
const SLOP: usize = 5;

/// All that some commits reach.
pub(super) fn reached(
    history: &mut History<'_>,
    tips: &[ObjectId],
    cancel: &AtomicBool,
) -> Result<Seen, ReadError> {
    let mut seen = Seen::new();
    let mut path: Vec<ObjectId> = tips.to_vec();
    while let Some(commit) = path.pop() {
        cancel::check(cancel)?;
        if seen.insert(commit) {
            path.extend(history.links(&commit)?.parents);
        }
    }
    Ok(seen)
}
