use std::collections::HashSet;

use bytes::BytesMut;
use git_id::{HashKind, ObjectId};

use super::AckMode;
use crate::capabilities::Capabilities;
use crate::deepen::DeepenLines;
use crate::error::{ProtocolError, shown};
use crate::pkt::{Packet, put_flush, put_line};
use crate::sideband::Sideband;
use crate::{Deepen, Filter, MAX_REQUEST_LINES, PackFeatures};

/// What a client wants, before the negotiation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadRequest {
    /// What the client wants, each once; empty if it wants nothing and is done.
    pub wants: Vec<ObjectId>,
    /// Commits whose parents the client lacks.
    pub shallow: Vec<ObjectId>,
    /// How much history it asks for.
    pub deepen: Option<Deepen>,
    /// What the client does without; the last one given counts.
    pub filter: Option<Filter>,
    /// What the pack may be like.
    pub features: PackFeatures,
    /// How haves are acknowledged.
    pub acks: AckMode,
    /// The pack may follow `ready` without waiting for `done`.
    pub no_done: bool,
    /// How the pack is framed; `None` for a bare pack without progress.
    pub sideband: Option<Sideband>,
    /// The client's name and version, fit for a log.
    pub agent: Option<String>,
}

/// Reads the lines up to the first flush packet.
#[derive(Debug)]
pub struct RequestParser {
    hash: HashKind,
    lines: usize,
    wants: Vec<ObjectId>,
    wanted: HashSet<ObjectId>,
    shallow: Vec<ObjectId>,
    deepen: DeepenLines,
    filter: Option<Filter>,
    capabilities: Capabilities,
}

impl RequestParser {
    /// A parser for a repository with that hash function.
    pub fn new(hash: HashKind) -> Self {
        Self {
            hash,
            lines: 0,
            wants: Vec::new(),
            wanted: HashSet::new(),
            shallow: Vec::new(),
            deepen: DeepenLines::default(),
            filter: None,
            capabilities: Capabilities::default(),
        }
    }

    /// Takes the next packet; returns the request when it is complete.
    pub fn packet(&mut self, packet: &Packet) -> Result<Option<UploadRequest>, ProtocolError> {
        match packet {
            Packet::Flush => std::mem::replace(self, Self::new(self.hash))
                .finish()
                .map(Some),
            Packet::Delimiter | Packet::ResponseEnd => Err(ProtocolError::SpecialPacket),
            Packet::Data(_) => self.line(packet.line().unwrap_or_default()).map(|()| None),
        }
    }

    /// Whether nothing was read, so that the stream may end here.
    pub fn is_empty(&self) -> bool {
        self.lines == 0
    }

    fn line(&mut self, line: &[u8]) -> Result<(), ProtocolError> {
        self.lines += 1;
        if self.lines > MAX_REQUEST_LINES {
            return Err(ProtocolError::TooManyLines);
        }
        let expected = || ProtocolError::ExpectedObjectId { line: shown(line) };
        let parse = |hex: &[u8]| match ObjectId::from_hex(hex) {
            Ok(id) if id.kind() == self.hash => Ok(id),
            _ => Err(expected()),
        };
        if let Some(hex) = line.strip_prefix(b"shallow ") {
            let id = parse(hex)?;
            self.shallow.push(id);
        } else if let Some(spec) = line.strip_prefix(b"filter ") {
            self.filter = Some(Filter::parse(spec)?);
        } else if let Some(want) = line.strip_prefix(b"want ") {
            let digits = self.hash.len_hex();
            let (hex, words) = want.split_at_checked(digits).ok_or_else(expected)?;
            if !words.is_empty() && !words.starts_with(b" ") {
                return Err(expected());
            }
            let id = parse(hex)?;
            self.capabilities.extend(words);
            if self.wanted.insert(id) {
                self.wants.push(id);
            }
        } else if !self.deepen.take(line)? {
            return Err(expected());
        }
        Ok(())
    }

    fn finish(mut self) -> Result<UploadRequest, ProtocolError> {
        let words = &self.capabilities;
        if let Some(format) = words.value("object-format")
            && format != self.hash.name().as_bytes()
        {
            return Err(ProtocolError::ObjectFormat {
                server: self.hash,
                client: shown(format),
            });
        }
        self.deepen.relative = words.has("deepen-relative");
        Ok(UploadRequest {
            features: PackFeatures {
                thin_pack: words.has("thin-pack"),
                ofs_delta: words.has("ofs-delta"),
                include_tag: words.has("include-tag"),
                no_progress: words.has("no-progress"),
            },
            acks: match (words.has("multi_ack_detailed"), words.has("multi_ack")) {
                (true, _) => AckMode::Detailed,
                (false, true) => AckMode::Multi,
                (false, false) => AckMode::Single,
            },
            no_done: words.has("no-done"),
            sideband: match (words.has("side-band-64k"), words.has("side-band")) {
                (true, _) => Some(Sideband::Large),
                (false, true) => Some(Sideband::Small),
                (false, false) => None,
            },
            agent: words.agent(),
            deepen: self.deepen.finish()?,
            filter: self.filter,
            wants: self.wants,
            shallow: self.shallow,
        })
    }
}

/// Appends the answer to a request with a depth: what becomes shallow and what
/// ceases to be, ended by a flush packet. Requests without a depth get none.
pub fn put_shallow_update(out: &mut BytesMut, shallow: &[ObjectId], unshallow: &[ObjectId]) {
    shallow
        .iter()
        .for_each(|id| put_line(out, format_args!("shallow {id}")));
    unshallow
        .iter()
        .for_each(|id| put_line(out, format_args!("unshallow {id}")));
    put_flush(out);
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use git_id::{HashKind, ObjectId};
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    use super::{RequestParser, UploadRequest};
    use crate::pkt::Packet;
    use crate::sideband::Sideband;
    use crate::v0::AckMode;
    use crate::{Deepen, ProtocolError};

    fn parse(lines: &[&str]) -> Result<Option<UploadRequest>, ProtocolError> {
        let mut parser = RequestParser::new(HashKind::Sha1);
        for line in lines {
            parser.packet(&Packet::Data(Bytes::copy_from_slice(line.as_bytes())))?;
        }
        parser.packet(&Packet::Flush)
    }

    #[test]
    fn capabilities_of_the_first_want_become_features() {
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let request = parse(&[
            &format!("want {a} multi_ack_detailed no-done side-band-64k thin-pack ofs-delta deepen-relative agent=git/2\n"),
            &format!("want {b}\n"),
            &format!("shallow {b}"),
            "deepen 5",
        ])
        .unwrap()
        .unwrap();
        let (a, b): (ObjectId, ObjectId) = (a.parse().unwrap(), b.parse().unwrap());
        assert_eq!(request.wants, [a, b]);
        assert_eq!(request.shallow, [b]);
        assert_eq!(
            request.deepen,
            Some(Deepen::Commits {
                count: 5,
                relative: true
            })
        );
        assert_eq!(
            (request.acks, request.sideband),
            (AckMode::Detailed, Some(Sideband::Large))
        );
        assert!(request.no_done && request.features.thin_pack && request.features.ofs_delta);
        assert!(!request.features.include_tag && !request.features.no_progress);
        assert_eq!(request.agent.as_deref(), Some("git/2"));
    }

    #[test]
    fn a_client_from_long_ago_asks_for_nothing_special() {
        let request = parse(&[&format!("want {}\n", "a".repeat(40))])
            .unwrap()
            .unwrap();
        assert_eq!(
            (request.acks, request.sideband, request.no_done),
            (AckMode::Single, None, false)
        );
        assert!(parse(&[]).unwrap().unwrap().wants.is_empty());
    }

    #[test]
    fn what_is_no_want_is_refused() {
        let id = "a".repeat(40);
        for line in [
            "want abc".to_owned(),
            format!("want {id}x"),
            format!("want {}", "a".repeat(64)),
            "shallow x".to_owned(),
            format!("have {id}"),
            String::new(),
        ] {
            let expected = ProtocolError::ExpectedObjectId { line: line.clone() };
            assert_eq!(parse(&[&line]), Err(expected), "{line}");
        }
        let other = parse(&[&format!("want {id} object-format=sha256")]);
        assert!(matches!(other, Err(ProtocolError::ObjectFormat { .. })));
    }

    proptest! {
        #[test]
        fn no_line_is_a_panic(lines in vec(vec(any::<u8>(), 0..60), 0..4), wanted in any::<bool>()) {
            let mut parser = RequestParser::new(HashKind::Sha1);
            for line in lines {
                let line = if wanted { [b"want ", &line[..]].concat() } else { line };
                let _ = parser.packet(&Packet::Data(Bytes::from(line)));
            }
            let _ = parser.packet(&Packet::Flush);
        }
    }
}
