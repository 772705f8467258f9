use std::sync::atomic::{AtomicBool, Ordering};

use git_id::ObjectId;

use crate::defect::Defect;
use crate::entry::Representation;
use crate::id_map::IdMap;

const NONE: u32 = u32::MAX;

/// Collects entries in the order of the pack.
#[derive(Default)]
pub(crate) struct ForestBuilder {
    offsets: Vec<u64>,
    /// The number of the base, where a delta gives its distance.
    bases: Vec<u32>,
    waiting: IdMap<Waiting>,
    deltas: u32,
}

/// Deltas that name their base.
#[derive(Default)]
struct Waiting {
    children: Vec<u32>,
    taken: AtomicBool,
}

impl ForestBuilder {
    /// Makes room, for no more than is reasonable before any entry was seen.
    pub(crate) fn with_capacity(entries: u32) -> Self {
        let entries = entries.min(1 << 20) as usize;
        Self {
            offsets: Vec::with_capacity(entries),
            bases: Vec::with_capacity(entries),
            ..Self::default()
        }
    }

    /// Adds the entry at `offset`, which is beyond all before.
    pub(crate) fn push(
        &mut self,
        offset: u64,
        representation: &Representation,
    ) -> Result<u32, Defect> {
        let number = self.offsets.len() as u32;
        let base = match representation {
            Representation::Whole(_) => NONE,
            Representation::Offset(distance) => {
                let base = offset.checked_sub(*distance).ok_or(Defect::BadBase)?;
                self.offsets
                    .binary_search(&base)
                    .map_err(|_| Defect::BadBase)? as u32
            }
            Representation::Reference(base) => {
                self.waiting.entry(*base).or_default().children.push(number);
                NONE
            }
        };
        self.deltas += u32::from(!matches!(representation, Representation::Whole(_)));
        self.offsets.push(offset);
        self.bases.push(base);
        Ok(number)
    }

    pub(crate) fn finish(self) -> DeltaForest {
        let mut first_child = vec![NONE; self.offsets.len()];
        let mut next_sibling = vec![NONE; self.offsets.len()];
        for (number, base) in self.bases.iter().enumerate().rev() {
            if *base != NONE {
                next_sibling[number] =
                    std::mem::replace(&mut first_child[*base as usize], number as u32);
            }
        }
        DeltaForest {
            offsets: self.offsets,
            first_child,
            next_sibling,
            waiting: self.waiting,
            deltas: self.deltas,
        }
    }
}

/// Which entries of a pack are deltas against which.
pub(crate) struct DeltaForest {
    offsets: Vec<u64>,
    first_child: Vec<u32>,
    next_sibling: Vec<u32>,
    waiting: IdMap<Waiting>,
    deltas: u32,
}

impl DeltaForest {
    pub(crate) fn offset(&self, entry: u32) -> u64 {
        self.offsets[entry as usize]
    }

    pub(crate) fn offsets(&self) -> &[u64] {
        &self.offsets
    }

    pub(crate) fn deltas(&self) -> u32 {
        self.deltas
    }

    pub(super) fn first_child(&self, entry: u32) -> Option<u32> {
        self.first_child
            .get(entry as usize)
            .copied()
            .filter(|child| *child != NONE)
    }

    pub(super) fn next_sibling(&self, entry: u32) -> Option<u32> {
        Some(self.next_sibling[entry as usize]).filter(|sibling| *sibling != NONE)
    }

    /// Whether anything is a delta against this entry.
    pub(crate) fn has_children(&self, entry: u32, id: &ObjectId) -> bool {
        self.first_child(entry).is_some() || self.waiting.contains_key(id)
    }

    /// The deltas that name `base`; given to the first who asks.
    pub(super) fn take_waiting(&self, base: &ObjectId) -> &[u32] {
        match self.waiting.get(base) {
            Some(waiting) if !waiting.taken.swap(true, Ordering::Relaxed) => &waiting.children,
            _ => &[],
        }
    }

    /// The bases that deltas name and nobody had yet, with the first entry that does, in the
    /// order of the pack.
    pub(crate) fn still_waiting(&self) -> Vec<(u32, ObjectId)> {
        let open = self
            .waiting
            .iter()
            .filter(|(_, waiting)| !waiting.taken.load(Ordering::Relaxed));
        let mut bases: Vec<_> = open
            .map(|(base, waiting)| (waiting.children[0], *base))
            .collect();
        bases.sort_unstable();
        bases
    }
}
