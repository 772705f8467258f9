//! From the begin of an upload to its commit.

use crate::model::Collection;
use crate::rule::Rule;
use crate::state::{Chunks, NODES, Order, Session, State};

impl Collection {
    pub(crate) fn begin(&self, state: &mut State, session: usize) -> Option<()> {
        if state.sessions[session].open {
            return None;
        }
        state.sessions[session] = Session {
            open: true,
            generation: state.generation,
            epoch: state.epoch,
            receipts: Default::default(),
        };
        Some(())
    }

    pub(crate) fn abort(&self, state: &mut State, session: usize) -> Option<()> {
        state.sessions[session].open.then_some(())?;
        state.sessions[session] = Session::default();
        Some(())
    }

    pub(crate) fn store(&self, state: &mut State, session: usize, chunk: usize) -> Option<()> {
        let (node, generation) = self.target(state, session, chunk)?;
        if state.nodes[node].held.has(chunk) {
            return None;
        }
        state.nodes[node].touch(chunk, generation);
        receipt(&mut state.sessions[session], node, chunk);
        Some(())
    }

    /// Look and touch are one critical section.
    pub(crate) fn present(&self, state: &mut State, session: usize, chunk: usize) -> Option<()> {
        let (node, generation) = self.target(state, session, chunk)?;
        state.nodes[node].held.has(chunk).then_some(())?;
        if self.keeps(Rule::PresenceTouches) {
            state.nodes[node].touch(chunk, generation);
        }
        receipt(&mut state.sessions[session], node, chunk);
        Some(())
    }

    /// The node that an upload puts a chunk on, and the upload's generation.
    fn target(&self, state: &State, session: usize, chunk: usize) -> Option<(usize, u8)> {
        let session = &state.sessions[session];
        session.open.then_some(())?;
        let node = self.bounds.place(chunk, session.epoch);
        let may = !state.nodes[node].gone && !session.receipts[node].has(chunk);
        may.then_some((node, session.generation))
    }

    pub(crate) fn commit(&self, state: &mut State, number: usize, repository: usize) -> Option<()> {
        let session = state.sessions[number];
        let named = session.receipts.iter().fold(Chunks::NONE, |a, b| a.and(*b));
        let group = state.groups[state.slots[self.bounds.slot_of[repository]].owner];
        if named.is_empty() || state.repositories[repository].order != Order::Open {
            return None;
        }
        if session.generation < group.generation && self.keeps(Rule::BarrierRefusesOldSessions) {
            return None;
        }
        for node in 0..NODES {
            if session.receipts[node].is_empty() {
                continue;
            }
            if !self.bounds.has(node, group.epoch) && self.keeps(Rule::GroupsRefuseRemovedNodes) {
                return None;
            }
            for chunk in session.receipts[node].iter() {
                state.history.named_droppable |= endangered(state, node, chunk, repository);
            }
        }
        for (node, receipts) in state.nodes.iter_mut().zip(session.receipts) {
            node.counted = node.counted.and(receipts.within(node.held));
        }
        let chunks = &mut state.repositories[repository].chunks;
        *chunks = chunks.and(named);
        state.sessions[number] = Session::default();
        Some(())
    }
}

fn receipt(session: &mut Session, node: usize, chunk: usize) {
    session.receipts[node] = session.receipts[node].with(chunk);
}

/// Whether a node lacks a chunk, or may drop it by a listing that has passed the
/// repository that is about to name it.
fn endangered(state: &State, node: usize, chunk: usize, repository: usize) -> bool {
    let node = &state.nodes[node];
    let listing = &node.listing;
    let passed = listing.pages > repository && !listing.live.has(chunk);
    !node.held.has(chunk) || (passed && node.touched[chunk] < node.generation)
}
