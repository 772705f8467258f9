use crate::model::Collection;
use crate::state::State;

/// No node that has the newest map drops a copy that the map places on it and
/// that somebody counts on. A copy that nobody has asked for, made or confirmed
/// since the chunk was last garbage may go: repair brings another.
pub const NAME: &str = "a copy that is counted on stays";

pub(super) fn holds(_model: &Collection, state: &State) -> bool {
    !state.history.counted_copy_dropped
}
