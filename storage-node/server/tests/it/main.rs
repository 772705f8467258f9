//! A node, and three of them, over real stores and over twins that forget.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]
#![expect(clippy::print_stdout, reason = "a failing suite says where it was")]

mod cold;
mod collect;
mod conformance;
mod crashes;
mod identity;
mod members;
mod policies;
mod rebuild;
mod repair;
mod slots;
mod slow;
mod world;
