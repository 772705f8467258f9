use crate::model::Collection;
use crate::state::{Facts, Order, State};

/// A repository that SQL says can be used was not removed from its group.
pub const NAME: &str = "undelete and purge do not both win";

pub(super) fn holds(_model: &Collection, state: &State) -> bool {
    let mut repositories = state.repositories.iter();
    repositories
        .all(|one| one.facts != Facts::Active || one.order.is_there() || one.order == Order::Absent)
}
