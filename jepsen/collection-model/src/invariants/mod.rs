//! What must hold in every state, and what must be possible.

mod commit_is_safe;
mod counted_copies_stay;
mod drops_are_listed;
mod garbage_can_go;
mod garbage_goes;
mod reachable_is_held;
mod undelete_or_purge;

use stateright::Property;

use crate::model::Collection;

/// All of them, under their names.
pub(crate) fn all() -> Vec<Property<Collection>> {
    vec![
        Property::always(reachable_is_held::NAME, reachable_is_held::holds),
        Property::always(counted_copies_stay::NAME, counted_copies_stay::holds),
        Property::always(commit_is_safe::NAME, commit_is_safe::holds),
        Property::always(undelete_or_purge::NAME, undelete_or_purge::holds),
        Property::always(drops_are_listed::NAME, drops_are_listed::holds),
        Property::always(garbage_can_go::NAME, garbage_can_go::holds),
        Property::sometimes(garbage_goes::NAME, garbage_goes::holds),
    ]
}

pub use commit_is_safe::NAME as COMMIT_IS_SAFE;
pub use counted_copies_stay::NAME as COUNTED_COPIES_STAY;
pub use drops_are_listed::NAME as DROPS_ARE_LISTED;
pub use garbage_can_go::NAME as GARBAGE_CAN_GO;
pub use garbage_goes::NAME as GARBAGE_GOES;
pub use reachable_is_held::NAME as REACHABLE_IS_HELD;
pub use undelete_or_purge::NAME as UNDELETE_OR_PURGE;
