use bytes::{Buf, Bytes, BytesMut};

use super::{HEADER_BYTES, MAX_PACKET_BYTES, Packet};
use crate::error::{ProtocolError, shown};

/// Cuts a byte stream into packets, however the stream is split.
///
/// Holds what it was fed and did not yet return: a caller that takes every
/// packet before it feeds more keeps that below one packet plus one feed.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the stream's next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Takes the next packet; `None` if its bytes have not all been fed.
    ///
    /// After an error the stream has no known position any more: every later
    /// call fails alike.
    pub fn next_packet(&mut self) -> Result<Option<Packet>, ProtocolError> {
        let Some(header) = self.buffer.first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let length = match parse_length(header)? {
            0 => return Ok(Some(self.special(Packet::Flush))),
            1 => return Ok(Some(self.special(Packet::Delimiter))),
            2 => return Ok(Some(self.special(Packet::ResponseEnd))),
            length if (HEADER_BYTES..=MAX_PACKET_BYTES).contains(&length) => length,
            length => return Err(ProtocolError::PacketLength { length }),
        };
        if self.buffer.len() < length {
            return Ok(None);
        }
        let mut packet = self.buffer.split_to(length).freeze();
        packet.advance(HEADER_BYTES);
        Ok(Some(Packet::Data(packet)))
    }

    /// Whether every fed byte was returned: an end of the stream is clean here.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Takes the bytes that follow the last packet returned. What comes after a
    /// push's commands is a pack and no longer packets.
    pub fn take_rest(&mut self) -> Bytes {
        self.buffer.split().freeze()
    }

    fn special(&mut self, packet: Packet) -> Packet {
        self.buffer.advance(HEADER_BYTES);
        packet
    }
}

fn parse_length(header: &[u8; HEADER_BYTES]) -> Result<usize, ProtocolError> {
    header.iter().try_fold(0, |length, &byte| {
        let digit = (byte as char).to_digit(16);
        let digit = digit.ok_or_else(|| ProtocolError::PacketHeader {
            header: shown(header),
        })?;
        Ok(length << 4 | digit as usize)
    })
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};
    use proptest::collection::vec;
    use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

    use super::super::{Packet, put_data, put_delimiter, put_flush, put_response_end};
    use super::Decoder;
    use crate::ProtocolError;

    fn packets() -> impl Strategy<Value = Vec<Packet>> {
        let packet = prop_oneof![
            Just(Packet::Flush),
            Just(Packet::Delimiter),
            Just(Packet::ResponseEnd),
            vec(any::<u8>(), 0..200).prop_map(|data| Packet::Data(Bytes::from(data))),
        ];
        vec(packet, 0..20)
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded_whatever_the_splits(sent in packets(), splits in vec(1..40_usize, 1..50)) {
            let mut wire = BytesMut::new();
            for packet in &sent {
                match packet {
                    Packet::Flush => put_flush(&mut wire),
                    Packet::Delimiter => put_delimiter(&mut wire),
                    Packet::ResponseEnd => put_response_end(&mut wire),
                    Packet::Data(data) => put_data(&mut wire, data),
                }
            }
            let mut decoder = Decoder::new();
            let mut received = Vec::new();
            let mut rest = &wire[..];
            for size in splits.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at(rest.len().min(*size));
                rest = after;
                decoder.feed(piece);
                while let Some(packet) = decoder.next_packet().unwrap() {
                    received.push(packet);
                }
            }
            assert_eq!(received, sent);
            assert!(decoder.is_empty());
        }

        #[test]
        fn arbitrary_bytes_are_never_a_panic(bytes in vec(any::<u8>(), 0..300)) {
            let mut decoder = Decoder::new();
            decoder.feed(&bytes);
            while let Ok(Some(_)) = decoder.next_packet() {}
        }
    }

    #[test]
    fn lengths_that_cannot_be_are_refused() {
        for (wire, ok) in [
            ("0004", true),
            ("fff0", true),
            ("FFF0", true),
            ("0003", false),
            ("fff1", false),
            ("00g4", false),
            ("-001", false),
        ] {
            let mut decoder = Decoder::new();
            decoder.feed(wire.as_bytes());
            assert_eq!(decoder.next_packet().is_ok(), ok, "{wire}");
        }
        let mut decoder = Decoder::new();
        decoder.feed(b"PACK");
        let expected = ProtocolError::PacketHeader {
            header: "PACK".to_owned(),
        };
        assert_eq!(decoder.next_packet(), Err(expected));
    }

    #[test]
    fn the_rest_begins_after_the_last_packet() {
        let mut decoder = Decoder::new();
        decoder.feed(b"0006a\n0000PACK");
        assert_eq!(
            decoder.next_packet().unwrap().unwrap().line(),
            Some(&b"a"[..])
        );
        assert_eq!(decoder.next_packet(), Ok(Some(Packet::Flush)));
        assert_eq!(decoder.take_rest(), Bytes::from_static(b"PACK"));
    }
}
