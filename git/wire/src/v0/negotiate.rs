use bytes::BytesMut;
use git_id::{HashKind, ObjectId};

use crate::error::{ProtocolError, shown};
use crate::pkt::{Packet, put_line};
use crate::{Knowledge, MAX_REQUEST_LINES};

/// How haves are acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckMode {
    /// One `ACK` for the first common object.
    Single,
    /// `multi_ack`: `ACK … continue`.
    Multi,
    /// `multi_ack_detailed`: `ACK … common` and `ACK … ready`.
    Detailed,
}

/// What ended a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminator {
    /// A flush packet: the client waits for the answer.
    Flush,
    /// `done`: the client waits for the pack.
    Done,
}

/// Some haves and what ended them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// What the client says to have.
    pub haves: Vec<ObjectId>,
    /// What ended them.
    pub terminator: Terminator,
}

/// Reads rounds, one after the other.
#[derive(Debug)]
pub struct RoundParser {
    hash: HashKind,
    haves: Vec<ObjectId>,
}

impl RoundParser {
    /// A parser for a repository with that hash function.
    pub fn new(hash: HashKind) -> Self {
        Self {
            hash,
            haves: Vec::new(),
        }
    }

    /// Takes the next packet; returns the round that it completes.
    pub fn packet(&mut self, packet: &Packet) -> Result<Option<Round>, ProtocolError> {
        let line = match packet {
            Packet::Flush => return Ok(Some(self.finish(Terminator::Flush))),
            Packet::Delimiter | Packet::ResponseEnd => return Err(ProtocolError::SpecialPacket),
            Packet::Data(_) => packet.line().unwrap_or_default(),
        };
        if line == b"done" {
            return Ok(Some(self.finish(Terminator::Done)));
        }
        if self.haves.len() == MAX_REQUEST_LINES {
            return Err(ProtocolError::TooManyLines);
        }
        let expected = || ProtocolError::ExpectedHave { line: shown(line) };
        let hex = line.strip_prefix(b"have ").ok_or_else(expected)?;
        let id = ObjectId::from_hex(hex)
            .ok()
            .filter(|id| id.kind() == self.hash);
        self.haves.push(id.ok_or_else(expected)?);
        Ok(None)
    }

    fn finish(&mut self, terminator: Terminator) -> Round {
        Round {
            haves: std::mem::take(&mut self.haves),
            terminator,
        }
    }
}

/// What follows a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read another round from the same stream. A stateless connection ends
    /// here instead: the client comes back with another request.
    Continue,
    /// Send the pack.
    SendPack,
}

/// The server's side of the negotiation.
#[derive(Debug)]
pub struct Negotiation {
    acks: AckMode,
    no_done: bool,
    common: Vec<ObjectId>,
    sent_ready: bool,
}

impl Negotiation {
    /// A negotiation at its start.
    pub fn new(acks: AckMode, no_done: bool) -> Self {
        Self {
            acks,
            no_done,
            common: Vec::new(),
            sent_ready: false,
        }
    }

    /// The objects that both sides have, in the client's order.
    pub fn into_common(self) -> Vec<ObjectId> {
        self.common
    }

    /// Answers a round.
    pub fn round<K: Knowledge>(
        &mut self,
        out: &mut BytesMut,
        round: &Round,
        knowledge: &mut K,
    ) -> Result<Step, K::Error> {
        let (mut got_common, mut got_other) = (false, false);
        for have in &round.haves {
            if knowledge.contains(have)? {
                got_common = true;
                self.common.push(*have);
                self.acknowledge(out, have);
            } else {
                got_other = true;
                self.other(out, have, knowledge)?;
            }
        }
        match round.terminator {
            Terminator::Flush => self.flush(out, got_common && !got_other, knowledge),
            Terminator::Done => {
                match self.common.last() {
                    None => put_line(out, format_args!("NAK\n")),
                    Some(last) if self.acks != AckMode::Single => {
                        put_line(out, format_args!("ACK {last}\n"));
                    }
                    Some(_) => {}
                }
                Ok(Step::SendPack)
            }
        }
    }

    fn acknowledge(&self, out: &mut BytesMut, id: &ObjectId) {
        match self.acks {
            AckMode::Detailed => put_line(out, format_args!("ACK {id} common\n")),
            AckMode::Multi => put_line(out, format_args!("ACK {id} continue\n")),
            AckMode::Single if self.common.len() == 1 => put_line(out, format_args!("ACK {id}\n")),
            AckMode::Single => {}
        }
    }

    /// The client has something that the repository lacks: it need not look
    /// further back on that line of history once enough is common.
    fn other<K: Knowledge>(
        &mut self,
        out: &mut BytesMut,
        id: &ObjectId,
        knowledge: &mut K,
    ) -> Result<(), K::Error> {
        if self.acks == AckMode::Single || !self.is_ready(knowledge)? {
            return Ok(());
        }
        if self.acks == AckMode::Detailed {
            self.sent_ready = true;
            put_line(out, format_args!("ACK {id} ready\n"));
        } else {
            put_line(out, format_args!("ACK {id} continue\n"));
        }
        Ok(())
    }

    fn flush<K: Knowledge>(
        &mut self,
        out: &mut BytesMut,
        all_common: bool,
        knowledge: &mut K,
    ) -> Result<Step, K::Error> {
        let last = self.common.last().copied();
        if let Some(last) = last
            && self.acks == AckMode::Detailed
            && all_common
            && self.is_ready(knowledge)?
        {
            self.sent_ready = true;
            put_line(out, format_args!("ACK {last} ready\n"));
        }
        if last.is_none() || self.acks != AckMode::Single {
            put_line(out, format_args!("NAK\n"));
        }
        match last {
            Some(last) if self.no_done && self.sent_ready => {
                put_line(out, format_args!("ACK {last}\n"));
                Ok(Step::SendPack)
            }
            _ => Ok(Step::Continue),
        }
    }

    fn is_ready<K: Knowledge>(&self, knowledge: &mut K) -> Result<bool, K::Error> {
        Ok(!self.common.is_empty() && knowledge.is_ready(&self.common)?)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::{Bytes, BytesMut};
    use git_id::{HashKind, ObjectId};

    use super::{AckMode, Negotiation, Round, RoundParser, Step, Terminator};
    use crate::pkt::Packet;
    use crate::{Knowledge, ProtocolError};

    /// Knows the ids below 10; is ready once 5 is common.
    struct Known;

    impl Knowledge for Known {
        type Error = Infallible;

        fn contains(&mut self, id: &ObjectId) -> Result<bool, Infallible> {
            Ok(id.as_bytes()[0] < 10)
        }

        fn is_ready(&mut self, common: &[ObjectId]) -> Result<bool, Infallible> {
            Ok(common.contains(&id(5)))
        }
    }

    fn id(byte: u8) -> ObjectId {
        ObjectId::from_bytes(&[byte; 20]).unwrap()
    }

    /// Runs rounds; each answer as words with ids shortened to their first byte.
    fn run(acks: AckMode, no_done: bool, rounds: &[(&[u8], Terminator)]) -> (String, Step) {
        let mut negotiation = Negotiation::new(acks, no_done);
        let (mut text, mut last) = (String::new(), Step::Continue);
        for (haves, terminator) in rounds {
            let mut out = BytesMut::new();
            let round = Round {
                haves: haves.iter().copied().map(id).collect(),
                terminator: *terminator,
            };
            let Ok(step) = negotiation.round(&mut out, &round, &mut Known);
            last = step;
            let answer = String::from_utf8(out.to_vec()).unwrap();
            for line in answer.lines() {
                let line = &line[4..];
                let short = line
                    .split(' ')
                    .map(|word| if word.len() == 40 { &word[..2] } else { word });
                text.push_str(&short.collect::<Vec<_>>().join(" "));
                text.push(';');
            }
            text.push('|');
        }
        (text, last)
    }

    type Case = (
        AckMode,
        bool,
        &'static [(&'static [u8], Terminator)],
        &'static str,
        Step,
    );

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn acknowledgments_are_those_of_the_protocol_document() {
        use AckMode::{Detailed, Multi, Single};
        use Step::{Continue, SendPack};
        use Terminator::{Done, Flush};
        let cases: &[Case] = &[
            (Single, false, &[(&[], Done)], "NAK;|", SendPack),
            (
                Single,
                false,
                &[(&[20], Flush), (&[], Done)],
                "NAK;|NAK;|",
                SendPack,
            ),
            (
                Single,
                false,
                &[(&[20, 1, 2], Flush), (&[], Done)],
                "ACK 01;||",
                SendPack,
            ),
            (
                Multi,
                false,
                &[(&[1, 20], Flush), (&[], Done)],
                "ACK 01 continue;NAK;|ACK 01;|",
                SendPack,
            ),
            (
                Multi,
                false,
                &[(&[5, 20], Flush)],
                "ACK 05 continue;ACK 14 continue;NAK;|",
                Continue,
            ),
            (
                Detailed,
                false,
                &[(&[1], Flush), (&[], Done)],
                "ACK 01 common;NAK;|ACK 01;|",
                SendPack,
            ),
            (
                Detailed,
                false,
                &[(&[5], Flush)],
                "ACK 05 common;ACK 05 ready;NAK;|",
                Continue,
            ),
            (
                Detailed,
                false,
                &[(&[5, 20], Flush)],
                "ACK 05 common;ACK 14 ready;NAK;|",
                Continue,
            ),
            (
                Detailed,
                true,
                &[(&[5], Flush)],
                "ACK 05 common;ACK 05 ready;NAK;ACK 05;|",
                SendPack,
            ),
            (
                Detailed,
                true,
                &[(&[20], Flush), (&[], Done)],
                "NAK;|NAK;|",
                SendPack,
            ),
        ];
        for (acks, no_done, rounds, text, step) in cases {
            assert_eq!(
                run(*acks, *no_done, rounds),
                ((*text).to_owned(), *step),
                "{acks:?} {rounds:?}"
            );
        }
    }

    #[test]
    fn rounds_end_with_a_flush_or_done() {
        let mut parser = RoundParser::new(HashKind::Sha1);
        let have = Packet::Data(Bytes::from(format!("have {}\n", id(3))));
        assert_eq!(parser.packet(&have), Ok(None));
        let round = parser.packet(&Packet::Flush).unwrap().unwrap();
        assert_eq!(
            round,
            Round {
                haves: vec![id(3)],
                terminator: Terminator::Flush
            }
        );
        let done = parser
            .packet(&Packet::Data(Bytes::from_static(b"done\n")))
            .unwrap()
            .unwrap();
        assert_eq!(
            done,
            Round {
                haves: vec![],
                terminator: Terminator::Done
            }
        );
        let bad = parser.packet(&Packet::Data(Bytes::from_static(b"have x")));
        assert_eq!(
            bad,
            Err(ProtocolError::ExpectedHave {
                line: "have x".to_owned()
            })
        );
    }
}
