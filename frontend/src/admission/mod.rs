//! Who is served now, who waits, and who is told to come back.
//!
//! A kind of request (fetches, pushes, everything else) has so many units of
//! work that may be under way; a request takes as many as it costs. One tenant,
//! an account or an address, has at most a share of them, and tenants that wait
//! take turns: a build farm that clones with one account delays itself, not its
//! neighbours. A tenant over its share is told so (429), and an overloaded
//! server says that (503).
//!
//! Not here: limits of bytes, and of wrong passwords.

mod cost;
mod metrics;
mod queue;
mod tenant;
mod turn;

pub(crate) use cost::Cost;
pub(crate) use metrics::{AdmissionMetrics, KindMetrics};
pub(crate) use queue::{Limits, Refused};
pub(crate) use tenant::Tenant;
pub(crate) use turn::{Admission, Turn};
