//! Against real git: packs made by git are received, packs made here are indexed by git.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod clone;
mod commit_graph;
mod connectivity;
mod fetch;
mod fixture;
mod fsck;
mod histories;
mod maintain;
mod packs;
mod reading;
mod receive;
mod shallow;
