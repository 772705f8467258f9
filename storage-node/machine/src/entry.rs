//! Entries and replies as bytes: a byte for the format, then postcard.

use bytes::Bytes;
use storage_node_api::limits::MAX_COMMAND_BYTES;
use storage_node_api::order::{Reply, Request};

use crate::fault::Fault;

/// The format of entries and replies as this release writes them.
const V1: u8 = 1;

/// A request that is larger than an entry may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("encode entry: it has {bytes} bytes, the limit is {MAX_COMMAND_BYTES}")]
pub struct EntryTooLarge {
    /// Its size.
    pub bytes: usize,
}

/// The entry that proposes a request.
pub fn encode_request(request: &Request) -> Result<Bytes, EntryTooLarge> {
    let entry = postcard::to_extend(request, vec![V1])
        .expect("a request consists of what postcard encodes, into a vector that grows");
    if entry.len() > MAX_COMMAND_BYTES {
        return Err(EntryTooLarge { bytes: entry.len() });
    }
    Ok(entry.into())
}

/// The request that an entry proposes. A fault if this release does not know it.
pub fn decode_request(entry: &[u8]) -> Result<Request, Fault> {
    postcard::from_bytes(versioned(entry)?).map_err(Fault::Entry)
}

/// The stored and transmitted form of a reply.
pub fn encode_reply(reply: &Reply) -> Bytes {
    postcard::to_extend(reply, vec![V1])
        .expect("a reply consists of what postcard encodes, into a vector that grows")
        .into()
}

/// The reply of its encoded form.
pub fn decode_reply(bytes: &[u8]) -> Result<Reply, Fault> {
    postcard::from_bytes(versioned(bytes)?).map_err(Fault::Entry)
}

fn versioned(bytes: &[u8]) -> Result<&[u8], Fault> {
    match bytes.split_first() {
        Some((&V1, rest)) => Ok(rest),
        other => Err(Fault::EntryVersion {
            found: other.map_or(0, |(version, _)| *version),
        }),
    }
}
