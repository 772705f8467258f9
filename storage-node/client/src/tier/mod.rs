//! The storage tier as one thing: [`Client`] makes content, order and facts out
//! of a set of nodes, in place or remote.
//!
//! It knows the cluster map, finds leaders and near replicas, and tries again
//! what is safe to try again. What it keeps true:
//! - A put returns only when every chunk is held by a quorum of distinct
//!   failure domains, with the receipts as the nodes gave them.
//! - No bytes of a remote node are returned that are not what their id says.
//! - Once an attempt of a write had an unknown effect, the write ends with the
//!   group's answer or with an unknown effect, never with "nothing happened".
//! - Nothing waits for ever: each call to a node has a limit, and so has the
//!   whole.
//!
//! The decisions are pure (`quorum`, `search`, `attempts`); the rest feeds
//! them with answers. Not here: how a node is reached ([`Links`] says which
//! node to speak to), and what a node does.

mod attempts;
mod calls;
mod client;
mod commit;
mod config;
mod content;
mod dump;
mod get;
mod latency;
mod links;
mod map;
mod metadata;
mod order;
mod pace;
mod put;
mod quorum;
mod read;
mod search;
#[cfg(test)]
mod tests;

pub use client::Client;
pub use config::{Checked, Config, ConfigError};
pub use links::{InPlace, Links, NoPeers};
