//! Groups as their users see them, in one process.

mod cluster;
mod commit;
mod crash;
mod faults;
pub(crate) mod machine;
mod leave;
mod members;
mod snapshot;
