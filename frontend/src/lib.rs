//! The stateless servers: git over smart HTTP and SSH, the REST interface in Gitea's
//! shape, and web pages.
//!
//! A frontend keeps nothing that cannot be thrown away: packs are cached in a
//! directory with a limit, and every answer about accounts, repositories and
//! refs is read from the storage tier. Any number of frontends serve the same
//! forge, and each can be killed at any instant.
//!
//! Not here: who may do what (`domain`), git's protocol (`git-serve`), and how
//! the storage tier keeps anything (behind `storage-node-api`).

mod admission;
mod api;
mod auth;
mod config;
mod content;
mod failing;
mod frontend;
mod git;
mod health;
mod lfs;
pub mod limits;
mod metrics;
mod moment;
mod pages;
mod repository;
mod request;
mod server;
mod site;
mod ssh;

pub use config::{CheckedConfig, Config, ConfigError};
pub use frontend::{Frontend, Listeners};
pub use metrics::Metrics;
pub use repository::{CacheError, PackCache, StorageRepository};
pub use ssh::{OpenSshError, SshConfig, SshDoor};
