//! Files that are gone and others that are new, taken for the same: git's detection of renames. First
//! those with the same content, then those of the same name in another directory that are much alike, then
//! the most alike.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicBool;

use git_id::ObjectId;
use git_pack::{Objects, ReadError};

use super::similar::{MAX_SCORE, Pieces, can_score};
use super::{DiffOptions, FileChange, Side, is_text};
use crate::cancel;
use crate::limits::SIMILARITY_BYTES;

/// Sources that are remembered of each file that is new, the best.
const CANDIDATES: usize = 4;

/// Joins what was renamed.
pub(super) fn detect_renames(
    objects: &Objects,
    changes: Vec<FileChange>,
    options: &DiffOptions,
    cancel: &AtomicBool,
) -> Result<Vec<FileChange>, ReadError> {
    let side = |index: usize, side: &Option<Side>| side.clone().map(|side| File { index, side });
    let sources = changes.iter().enumerate();
    let sources = sources.filter(|(_, change)| change.after.is_none());
    let targets = changes.iter().enumerate();
    let targets = targets.filter(|(_, change)| change.before.is_none());
    let mut detection = Detection {
        objects,
        cancel,
        minimum: MAX_SCORE * u64::from(options.similarity.min(100)) / 100,
        sources: sources
            .filter_map(|(index, change)| side(index, &change.before))
            .collect(),
        targets: targets
            .filter_map(|(index, change)| side(index, &change.after))
            .collect(),
        found: HashMap::new(),
        used: HashSet::new(),
        pieces: HashMap::new(),
        sizes: HashMap::new(),
    };
    detection.same_content();
    detection.same_name()?;
    detection.most_alike(options.rename_limit)?;
    Ok(join(changes, detection))
}

fn join(changes: Vec<FileChange>, detection: Detection<'_>) -> Vec<FileChange> {
    let mut renamed = HashMap::new();
    let mut gone = HashSet::new();
    for (target, (source, score)) in &detection.found {
        let source = &detection.sources[*source];
        gone.insert(source.index);
        renamed.insert(detection.targets[*target].index, (&source.side, *score));
    }
    let mut joined = Vec::with_capacity(changes.len());
    for (index, mut change) in changes.into_iter().enumerate() {
        if gone.contains(&index) {
            continue;
        }
        if let Some((source, score)) = renamed.get(&index) {
            change.before = Some((*source).clone());
            change.similarity = Some((score * 100 / MAX_SCORE) as u8);
        }
        joined.push(change);
    }
    joined
}

struct File {
    /// The place in the list of changes.
    index: usize,
    side: Side,
}

impl File {
    fn name(&self) -> &[u8] {
        let name = self.side.path.rsplit(|byte| *byte == b'/').next();
        name.unwrap_or_default()
    }
}

/// A source that a target may have been.
struct Candidate {
    /// The score, and whether the name is the same.
    rank: (u64, bool),
    source: usize,
    target: usize,
}

/// The best candidates of a target. Where they are equally good, which stay and in what order is as in git.
#[derive(Default)]
struct Best(Vec<Candidate>);

impl Best {
    fn add(&mut self, candidate: Candidate) {
        if self.0.len() < CANDIDATES {
            self.0.push(candidate);
            return;
        }
        let worst = self.0.iter_mut().min_by_key(|candidate| candidate.rank);
        if let Some(worst) = worst.filter(|worst| worst.rank < candidate.rank) {
            *worst = candidate;
        }
    }
}

struct Detection<'a> {
    objects: &'a Objects,
    cancel: &'a AtomicBool,
    minimum: u64,
    sources: Vec<File>,
    targets: Vec<File>,
    /// The source of each target, and their score.
    found: HashMap<usize, (usize, u64)>,
    used: HashSet<usize>,
    /// Nothing of a file that is too large, or is none.
    pieces: HashMap<ObjectId, Option<Pieces>>,
    sizes: HashMap<ObjectId, u64>,
}

impl Detection<'_> {
    fn record(&mut self, target: usize, source: usize, score: u64) {
        self.found.insert(target, (source, score));
        self.used.insert(source);
    }

    fn same_content(&mut self) {
        let mut by_id: HashMap<ObjectId, Vec<usize>> = HashMap::new();
        for (at, source) in self.sources.iter().enumerate() {
            by_id.entry(source.side.id).or_default().push(at);
        }
        for at in 0..self.targets.len() {
            let target = &self.targets[at];
            let Some(same) = by_id.get(&target.side.id) else {
                continue;
            };
            let free = |source: &&usize| {
                let source_side = &self.sources[**source].side;
                let (one, other) = (source_side.mode, target.side.mode);
                let are_files = one.is_file() && other.is_file();
                !self.used.contains(source) && (are_files || one == other)
            };
            let has_name = |source: &&usize| self.sources[**source].name() == target.name();
            let best = same.iter().filter(free).find(has_name);
            if let Some(source) = best.or_else(|| same.iter().find(free)).copied() {
                self.record(at, source, MAX_SCORE);
            }
        }
    }

    /// Pairs whose name is no other file's, if they are halfway between alike enough and the same.
    fn same_name(&mut self) -> Result<(), ReadError> {
        let minimum = self.minimum + (MAX_SCORE - self.minimum) / 2;
        let unused = (0..self.sources.len()).filter(|at| !self.used.contains(at));
        let sources = only_ones(unused.map(|at| (self.sources[at].name().to_vec(), at)));
        let unfound = (0..self.targets.len()).filter(|at| !self.found.contains_key(at));
        let targets = only_ones(unfound.map(|at| (self.targets[at].name().to_vec(), at)));
        let mut pairs: Vec<(usize, usize)> = sources
            .iter()
            .filter_map(|(name, source)| Some((*source, *targets.get(name)?)))
            .collect();
        pairs.sort_unstable();
        for (source, target) in pairs {
            let score = self.score(source, target, minimum)?;
            if score >= minimum {
                self.record(target, source, score);
            }
        }
        Ok(())
    }

    fn most_alike(&mut self, limit: usize) -> Result<(), ReadError> {
        let sources: Vec<usize> = (0..self.sources.len())
            .filter(|at| !self.used.contains(at))
            .collect();
        let targets: Vec<usize> = (0..self.targets.len())
            .filter(|at| !self.found.contains_key(at))
            .collect();
        if sources.len() * targets.len() > limit * limit {
            return Ok(());
        }
        let mut all = Vec::new();
        for target in targets {
            let mut best = Best::default();
            for source in &sources {
                let score = self.score(*source, target, self.minimum)?;
                let has_name = self.sources[*source].name() == self.targets[target].name();
                best.add(Candidate {
                    rank: (score, has_name),
                    source: *source,
                    target,
                });
            }
            all.extend(best.0);
        }
        all.sort_by_key(|candidate| Reverse(candidate.rank));
        for Candidate {
            rank: (score, _),
            source,
            target,
        } in all
        {
            if score < self.minimum {
                break;
            }
            if !self.found.contains_key(&target) && !self.used.contains(&source) {
                self.record(target, source, score);
            }
        }
        Ok(())
    }

    fn score(&mut self, source: usize, target: usize, minimum: u64) -> Result<u64, ReadError> {
        cancel::check(self.cancel)?;
        let (source, target) = (&self.sources[source].side, &self.targets[target].side);
        if !source.mode.is_file() || !target.mode.is_file() {
            return Ok(0);
        }
        let (source, target) = (source.clone(), target.clone());
        let (one, other) = (self.size(&source.id)?, self.size(&target.id)?);
        if !can_score(one, other, minimum) || one.max(other) > SIMILARITY_BYTES {
            return Ok(0);
        }
        self.read(&source)?;
        self.read(&target)?;
        let pieces = |side: &Side| self.pieces.get(&side.id).and_then(Option::as_ref);
        Ok(match (pieces(&source), pieces(&target)) {
            (Some(source), Some(target)) => source.score(target),
            _ => 0,
        })
    }

    fn size(&mut self, id: &ObjectId) -> Result<u64, ReadError> {
        if let Some(size) = self.sizes.get(id) {
            return Ok(*size);
        }
        let size = self.objects.header(id)?.map_or(0, |header| header.size);
        self.sizes.insert(*id, size);
        Ok(size)
    }

    fn read(&mut self, side: &Side) -> Result<(), ReadError> {
        if self.pieces.contains_key(&side.id) {
            return Ok(());
        }
        let object = self.objects.read(&side.id)?;
        let pieces = object.map(|object| Pieces::of(&object.data, is_text(&object.data)));
        self.pieces.insert(side.id, pieces);
        Ok(())
    }
}

/// Those whose name comes only once.
fn only_ones(files: impl Iterator<Item = (Vec<u8>, usize)>) -> HashMap<Vec<u8>, usize> {
    let mut ones: HashMap<Vec<u8>, Option<usize>> = HashMap::new();
    for (name, at) in files {
        ones.entry(name)
            .and_modify(|at| *at = None)
            .or_insert(Some(at));
    }
    let ones = ones.into_iter();
    ones.filter_map(|(name, at)| Some((name, at?))).collect()
}

#[cfg(test)]
mod tests {
    use super::only_ones;

    #[test]
    fn names_that_come_twice_tell_nothing() {
        let names = ["a", "b", "a"].map(|name| name.as_bytes().to_vec());
        let ones = only_ones(names.into_iter().zip(0..));
        assert_eq!(ones.into_iter().collect::<Vec<_>>(), [(b"b".to_vec(), 1)]);
    }
}
