use std::collections::VecDeque;
use std::sync::Arc;

use super::DeltaOptions;
use crate::Kind;
use crate::entry::DeltaIndex;

/// Objects that are so much smaller than one to make are not tried as its base.
const MAX_GROWTH: usize = 32;

/// An object that others may build on.
pub(super) struct Candidate {
    pub(super) item: u32,
    pub(super) kind: Kind,
    pub(super) data: Arc<Vec<u8>>,
    /// How many deltas it is above an object that is stored whole.
    pub(super) depth: u32,
}

struct Slot {
    candidate: Candidate,
    index: Option<DeltaIndex>,
}

impl Slot {
    fn bytes(&self) -> usize {
        self.candidate.data.len() + self.index.as_ref().map_or(0, DeltaIndex::bytes)
    }
}

/// A delta that was found.
pub(super) struct Found {
    pub(super) base: u32,
    pub(super) delta: Vec<u8>,
    /// Of the object that it makes.
    pub(super) depth: u32,
}

/// The objects that came before in the order of search, latest first.
pub(super) struct Window {
    slots: VecDeque<Slot>,
    options: DeltaOptions,
}

impl Window {
    pub(super) fn new(options: DeltaOptions) -> Self {
        Self {
            slots: VecDeque::with_capacity(options.window + 1),
            options,
        }
    }

    /// The smallest delta that makes `target` out of an object here; `height` deltas build on it
    /// already. Only bases that `may_build_on` allows are tried.
    pub(super) fn best_delta(
        &mut self,
        target: &Candidate,
        height: u32,
        least_saving: usize,
        may_build_on: impl Fn(u32) -> bool,
    ) -> Option<Found> {
        let room = self
            .options
            .depth
            .checked_sub(height)
            .filter(|room| *room > 0)?;
        let mut best: Option<Found> = None;
        let mut best_slot = 0;
        for (at, slot) in self.slots.iter_mut().enumerate() {
            let (base, size) = (&slot.candidate, target.data.len());
            if base.kind != target.kind || base.depth >= room || !may_build_on(base.item) {
                continue;
            }
            // A deeper base must save more, so that chains stay short.
            let (limit, depth) = match &best {
                None => ((size / 2).saturating_sub(least_saving), 1),
                Some(best) => (best.delta.len() - 1, best.depth),
            };
            let limit =
                limit * (room - base.depth) as usize / (room + 1 - depth.min(room)) as usize;
            let growth = size.saturating_sub(base.data.len());
            if limit == 0 || growth >= limit || base.data.len() < size / MAX_GROWTH {
                continue;
            }
            if slot.index.is_none() {
                slot.index = DeltaIndex::new(&base.data);
            }
            let delta = slot
                .index
                .as_ref()
                .and_then(|index| index.delta(&base.data, &target.data, limit));
            if let Some(delta) = delta {
                best_slot = at;
                best = Some(Found {
                    base: base.item,
                    delta,
                    depth: base.depth + 1,
                });
            }
        }
        // What served well stays for longer.
        if best.is_some()
            && let Some(slot) = self.slots.remove(best_slot)
        {
            self.slots.push_front(slot);
        }
        best
    }

    /// The object becomes one that others may build on.
    pub(super) fn push(&mut self, candidate: Candidate) {
        if self
            .slots
            .front()
            .is_some_and(|slot| slot.candidate.kind != candidate.kind)
        {
            self.slots.clear();
        }
        if candidate.depth >= self.options.depth {
            return;
        }
        self.slots.push_front(Slot {
            candidate,
            index: None,
        });
        let mut bytes: usize = self.slots.iter().map(Slot::bytes).sum();
        while self.slots.len() > self.options.window
            || bytes > self.options.window_bytes && self.slots.len() > 1
        {
            bytes -= self.slots.pop_back().map_or(0, |slot| slot.bytes());
        }
    }
}
