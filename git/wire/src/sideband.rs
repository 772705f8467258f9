//! The side band: a pack, progress and a fatal error on one stream
//! (gitprotocol-pack(5), "Packfile Data").

use bytes::{Bytes, BytesMut};

use crate::pkt::{HEADER_BYTES, MAX_PACKET_BYTES};

/// What a packet of the side band carries. The numbers are the protocol's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Band {
    /// The pack, or a push's report.
    Data = 1,
    /// Text for the person at the client's terminal.
    Progress = 2,
    /// A fatal error's text; nothing follows it.
    Error = 3,
}

/// How large the packets of the side band may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sideband {
    /// `side-band`: at most 1000 bytes.
    Small,
    /// `side-band-64k`, and all of protocol v2: at most 65520 bytes.
    Large,
}

const BAND_BYTES: usize = 1;

impl Sideband {
    /// The most payload in one packet.
    pub const fn max_payload_bytes(self) -> usize {
        let packet = match self {
            Self::Small => 1000,
            Self::Large => MAX_PACKET_BYTES,
        };
        packet - HEADER_BYTES - BAND_BYTES
    }

    /// Appends `payload` in as many packets as it needs; none if it is empty.
    pub fn put(self, out: &mut BytesMut, band: Band, payload: &[u8]) {
        for part in payload.chunks(self.max_payload_bytes()) {
            out.extend_from_slice(&header(band, part.len()));
            out.extend_from_slice(part);
        }
    }
}

/// A packet with no payload on the progress band: keeps connections and clients
/// from timing out while the server works on a push.
pub const KEEPALIVE_PROGRESS: &[u8] = b"0005\x02";

/// A packet with no payload on the data band: the same while a pack is prepared.
pub const KEEPALIVE_DATA: &[u8] = b"0005\x01";

fn header(band: Band, payload: usize) -> [u8; HEADER_BYTES + BAND_BYTES] {
    let [a, b, c, d] = crate::pkt::header(HEADER_BYTES + BAND_BYTES + payload);
    [a, b, c, d, band as u8]
}

/// Collects a pack's bytes into data packets of the greatest size, each copied
/// once.
#[derive(Debug)]
pub struct Frames {
    sideband: Sideband,
    packet: BytesMut,
}

impl Frames {
    /// Frames with nothing in them.
    pub fn new(sideband: Sideband) -> Self {
        Self {
            sideband,
            packet: BytesMut::new(),
        }
    }

    /// Takes bytes off the front of `bytes`; returns a packet when one is full.
    /// Call again until `bytes` is empty.
    pub fn fill(&mut self, bytes: &mut &[u8]) -> Option<Bytes> {
        const PREFIX: usize = HEADER_BYTES + BAND_BYTES;
        let full = PREFIX + self.sideband.max_payload_bytes();
        if self.packet.is_empty() {
            self.packet.reserve(full);
            self.packet.extend_from_slice(&[0; PREFIX]);
        }
        let (taken, rest) = bytes.split_at(bytes.len().min(full - self.packet.len()));
        self.packet.extend_from_slice(taken);
        *bytes = rest;
        if self.packet.len() == full {
            self.take()
        } else {
            None
        }
    }

    /// Takes what was collected, if anything was.
    pub fn take(&mut self) -> Option<Bytes> {
        const PREFIX: usize = HEADER_BYTES + BAND_BYTES;
        if self.packet.len() <= PREFIX {
            return None;
        }
        let header = header(Band::Data, self.packet.len() - PREFIX);
        self.packet[..PREFIX].copy_from_slice(&header);
        Some(std::mem::take(&mut self.packet).freeze())
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    use super::{Band, Frames, Sideband};
    use crate::pkt::{Decoder, Packet};

    fn payloads(wire: &[u8]) -> Vec<Vec<u8>> {
        let mut decoder = Decoder::new();
        decoder.feed(wire);
        let mut payloads = Vec::new();
        while let Some(packet) = decoder.next_packet().unwrap() {
            let Packet::Data(data) = packet else {
                panic!("a data packet")
            };
            payloads.push(data.to_vec());
        }
        assert!(decoder.is_empty());
        payloads
    }

    proptest! {
        #[test]
        fn frames_carry_the_bytes_in_order_and_are_full_but_for_the_last(writes in vec(vec(any::<u8>(), 0..3000), 0..8)) {
            let mut frames = Frames::new(Sideband::Small);
            let mut wire = Vec::new();
            for write in &writes {
                let mut rest = &write[..];
                while !rest.is_empty() {
                    wire.extend(frames.fill(&mut rest).iter().flatten());
                }
            }
            wire.extend(frames.take().iter().flatten());
            let payloads = payloads(&wire);
            let (last, full) = payloads.split_last().map_or((None, &[][..]), |(last, full)| (Some(last), full));
            assert!(full.iter().all(|payload| payload.len() == 996));
            assert!(last.is_none_or(|last| last.len() > 1));
            let data: Vec<u8> = payloads.iter().flat_map(|payload| &payload[1..]).copied().collect();
            assert_eq!(data, writes.concat());
        }
    }

    #[test]
    fn text_is_split_at_the_packet_size() {
        let mut out = BytesMut::new();
        Sideband::Small.put(&mut out, Band::Progress, &[b'x'; 1000]);
        Sideband::Small.put(&mut out, Band::Error, b"");
        assert_eq!(&out[..6], b"03e8\x02x");
        let sizes: Vec<usize> = payloads(&out).iter().map(Vec::len).collect();
        assert_eq!(sizes, [996, 6]);
        assert_eq!(Sideband::Large.max_payload_bytes(), 65_515);
    }
}
