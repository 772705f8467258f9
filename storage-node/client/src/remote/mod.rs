//! Nodes in other processes: [`RemoteNode`] is one, [`RemoteLinks`] finds them.
//!
//! Control and chunks go over connections of their own, kept and made again
//! after they broke. Not here: which node to ask, and asking again.

#[cfg(test)]
pub(crate) mod fake;
mod links;
mod node;
#[cfg(test)]
mod tests;

pub use links::RemoteLinks;
pub use node::RemoteNode;
