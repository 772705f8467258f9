//! Connections: accepted up to a limit, cut when they stall, ended gracefully.

mod serve;
mod stall;

pub(crate) use serve::serve;
