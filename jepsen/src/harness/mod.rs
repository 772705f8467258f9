//! Starting, killing and asking real processes.

mod cluster;
mod git;
mod http;
mod operator;
mod process;
mod replace;

pub use cluster::{Cluster, Layout, serve};
pub use git::{Git, Summary};
pub use http::{Answer, Http};
pub use operator::{GroupStatus, NodeStatus, Operator, Status};
pub use process::{Process, devflow, free_address};

/// The administrator that every test cluster starts with.
pub const ADMINISTRATOR: &str = "root-admin";
/// And the password.
pub const PASSWORD: &str = "correct horse battery staple";
