use crate::model::Collection;
use crate::state::State;

/// What a commit names is held by the nodes of its receipts, and none of them may
/// drop it by a listing that does not show the commit.
pub const NAME: &str = "a commit names nothing that may be dropped";

pub(super) fn holds(_model: &Collection, state: &State) -> bool {
    !state.history.named_droppable
}
