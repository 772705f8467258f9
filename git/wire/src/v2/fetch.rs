use std::collections::HashSet;

use git_id::{HashKind, ObjectId};

use super::Sections;
use crate::advertisement::V2Offer;
use crate::deepen::DeepenLines;
use crate::error::{ProtocolError, shown};
use crate::{Deepen, Filter, Knowledge, PackFeatures};

/// The arguments of `fetch`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetch {
    /// What the client wants, each once.
    pub wants: Vec<ObjectId>,
    /// Names of refs whose objects it wants too, each once.
    pub want_refs: Vec<String>,
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
    /// The whole response is to be on the side band.
    pub sideband_all: bool,
}

impl Fetch {
    /// Whether it asks for no object at all.
    pub fn wants_nothing(&self) -> bool {
        self.wants.is_empty() && self.want_refs.is_empty()
    }
}

#[derive(Debug, Default)]
pub(super) struct FetchLines {
    fetch: Fetch,
    deepen: DeepenLines,
    wanted: HashSet<ObjectId>,
    wanted_refs: HashSet<String>,
    had: HashSet<ObjectId>,
}

impl FetchLines {
    pub(super) fn take(
        &mut self,
        line: &[u8],
        hash: HashKind,
        offer: V2Offer,
    ) -> Result<(), ProtocolError> {
        let id = |hex: &[u8]| match ObjectId::from_hex(hex) {
            Ok(id) if id.kind() == hash => Ok(id),
            _ => Err(ProtocolError::ExpectedObjectId { line: shown(line) }),
        };
        if let Some(hex) = line.strip_prefix(b"want ") {
            let want = id(hex)?;
            if self.wanted.insert(want) {
                self.fetch.wants.push(want);
            }
        } else if let Some(name) = line.strip_prefix(b"want-ref ")
            && offer.ref_in_want
        {
            self.want_ref(name)?;
        } else if let Some(hex) = line.strip_prefix(b"have ") {
            let have = id(hex)?;
            if self.had.insert(have) {
                self.fetch.haves.push(have);
            }
        } else if let Some(hex) = line.strip_prefix(b"shallow ") {
            self.fetch.shallow.push(id(hex)?);
        } else if let Some(spec) = line.strip_prefix(b"filter ")
            && offer.filter
        {
            self.fetch.filter = Some(Filter::parse(spec)?);
        } else if !self.deepen.take(line)? {
            self.word(line, offer)?;
        }
        Ok(())
    }

    fn want_ref(&mut self, name: &[u8]) -> Result<(), ProtocolError> {
        // Every name here is UTF-8: with a replacement character it is unknown.
        let name = String::from_utf8_lossy(name).into_owned();
        if !self.wanted_refs.insert(name.clone()) {
            return Err(ProtocolError::DuplicateWantRef {
                name: shown(name.as_bytes()),
            });
        }
        self.fetch.want_refs.push(name);
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Fetch, ProtocolError> {
        Ok(Fetch {
            deepen: self.deepen.finish()?,
            ..self.fetch
        })
    }

    fn word(&mut self, line: &[u8], offer: V2Offer) -> Result<(), ProtocolError> {
        match line {
            b"done" => self.fetch.done = true,
            b"thin-pack" => self.fetch.features.thin_pack = true,
            b"ofs-delta" => self.fetch.features.ofs_delta = true,
            b"include-tag" => self.fetch.features.include_tag = true,
            b"no-progress" => self.fetch.features.no_progress = true,
            b"wait-for-done" => self.fetch.wait_for_done = true,
            b"sideband-all" if offer.sideband_all => self.fetch.sideband_all = true,
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
    out: &mut Sections,
    fetch: &Fetch,
    knowledge: &mut K,
) -> Result<Negotiated, K::Error> {
    if fetch.wants_nothing() && !fetch.wait_for_done {
        return Ok(Negotiated::Finished);
    }
    let mut common = Vec::new();
    for have in &fetch.haves {
        if knowledge.contains(have)? {
            common.push(*have);
        }
    }
    if fetch.done || (fetch.haves.is_empty() && !fetch.wait_for_done) {
        return Ok(match fetch.wants_nothing() {
            true => Negotiated::Finished,
            false => Negotiated::SendPack(common),
        });
    }
    out.line(format_args!("acknowledgments\n"));
    if common.is_empty() {
        out.line(format_args!("NAK\n"));
    }
    for id in &common {
        out.line(format_args!("ACK {id}\n"));
    }
    if !fetch.wait_for_done && !common.is_empty() && knowledge.is_ready(&common)? {
        out.line(format_args!("ready\n"));
        out.delimiter();
        return Ok(Negotiated::SendPack(common));
    }
    out.flush();
    Ok(Negotiated::Finished)
}

/// Appends the `shallow-info` section with its delimiter. It is there whenever
/// the client is shallow or asks to become so, empty or not.
///
/// `unshallow` has only commits that the client declared as shallow.
pub fn put_shallow_info(out: &mut Sections, shallow: &[ObjectId], unshallow: &[ObjectId]) {
    out.line(format_args!("shallow-info\n"));
    for id in shallow {
        out.line(format_args!("shallow {id}\n"));
    }
    for id in unshallow {
        out.line(format_args!("unshallow {id}\n"));
    }
    out.delimiter();
}

/// Appends the `wanted-refs` section with its delimiter, if the client wanted any
/// ref by name: what each of them is.
pub fn put_wanted_refs(out: &mut Sections, refs: &[(String, ObjectId)]) {
    if refs.is_empty() {
        return;
    }
    out.line(format_args!("wanted-refs\n"));
    for (name, id) in refs {
        out.line(format_args!("{id} {name}\n"));
    }
    out.delimiter();
}

/// Appends the header of the `packfile` section. The pack follows on the large
/// side band, then a flush packet.
pub fn put_packfile_header(out: &mut Sections) {
    out.line(format_args!("packfile\n"));
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use git_id::ObjectId;

    use super::{Fetch, Negotiated, put_acknowledgments};
    use crate::Knowledge;
    use crate::v2::Sections;

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
            let mut out = Sections::default();
            let mut known = Known {
                ids: vec![one],
                ready,
            };
            let Ok(negotiated) = put_acknowledgments(&mut out, &fetch, &mut known);
            assert_eq!(
                (negotiated, &out.into_bytes()[..]),
                (expected, text.as_bytes()),
                "{case}"
            );
        }
    }
}
