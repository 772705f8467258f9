//! The cluster's clock and map, and the data groups that follow them.

use crate::model::Collection;
use crate::rule::Rule;
use crate::state::{Chunks, State};

impl Collection {
    pub(crate) fn advance(&self, state: &mut State) -> Option<()> {
        (state.generation < self.bounds.generations).then_some(())?;
        state.generation += 1;
        Some(())
    }

    pub(crate) fn barrier(&self, state: &mut State, group: usize) -> Option<()> {
        if state.groups[group].generation >= state.generation {
            return None;
        }
        state.groups[group].generation = state.generation;
        if self.keeps(Rule::RemovedIsForgotten) {
            for (repository, slot) in self.bounds.slot_of.iter().enumerate() {
                if state.slots[*slot].owner == group {
                    state.repositories[repository].removed = Chunks::NONE;
                }
            }
        }
        Some(())
    }

    pub(crate) fn change_map(&self, state: &mut State) -> Option<()> {
        (usize::from(state.epoch) + 1 < self.bounds.placed.len()).then_some(())?;
        state.epoch += 1;
        Some(())
    }

    pub(crate) fn adopt(&self, state: &mut State, group: usize) -> Option<()> {
        (state.groups[group].epoch < state.epoch).then_some(())?;
        state.groups[group].epoch = state.epoch;
        Some(())
    }

    pub(crate) fn move_slot(&self, state: &mut State, number: usize) -> Option<()> {
        let slot = &mut state.slots[number];
        if self.bounds.groups < 2 || slot.moves >= self.bounds.moves {
            return None;
        }
        let (from, to) = (slot.owner, 1 - slot.owner);
        slot.owner = to;
        slot.moves += 1;
        let mut left = [Chunks::NONE; 3];
        for (repository, of) in self.bounds.slot_of.iter().enumerate() {
            let repository_state = &mut state.repositories[repository];
            if *of == number {
                left[repository] = repository_state.chunks.and(repository_state.removed);
                if !self.keeps(Rule::MoveCarriesRemoved) {
                    repository_state.removed = Chunks::NONE;
                }
            }
        }
        if !self.keeps(Rule::OnlyOwnersList) {
            state.slots[number].left = Some(left);
        }
        let giving = state.groups[from];
        let taking = &mut state.groups[to];
        if self.keeps(Rule::MoveCarriesGeneration) {
            taking.generation = taking.generation.max(giving.generation);
        }
        if self.keeps(Rule::MoveCarriesEpoch) {
            taking.epoch = taking.epoch.max(giving.epoch);
        }
        Some(())
    }
}
