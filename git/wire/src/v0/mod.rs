//! upload-pack in protocols v0 and v1 (gitprotocol-pack(5), "Packfile
//! Negotiation"): wants, then shallow information if the client asks for other
//! depths, then rounds of haves and acknowledgments, then the pack.

mod negotiate;
mod request;

pub use negotiate::{AckMode, Negotiation, Round, RoundParser, Step, Terminator};
pub use request::{RequestParser, UploadRequest, put_shallow_update};
