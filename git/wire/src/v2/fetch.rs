use std::collections::HashSet;

use bytes::BytesMut;
use git_id::{HashKind, ObjectId};

use crate::deepen::DeepenLines;
use crate::error::{ProtocolError, shown};
use crate::pkt::{put_delimiter, put_flush, put_line};
use crate::{Deepen, Filter, Knowledge, PackFeatures};

/// The arguments of `fetch`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetch {
    /// What the client wants, each once.
    pub wants: Vec<ObjectId>,
    /// What it says to have, each once; not all known here.
    pub haves: Vec<ObjectId>,
    /// Commits whose parents the client lacks.
    pub shallow: Vec<ObjectId>,
    /// How much history it asks for.
    pub deepen: Option<Deepen>,
    /// What the client does without; the last one given counts.
    pub filter: Option<Filter>,
    /// What the pack may be like.
    pub features: PackFeatures,
    /// It has said all that it has and wants the pack.
    pub done: bool,
    /// It wants no pack before it says `done`.
    pub wait_for_done: bool,
}

#[derive(Debug, Default)]
pub(super) struct FetchLines {
    fetch: Fetch,
    deepen: DeepenLines,
    wanted: HashSet<ObjectId>,
    had: HashSet<ObjectId>,
}

impl FetchLines {
    pub(super) fn take(&mut self, line: &[u8], hash: HashKind) -> Result<(), ProtocolError> {
        let id = |hex: &[u8]| match ObjectId::from_hex(hex) {
            Ok(id) if id.kind() == hash => Ok(id),
            _ => Err(ProtocolError::ExpectedObjectId { line: shown(line) }),
        };
        if let Some(hex) = line.strip_prefix(b"want ") {
            let want = id(hex)?;
            if self.wanted.insert(want) {
                self.fetch.wants.push(want);
            }
        } else if let Some(hex) = line.strip_prefix(b"have ") {
            let have = id(hex)?;
            if self.had.insert(have) {
                self.fetch.haves.push(have);
            }
        } else if let Some(hex) = line.strip_prefix(b"shallow ") {
            self.fetch.shallow.push(id(hex)?);
        } else if let Some(spec) = line.strip_prefix(b"filter ") {
            self.fetch.filter = Some(Filter::parse(spec)?);
        } else if !self.deepen.take(line)? {
            self.word(line)?;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Fetch, ProtocolError> {
        Ok(Fetch {
            deepen: self.deepen.finish()?,
            ..self.fetch
        })
    }

    fn word(&mut self, line: &[u8]) -> Result<(), ProtocolError> {
        match line {
            b"done" => self.fetch.done = true,
            b"thin-pack" => self.fetch.features.thin_pack = true,
            b"ofs-delta" => self.fetch.features.ofs_delta = true,
            b"include-tag" => self.fetch.features.include_tag = true,
            b"no-progress" => self.fetch.features.no_progress = true,
            b"wait-for-done" => self.fetch.wait_for_done = true,
            b"deepen-relative" => self.deepen.relative = true,
            _ => return Err(ProtocolError::UnexpectedLine { line: shown(line) }),
        }
        Ok(())
    }
}

/// How a fetch goes on after its haves were answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Negotiated {
    /// The pack follows in this response. The objects are those that both sides
    /// have, in the client's order.
    SendPack(Vec<ObjectId>),
    /// The response ends here: the client says more in its next request, or
    /// wanted nothing.
    Finished,
}

/// Appends the `acknowledgments` section, if there must be one, and what ends
/// it: a delimiter before further sections, a flush at the response's end.
///
/// No acknowledgments after `done` or when the client said no haves; `ACK` and
/// `NAK` never together; after `ready` the pack follows in the same response.
pub fn put_acknowledgments<K: Knowledge>(
    out: &mut BytesMut,
    fetch: &Fetch,
    knowledge: &mut K,
) -> Result<Negotiated, K::Error> {
    if fetch.wants.is_empty() && !fetch.wait_for_done {
        return Ok(Negotiated::Finished);
    }
    let mut common = Vec::new();
    for have in &fetch.haves {
        if knowledge.contains(have)? {
            common.push(*have);
        }
    }
    if fetch.done || (fetch.haves.is_empty() && !fetch.wait_for_done) {
        return Ok(match fetch.wants.is_empty() {
            true => Negotiated::Finished,
            false => Negotiated::SendPack(common),
        });
    }
    put_line(out, format_args!("acknowledgments\n"));
    if common.is_empty() {
        put_line(out, format_args!("NAK\n"));
    }
    for id in &common {
        put_line(out, format_args!("ACK {id}\n"));
    }
    if !fetch.wait_for_done && !common.is_empty() && knowledge.is_ready(&common)? {
        put_line(out, format_args!("ready\n"));
        put_delimiter(out);
        return Ok(Negotiated::SendPack(common));
    }
    put_flush(out);
    Ok(Negotiated::Finished)
}

/// Appends the `shallow-info` section with its delimiter. It is there whenever
/// the client is shallow or asks to become so, empty or not.
///
/// `unshallow` has only commits that the client declared as shallow.
pub fn put_shallow_info(out: &mut BytesMut, shallow: &[ObjectId], unshallow: &[ObjectId]) {
    put_line(out, format_args!("shallow-info\n"));
    shallow
        .iter()
        .for_each(|id| put_line(out, format_args!("shallow {id}\n")));
    unshallow
        .iter()
        .for_each(|id| put_line(out, format_args!("unshallow {id}\n")));
    put_delimiter(out);
}

/// Appends the header of the `packfile` section. The pack follows on the large
/// side band, then a flush packet.
pub fn put_packfile_header(out: &mut BytesMut) {
    put_line(out, format_args!("packfile\n"));
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::BytesMut;
    use git_id::ObjectId;

    use super::{Fetch, Negotiated, put_acknowledgments};
    use crate::Knowledge;

    struct Known {
        ids: Vec<ObjectId>,
        ready: bool,
    }

    impl Knowledge for Known {
        type Error = Infallible;

        fn contains(&mut self, id: &ObjectId) -> Result<bool, Infallible> {
            Ok(self.ids.contains(id))
        }

        fn is_ready(&mut self, _: &[ObjectId]) -> Result<bool, Infallible> {
            Ok(self.ready)
        }
    }

    fn id(byte: u8) -> ObjectId {
        ObjectId::from_bytes(&[byte; 20]).unwrap()
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn the_answers_follow_the_protocol_s_corner_rules() {
        let base = Fetch {
            wants: vec![id(9)],
            ..Fetch::default()
        };
        let haves = |haves: &[u8]| Fetch {
            haves: haves.iter().copied().map(id).collect(),
            ..base.clone()
        };
        let (one, ack) = (id(1), format!("0031ACK {}\n", id(1)));
        let section = "0014acknowledgments\n";
        let nak = "0008NAK\n";
        let pack = |common: &[ObjectId]| Negotiated::SendPack(common.to_vec());
        let cases = [
            (
                "no wants",
                Fetch {
                    wants: vec![],
                    ..haves(&[1])
                },
                true,
                String::new(),
                Negotiated::Finished,
            ),
            (
                "clone",
                Fetch {
                    done: true,
                    ..base.clone()
                },
                true,
                String::new(),
                pack(&[]),
            ),
            (
                "no haves, no done",
                base.clone(),
                true,
                String::new(),
                pack(&[]),
            ),
            (
                "done with haves",
                Fetch {
                    done: true,
                    ..haves(&[1, 2])
                },
                true,
                String::new(),
                pack(&[one]),
            ),
            (
                "nothing common",
                haves(&[2]),
                true,
                format!("{section}{nak}0000"),
                Negotiated::Finished,
            ),
            (
                "common, not ready",
                haves(&[1, 2]),
                false,
                format!("{section}{ack}0000"),
                Negotiated::Finished,
            ),
            (
                "ready",
                haves(&[1, 2]),
                true,
                format!("{section}{ack}000aready\n0001"),
                pack(&[one]),
            ),
            (
                "waiting for done",
                Fetch {
                    wait_for_done: true,
                    ..haves(&[1])
                },
                true,
                format!("{section}{ack}0000"),
                Negotiated::Finished,
            ),
            (
                "negotiating without wants",
                Fetch {
                    wants: vec![],
                    wait_for_done: true,
                    ..haves(&[2])
                },
                true,
                format!("{section}{nak}0000"),
                Negotiated::Finished,
            ),
        ];
        for (case, fetch, ready, text, expected) in cases {
            let mut out = BytesMut::new();
            let mut known = Known {
                ids: vec![one],
                ready,
            };
            let Ok(negotiated) = put_acknowledgments(&mut out, &fetch, &mut known);
            assert_eq!(
                (negotiated, &out[..]),
                (expected, text.as_bytes()),
                "{case}"
            );
        }
    }
}
