use crate::model::Collection;
use crate::state::{NODES, State};

/// Every chunk that a manifest names is held by as many nodes as the policy asks
/// for, which is one.
pub const NAME: &str = "what is reachable is held";

pub(super) fn holds(_model: &Collection, state: &State) -> bool {
    let mut chunks = state.reachable().iter();
    chunks.all(|chunk| (0..NODES).any(|node| state.nodes[node].held.has(chunk)))
}
