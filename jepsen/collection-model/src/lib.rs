//! The protocol of collection as a model that a checker goes through, state by
//! state: uploads, forks, deletions, barriers, listings and drops in every
//! order, with nodes that restart, maps that change and slots that move.
//!
//! What it keeps true is in [`invariants`], one to a file. Each [`Rule`] of the
//! protocol can be switched off, and the tests show that the checker then finds
//! an invariant broken: none of them holds for want of trying.
//!
//! One copy of each chunk is what the modelled policy asks for, so that a single
//! wrong drop is a loss. A long upload is a repository of its own, whose commit
//! is a fork followed by its removal: what is referred to without a touch is
//! the same in both. Not here: how chunks lie in volumes, replicas that lag
//! (a listing is of one repository at a time, at any moment between two
//! barriers), and damage.

mod action;
mod bounds;
pub mod invariants;
mod model;
mod rule;
mod settle;
mod state;
mod step;

pub use action::Action;
pub use bounds::{Bounds, Scenario};
pub use model::Collection;
pub use rule::Rule;
pub use state::{
    Chunks, Facts, Group, History, Listing, Node, Order, Repository, Session, Slot, State,
};
