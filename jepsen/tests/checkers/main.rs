//! The judges of histories, judged.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod agreement;
mod wrong_by_construction;
