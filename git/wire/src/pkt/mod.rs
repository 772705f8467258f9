//! pkt-lines: the framing of everything but packs (gitprotocol-common(5)).

mod decode;
mod encode;

use bytes::Bytes;

pub use decode::Decoder;
pub(crate) use encode::header;
pub use encode::{put_data, put_delimiter, put_flush, put_line, put_response_end};

/// The longest packet, its four length digits included.
pub const MAX_PACKET_BYTES: usize = 65_520;

/// The most data that one packet carries.
pub const MAX_DATA_BYTES: usize = MAX_PACKET_BYTES - HEADER_BYTES;

pub(crate) const HEADER_BYTES: usize = 4;

/// One packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// `0000`: the end of a message.
    Flush,
    /// `0001`: between the parts of a message (protocol v2).
    Delimiter,
    /// `0002`: the end of a response of a stateless connection (protocol v2).
    ResponseEnd,
    /// Anything else; may be empty.
    Data(Bytes),
}

impl Packet {
    /// A data packet's text: its bytes without one final line feed.
    pub fn line(&self) -> Option<&[u8]> {
        match self {
            Self::Data(data) => Some(data.strip_suffix(b"\n").unwrap_or(data)),
            Self::Flush | Self::Delimiter | Self::ResponseEnd => None,
        }
    }
}
