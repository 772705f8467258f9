//! Against real git: packs made by git are received, packs made here are indexed by git.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod clone;
mod connectivity;
mod fetch;
mod fixture;
mod fsck;
mod packs;
mod reading;
mod receive;
mod shallow;
