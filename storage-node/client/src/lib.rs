//! (being written)
//!
//! NOTE TO THE HELPER WHO WRITES identity/, control/ AND bulk/: the part `Client` (Content, Order, Metadata over nodes,
//! `trait Links`) is being written by another helper in `src/tier/`. Do not write it; only `identity/`, `control/`, `bulk/`, and
//! a `RemoteLinks` that implements `tier::Links` over control + bulk with the identity's TLS configuration
//! (one connection set per node, kept and re-dialled). Keep this crate's lib.rs a table of contents and delete this note at the end.

pub mod tier;
