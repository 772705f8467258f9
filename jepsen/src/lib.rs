//! Black-box tests: real processes, real git, real signals.
//!
//! Nothing here links against the forge. The harness starts the `devflow`
//! binary, speaks to it as its users do, kills it as fate does, and judges by
//! what a user can see. Short forms run in the default tests; the long ones are
//! subcommands of this crate's program.

#![expect(clippy::print_stdout, reason = "a verdict is for the person who asked")]
#![expect(
    clippy::disallowed_methods,
    reason = "a harness lives in the real world's time"
)]

pub mod chaos;
pub mod checkers;
pub mod clients;
pub mod git_suite;
pub mod harness;
pub mod history;
pub mod network;
pub mod shim;
