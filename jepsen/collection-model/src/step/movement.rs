//! Copies that are made where the placement wants them, and confirmed.

use crate::model::Collection;
use crate::rule::Rule;
use crate::state::{NODES, State};

impl Collection {
    /// A node fetches what some group lists and its map places on it.
    pub(crate) fn repair(&self, state: &mut State, number: usize, chunk: usize) -> Option<()> {
        let node = &state.nodes[number];
        let placed = self.bounds.place(chunk, node.epoch) == number;
        let other = (0..NODES).any(|other| other != number && state.nodes[other].held.has(chunk));
        if node.gone || !placed || node.held.has(chunk) || !other || !state.listed().has(chunk) {
            return None;
        }
        let now = match self.keeps(Rule::RepairTouches) {
            true => node.generation,
            false => 0,
        };
        state.nodes[number].touch(chunk, now);
        count(state, number, chunk);
        Some(())
    }

    /// A node whose copy is one too many asks the placed node, which answers as
    /// it answers an upload: it looks, and touches at the later of the two
    /// generations.
    pub(crate) fn confirm(&self, state: &mut State, number: usize, chunk: usize) -> Option<()> {
        let node = state.nodes[number];
        let placed = self.bounds.place(chunk, node.epoch);
        let listed = node.listing.pages == self.bounds.slot_of.len();
        let asks = node.held.has(chunk) && node.listing.live.has(chunk) && listed;
        if placed == number || !asks || !state.nodes[placed].held.has(chunk) {
            return None;
        }
        let now = node.generation.max(state.nodes[placed].generation);
        if self.keeps(Rule::ConfirmationTouches) {
            state.nodes[placed].touch(chunk, now);
        }
        count(state, placed, chunk);
        let confirmed = &mut state.nodes[number].confirmed;
        *confirmed = confirmed.with(chunk);
        Some(())
    }
}

fn count(state: &mut State, node: usize, chunk: usize) {
    let counted = &mut state.nodes[node].counted;
    *counted = counted.with(chunk);
    state.forget_uncounted();
}
