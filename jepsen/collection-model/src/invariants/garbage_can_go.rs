use crate::model::Collection;
use crate::state::State;

/// From every state, a collector that runs undisturbed leaves exactly what is
/// reachable, each chunk where the map places it.
pub const NAME: &str = "from every state garbage can go";

pub(super) fn holds(model: &Collection, state: &State) -> bool {
    let settled = model.settle(state);
    let reachable = settled.reachable();
    (0..model.bounds.chunks).all(|chunk| {
        let placed = model.bounds.place(chunk, settled.epoch);
        (0..model.bounds.nodes).all(|node| {
            let held = settled.nodes[node].held.has(chunk);
            !held || (reachable.has(chunk) && (node == placed || !model.bounds.repairs))
        })
    })
}
