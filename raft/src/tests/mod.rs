//! Groups as their users see them, in one process.

mod cluster;
mod commit;
mod copy;
mod crash;
mod faults;
mod hibernate;
mod leave;
pub(crate) mod machine;
mod members;
mod snapshot;
