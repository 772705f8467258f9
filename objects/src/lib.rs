//! Large immutable objects by name: in an S3-compatible store, in a directory, and in a twin in
//! memory that fails when it is told to.
//!
//! What it keeps true: an object appears whole, when its upload is finished, or not at all; every
//! call ends, within [`limits`]; an answer tells "is not there" from "cannot be reached" from
//! "refuses".
//!
//! Calls block, as those of [`runtime::Files`] do: callers make them where blocking is allowed. An
//! async client does the work behind them, on a thread of its own, so that a slow store takes no
//! turn from anybody else.
//!
//! Not here: what objects are called and hold, what to do while a store is away, and rates.

pub mod limits;
pub mod suite;

mod location;
mod memory;
mod objects;
mod remote;

pub use location::{Location, LocationError, Opened, Patience};
pub use memory::MemoryObjects;
pub use objects::{Meta, ObjectError, Objects, Upload};
pub use remote::RemoteObjects;
