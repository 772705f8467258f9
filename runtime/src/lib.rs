//! The seams between the program and the world: time, randomness, tasks, files.
//!
//! A library that needs one of them takes a [`Runtime`] or a [`Files`] and never asks the
//! operating system itself. That is what lets one and the same code run in production, in a
//! test that drops unsynced writes, and in a simulation driven by a seed.
//!
//! What it keeps true: nothing here decides anything. Policies, retries, formats and limits of
//! the callers' own queues are not in this crate; neither is the network, whose seams belong to
//! the crates that define the messages.

pub mod suite;

mod clock;
mod faults;
mod files;
mod random;
mod real;
mod recent;
mod simulated;
mod tasks;

pub use clock::{BoxFuture, Clock, Timestamp};
pub use faults::{Faults, Survives};
pub use files::{
    File, FileHooks, Files, HookedFiles, MemoryFiles, PathError, RealFiles, check_path,
};
pub use random::{Random, SeededRandom};
pub use real::Runtime;
pub use recent::Recent;
pub use simulated::ManualClock;
pub use tasks::{TaskFailed, TaskHandle, Tasks, run_blocking};
