//! What a node lists and drops.

use crate::model::Collection;
use crate::rule::Rule;
use crate::state::{Chunks, Group, Node, Order, State};

impl Collection {
    /// A new map or generation makes what was listed void.
    pub(crate) fn learn(&self, state: &mut State, node: usize) -> Option<()> {
        let now = (state.generation, state.epoch);
        let node = &mut state.nodes[node];
        if node.gone || (node.generation, node.epoch) == now {
            return None;
        }
        (node.generation, node.epoch) = now;
        node.list_again();
        Some(())
    }

    pub(crate) fn list(&self, state: &mut State, number: usize) -> Option<()> {
        let page = self.page(state, number)?;
        let slot = state.slots[self.bounds.slot_of[page]];
        self.may_list(&state.nodes[number], state.groups[slot.owner])?;
        let repository = &state.repositories[page];
        let live = repository.chunks.and(repository.removed);
        add_page(&mut state.nodes[number], live);
        Some(())
    }

    pub(crate) fn list_left(&self, state: &mut State, number: usize) -> Option<()> {
        let page = self.page(state, number)?;
        let slot = state.slots[self.bounds.slot_of[page]];
        let left = slot.left?;
        self.may_list(&state.nodes[number], state.groups[1 - slot.owner])?;
        add_page(&mut state.nodes[number], left[page]);
        Some(())
    }

    /// The next repository that a node has to list.
    fn page(&self, state: &State, node: usize) -> Option<usize> {
        let node = &state.nodes[node];
        let page = node.listing.pages;
        (!node.gone && page < self.bounds.slot_of.len()).then_some(page)
    }

    fn may_list(&self, node: &Node, group: Group) -> Option<()> {
        let early = group.generation < node.generation && self.keeps(Rule::ListingFollowsBarrier);
        let late =
            group.generation > node.generation && self.keeps(Rule::ListingPrecedesNextBarrier);
        let stale = group.epoch < node.epoch && self.keeps(Rule::LeavingWaitsForGroups);
        (!early && !late && !stale).then_some(())
    }

    pub(crate) fn drop_chunk(&self, state: &mut State, node: usize, chunk: usize) -> Option<()> {
        if !state.nodes[node].condemned.has(chunk) {
            self.keeps(Rule::DropLooksAgain).then_some(())?;
            self.may_drop(&state.nodes[node], node, chunk)?;
        }
        self.drop_now(state, node, chunk);
        Some(())
    }

    /// The look apart from the drop, where they are not one critical section.
    pub(crate) fn condemn(&self, state: &mut State, node: usize, chunk: usize) -> Option<()> {
        if self.keeps(Rule::DropLooksAgain) || state.nodes[node].condemned.has(chunk) {
            return None;
        }
        self.may_drop(&state.nodes[node], node, chunk)?;
        let condemned = &mut state.nodes[node].condemned;
        *condemned = condemned.with(chunk);
        Some(())
    }

    fn may_drop(&self, node: &Node, number: usize, chunk: usize) -> Option<()> {
        if !node.held.has(chunk) || node.touched[chunk] >= node.generation {
            return None;
        }
        let least = match self.keeps(Rule::SweepWaitsForAllSlots) {
            true => self.bounds.slot_of.len(),
            false => 1,
        };
        let extra = self.bounds.place(chunk, node.epoch) != number;
        let confirmed = node.confirmed.has(chunk) || !self.keeps(Rule::ExtraWaitsForConfirmation);
        let unlisted = !node.listing.live.has(chunk);
        (node.listing.pages >= least && (unlisted || (extra && confirmed))).then_some(())
    }

    fn drop_now(&self, state: &mut State, number: usize, chunk: usize) {
        let node = &state.nodes[number];
        let placed = node.epoch == state.epoch && self.bounds.place(chunk, node.epoch) == number;
        state.history.counted_copy_dropped |= node.counted.has(chunk) && placed;
        state.history.dropped_unlisted |= node.listing.pages < self.bounds.slot_of.len();
        state.history.collected |= !state.listed().has(chunk);
        state.nodes[number].forget(chunk);
    }

    /// A node without a place in its map is switched off once what is listed is
    /// confirmed elsewhere. Receipts that it gave are refused by then.
    pub(crate) fn leave(&self, state: &mut State, number: usize) -> Option<()> {
        let node = &state.nodes[number];
        let left = !node.gone && !self.bounds.has(number, node.epoch);
        if !left || node.listing.pages < self.bounds.slot_of.len() {
            return None;
        }
        for chunk in node.held.iter() {
            if node.listing.live.has(chunk) && !node.confirmed.has(chunk) {
                return None;
            }
        }
        state.nodes[number] = Node {
            gone: true,
            ..Node::default()
        };
        Some(())
    }
}

fn add_page(node: &mut Node, live: Chunks) {
    node.listing.pages += 1;
    node.listing.live = node.listing.live.and(live);
}

impl Order {
    /// Whether a repository is there.
    pub(crate) fn is_there(self) -> bool {
        matches!(self, Self::Open | Self::Sealed)
    }
}
