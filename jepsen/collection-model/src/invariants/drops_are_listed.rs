use crate::model::Collection;
use crate::state::State;

/// Nothing is dropped before every slot was listed.
pub const NAME: &str = "a drop follows a complete listing";

pub(super) fn holds(_model: &Collection, state: &State) -> bool {
    !state.history.dropped_unlisted
}
