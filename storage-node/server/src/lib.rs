//! One storage node: volumes of chunks, replicas of groups, and what serves
//! them in place and over the network.

pub mod directory;
pub mod member;
pub mod node;
pub mod recover;
pub mod replica;
pub mod start;
pub mod volumes;

pub use node::StorageNode;
pub use start::{Config, start};
