//! Starting, killing and asking real processes.

mod cluster;
mod git;
mod http;
mod process;
mod replace;

pub use cluster::{Cluster, GroupStatus, Layout, NodeStatus, Status, serve};
pub use git::{Git, Summary};
pub use http::{Answer, Http};
pub use process::{Process, devflow, free_address};

/// The administrator that every test cluster starts with.
pub const ADMINISTRATOR: &str = "root-admin";
/// And the password.
pub const PASSWORD: &str = "correct horse battery staple";
