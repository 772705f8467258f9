//! git's wire protocol as pure state machines: packets in, requests and bytes out.
//!
//! Each request has a parser that is fed [`pkt::Packet`]s and yields a typed
//! request; each answer has functions that render it into a buffer. What an
//! answer needs to know about a repository comes in as plain values or through
//! the small [`Knowledge`] trait. There is no I/O, no clock and no object
//! access here, and nothing in this crate panics on what a peer sends.
//!
//! The sources are gitprotocol-common(5), gitprotocol-pack(5),
//! gitprotocol-v2(5), gitprotocol-http(5) and gitprotocol-capabilities(5).

pub mod advertisement;
pub mod capabilities;
mod deepen;
mod error;
mod filter;
mod knowledge;
pub mod pkt;
pub mod receive;
pub mod sideband;
pub mod v0;
pub mod v2;
mod version;

pub use deepen::Deepen;
pub use error::ProtocolError;
pub use filter::{Filter, FilterRule, ObjectType};
pub use knowledge::Knowledge;
pub use version::{ProtocolVersion, Service};

/// How many lines one request may have, over all of its kinds of lines.
///
/// A stateless client repeats what both sides have in every request, so the
/// limit is far above what any negotiation needs; at 33 bytes a line it keeps a
/// request below 20 MB.
pub const MAX_REQUEST_LINES: usize = 500_000;

/// The pack features that a client may ask for in any protocol version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PackFeatures {
    /// The pack may have deltas against objects that it does not contain.
    pub thin_pack: bool,
    /// Delta bases may be named by their offset in the pack.
    pub ofs_delta: bool,
    /// Annotated tags of sent objects are to be sent too.
    pub include_tag: bool,
    /// No progress messages.
    pub no_progress: bool,
}
