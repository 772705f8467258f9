use git_id::HashKind;

use super::fetch::{Fetch, FetchLines};
use super::ls_refs::{LsRefs, LsRefsLines};
use super::object_info::ObjectInfo;
use crate::MAX_REQUEST_LINES;
use crate::advertisement::V2Offer;
use crate::error::{ProtocolError, shown};
use crate::pkt::Packet;

/// A whole request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is asked for.
    pub command: Command,
    /// The client's name and version, fit for a log.
    pub agent: Option<String>,
    /// What the user passed with `--server-option`.
    pub server_options: Vec<String>,
}

/// A command with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// List refs.
    LsRefs(LsRefs),
    /// Send a pack.
    Fetch(Fetch),
    /// Tell facts of objects without sending them.
    ObjectInfo(ObjectInfo),
    /// List bundles that a clone may begin with.
    BundleUri,
    /// The client has no further request.
    End,
}

/// The most server options of one request.
const MAX_SERVER_OPTIONS: usize = 1000;

/// Reads requests, one after the other.
#[derive(Debug)]
pub struct RequestParser {
    hash: HashKind,
    offer: V2Offer,
    state: State,
    lines: usize,
    agent: Option<String>,
    format: Option<String>,
    server_options: Vec<String>,
}

#[derive(Debug)]
enum State {
    Capabilities(Option<Arguments>),
    Arguments(Arguments),
}

#[derive(Debug)]
enum Arguments {
    LsRefs(LsRefsLines),
    Fetch(Box<FetchLines>),
    ObjectInfo(ObjectInfo),
    BundleUri,
}

impl Arguments {
    /// The command's name.
    fn command(&self) -> &'static str {
        match self {
            Self::LsRefs(_) => "ls-refs",
            Self::Fetch(_) => "fetch",
            Self::ObjectInfo(_) => "object-info",
            Self::BundleUri => "bundle-uri",
        }
    }
}

impl RequestParser {
    /// A parser for a repository with that hash function. What was not offered
    /// is an error.
    pub fn new(hash: HashKind, offer: V2Offer) -> Self {
        Self {
            hash,
            offer,
            state: State::Capabilities(None),
            lines: 0,
            agent: None,
            format: None,
            server_options: Vec::new(),
        }
    }

    /// Takes the next packet; returns the request that it completes.
    pub fn packet(&mut self, packet: &Packet) -> Result<Option<Request>, ProtocolError> {
        match packet {
            Packet::Flush => self.finish().map(Some),
            Packet::Delimiter => self.delimiter().map(|()| None),
            Packet::ResponseEnd => Err(ProtocolError::SpecialPacket),
            Packet::Data(_) => {
                self.line(packet.line().unwrap_or_default())?;
                Ok(None)
            }
        }
    }

    /// Whether no part of a request was read, so that the stream may end.
    pub fn is_between_requests(&self) -> bool {
        self.lines == 0 && matches!(self.state, State::Capabilities(None))
    }

    fn line(&mut self, line: &[u8]) -> Result<(), ProtocolError> {
        self.lines += 1;
        if self.lines > MAX_REQUEST_LINES {
            return Err(ProtocolError::TooManyLines);
        }
        match &mut self.state {
            State::Capabilities(_) => self.capability(line),
            State::Arguments(Arguments::LsRefs(lines)) => lines.take(line),
            State::Arguments(Arguments::Fetch(lines)) => lines.take(line, self.hash, self.offer),
            State::Arguments(Arguments::ObjectInfo(arguments)) => arguments.take(line, self.hash),
            State::Arguments(Arguments::BundleUri) => {
                Err(ProtocolError::UnexpectedLine { line: shown(line) })
            }
        }
    }

    fn capability(&mut self, line: &[u8]) -> Result<(), ProtocolError> {
        let (key, value) = match line.iter().position(|&byte| byte == b'=') {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &[][..]),
        };
        match key {
            b"command" => return self.command(value),
            b"agent" => self.agent = Some(shown(value)),
            b"session-id" => {}
            b"object-format" => self.format = Some(shown(value)),
            b"server-option" => {
                if self.server_options.len() == MAX_SERVER_OPTIONS {
                    return Err(ProtocolError::TooManyLines);
                }
                self.server_options
                    .push(String::from_utf8_lossy(value).into_owned());
            }
            _ => {
                return Err(ProtocolError::UnknownCapability {
                    capability: shown(line),
                });
            }
        }
        Ok(())
    }

    fn command(&mut self, name: &[u8]) -> Result<(), ProtocolError> {
        let State::Capabilities(command) = &mut self.state else {
            return Err(ProtocolError::UnexpectedLine { line: shown(name) });
        };
        if command.is_some() {
            return Err(ProtocolError::SecondCommand {
                command: shown(name),
            });
        }
        *command = Some(match name {
            b"ls-refs" => Arguments::LsRefs(LsRefsLines::default()),
            b"fetch" => Arguments::Fetch(Box::default()),
            b"object-info" if self.offer.object_info => {
                Arguments::ObjectInfo(ObjectInfo::default())
            }
            b"bundle-uri" if self.offer.bundle_uri => Arguments::BundleUri,
            _ => {
                return Err(ProtocolError::InvalidCommand {
                    command: shown(name),
                });
            }
        });
        Ok(())
    }

    fn delimiter(&mut self) -> Result<(), ProtocolError> {
        match &mut self.state {
            State::Capabilities(command) => {
                let arguments = command.take().ok_or(ProtocolError::NoCommand)?;
                self.check_format()?;
                self.state = State::Arguments(arguments);
                Ok(())
            }
            State::Arguments(arguments) => Err(ProtocolError::ExpectedFlush {
                command: arguments.command(),
            }),
        }
    }

    /// A client that names no hash function means SHA-1.
    fn check_format(&self) -> Result<(), ProtocolError> {
        let client = self.format.as_deref().unwrap_or(HashKind::Sha1.name());
        if client == self.hash.name() {
            return Ok(());
        }
        Err(ProtocolError::ObjectFormat {
            server: self.hash,
            client: client.to_owned(),
        })
    }

    fn finish(&mut self) -> Result<Request, ProtocolError> {
        let done = std::mem::replace(self, Self::new(self.hash, self.offer));
        let ended = done.is_between_requests();
        if matches!(done.state, State::Capabilities(Some(_))) {
            done.check_format()?;
        }
        let command = match done.state {
            State::Capabilities(None) if ended => Command::End,
            State::Capabilities(None) => return Err(ProtocolError::NoCommand),
            State::Capabilities(Some(arguments)) | State::Arguments(arguments) => match arguments {
                Arguments::LsRefs(lines) => Command::LsRefs(lines.finish()),
                Arguments::Fetch(lines) => Command::Fetch(lines.finish()?),
                Arguments::ObjectInfo(arguments) => Command::ObjectInfo(arguments),
                Arguments::BundleUri => Command::BundleUri,
            },
        };
        Ok(Request {
            command,
            agent: done.agent,
            server_options: done.server_options,
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use git_id::{HashKind, ObjectId};
    use proptest::collection::vec;
    use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

    use super::{Command, Request, RequestParser};
    use crate::advertisement::V2Offer;
    use crate::pkt::Packet;
    use crate::{Deepen, ProtocolError};

    const OFFER: V2Offer = V2Offer {
        unborn: true,
        filter: true,
        ref_in_want: true,
        sideband_all: true,
        object_info: true,
        bundle_uri: true,
    };

    fn parse(hash: HashKind, text: &str) -> Result<Option<Request>, ProtocolError> {
        let mut parser = RequestParser::new(hash, OFFER);
        for line in text.lines() {
            let packet = match line {
                "0000" => Packet::Flush,
                "0001" => Packet::Delimiter,
                "0002" => Packet::ResponseEnd,
                line => Packet::Data(Bytes::from(format!("{line}\n"))),
            };
            if let Some(request) = parser.packet(&packet)? {
                return Ok(Some(request));
            }
        }
        Ok(None)
    }

    #[test]
    fn ls_refs_is_read_with_its_arguments() {
        let text = "command=ls-refs\nagent=git/2\nobject-format=sha1\nserver-option=a b\n0001\n\
                    peel\nsymrefs\nunborn\nref-prefix refs/heads/\nref-prefix HEAD\n0000";
        let request = parse(HashKind::Sha1, text).unwrap().unwrap();
        assert_eq!(request.agent.as_deref(), Some("git/2"));
        assert_eq!(request.server_options, ["a b"]);
        let Command::LsRefs(arguments) = request.command else {
            panic!("ls-refs")
        };
        assert!(arguments.peel && arguments.symrefs && arguments.unborn);
        assert!(arguments.matches("refs/heads/main") && arguments.matches("HEAD"));
        assert!(!arguments.matches("refs/tags/v1"));
    }

    #[test]
    fn fetch_is_read_with_its_arguments() {
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let text = format!(
            "command=fetch\n0001\nthin-pack\nno-progress\ninclude-tag\nofs-delta\nwait-for-done\n\
             want {a}\nwant {a}\nhave {b}\nshallow {b}\ndeepen 2\ndeepen-relative\ndone\n0000"
        );
        let Command::Fetch(fetch) = parse(HashKind::Sha1, &text).unwrap().unwrap().command else {
            panic!("fetch")
        };
        let (a, b): (ObjectId, ObjectId) = (a.parse().unwrap(), b.parse().unwrap());
        assert_eq!(
            (&fetch.wants[..], &fetch.haves[..], &fetch.shallow[..]),
            (&[a][..], &[b][..], &[b][..])
        );
        assert_eq!(
            fetch.deepen,
            Some(Deepen::Commits {
                count: 2,
                relative: true
            })
        );
        assert!(fetch.done && fetch.wait_for_done);
        let features = fetch.features;
        assert!(
            features.thin_pack
                && features.ofs_delta
                && features.include_tag
                && features.no_progress
        );
    }

    #[test]
    fn what_was_not_offered_is_an_error() {
        let nothing = V2Offer::default();
        for text in [
            "command=object-info",
            "command=bundle-uri",
            "command=fetch\n0001\nwant-ref refs/heads/a",
            "command=fetch\n0001\nsideband-all",
            "command=fetch\n0001\nfilter blob:none",
        ] {
            let lines = || {
                text.lines().map(|line| match line {
                    "0001" => Packet::Delimiter,
                    line => Packet::Data(Bytes::copy_from_slice(line.as_bytes())),
                })
            };
            let fails = |offer| {
                let mut parser = RequestParser::new(HashKind::Sha1, offer);
                lines().any(|packet| parser.packet(&packet).is_err())
            };
            assert_eq!((fails(nothing), fails(OFFER)), (true, false), "{text}");
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn every_fault_has_its_error() {
        let id = "a".repeat(64);
        let cases: &[(&str, ProtocolError)] = &[
            (
                "command=x\n0000",
                ProtocolError::InvalidCommand {
                    command: "x".into(),
                },
            ),
            ("agent=x\n0000", ProtocolError::NoCommand),
            ("0001", ProtocolError::NoCommand),
            ("0002", ProtocolError::SpecialPacket),
            (
                "thing",
                ProtocolError::UnknownCapability {
                    capability: "thing".into(),
                },
            ),
            (
                "command=fetch\ncommand=fetch",
                ProtocolError::SecondCommand {
                    command: "fetch".into(),
                },
            ),
            (
                "command=fetch\n0001\n0001",
                ProtocolError::ExpectedFlush { command: "fetch" },
            ),
            (
                "command=fetch\n0001\nwant-ref a\nwant-ref a",
                ProtocolError::DuplicateWantRef { name: "a".into() },
            ),
            (
                "command=bundle-uri\n0001\nx",
                ProtocolError::UnexpectedLine { line: "x".into() },
            ),
            (
                "command=object-info\n0001\noid x",
                ProtocolError::ExpectedObjectId {
                    line: "oid x".into(),
                },
            ),
            (
                "command=fetch\n0001\nfilter x",
                ProtocolError::InvalidFilter { spec: "x".into() },
            ),
            (
                "command=ls-refs\n0001\nfoo",
                ProtocolError::UnexpectedLine { line: "foo".into() },
            ),
            (
                "command=ls-refs\nobject-format=sha256\n0001",
                ProtocolError::ObjectFormat {
                    server: HashKind::Sha1,
                    client: "sha256".into(),
                },
            ),
            (
                "command=ls-refs\nobject-format=sha256\n0000",
                ProtocolError::ObjectFormat {
                    server: HashKind::Sha1,
                    client: "sha256".into(),
                },
            ),
            (
                &format!("command=fetch\n0001\nwant {id}"),
                ProtocolError::ExpectedObjectId {
                    line: format!("want {id}"),
                },
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(HashKind::Sha1, text), Err(expected.clone()), "{text}");
        }
        assert!(
            parse(HashKind::Sha256, "command=ls-refs\n0001").is_err(),
            "SHA-1 is meant by default"
        );
    }

    #[test]
    fn a_flush_alone_ends_and_requests_follow_one_another() {
        let mut parser = RequestParser::new(HashKind::Sha1, OFFER);
        assert!(parser.is_between_requests());
        let command = Packet::Data(Bytes::from_static(b"command=ls-refs"));
        assert_eq!(parser.packet(&command), Ok(None));
        assert!(!parser.is_between_requests());
        assert!(matches!(
            parser.packet(&Packet::Flush).unwrap().unwrap().command,
            Command::LsRefs(_)
        ));
        assert!(parser.is_between_requests());
        assert_eq!(
            parser.packet(&Packet::Flush).unwrap().unwrap().command,
            Command::End
        );
    }

    proptest! {
        #[test]
        fn no_packets_are_a_panic(packets in vec(arbitrary_packet(), 0..12)) {
            let mut parser = RequestParser::new(HashKind::Sha1, OFFER);
            for packet in packets {
                if parser.packet(&packet).is_err() {
                    break;
                }
            }
        }
    }

    fn arbitrary_packet() -> impl Strategy<Value = Packet> {
        let words = [
            "command=fetch",
            "command=ls-refs",
            "command=object-info",
            "oid ",
            "want-ref ",
            "want ",
            "have ",
            "deepen ",
            "ref-prefix ",
            "shallow ",
        ];
        prop_oneof![
            Just(Packet::Flush),
            Just(Packet::Delimiter),
            Just(Packet::ResponseEnd),
            vec(any::<u8>(), 0..60).prop_map(|data| Packet::Data(Bytes::from(data))),
            (0..words.len(), vec(any::<u8>(), 0..50)).prop_map(move |(word, tail)| {
                Packet::Data(Bytes::from([words[word].as_bytes(), &tail].concat()))
            }),
            (0..words.len())
                .prop_map(move |word| Packet::Data(Bytes::from_static(words[word].as_bytes()))),
        ]
    }
}
