use super::{Pack, ReadError};
use crate::Kind;
use crate::defect::Defect;
use crate::entry::{Representation, parse_header};

/// Not known yet.
const UNKNOWN: u8 = u8::MAX;

/// The kind of every object of a pack, by position in its index.
///
/// A delta is of the kind of its base: only the headers of entries are read.
#[derive(Debug)]
pub(crate) struct Kinds(Vec<u8>);

impl Kinds {
    /// Reads all headers of a pack.
    pub(super) fn read(pack: &Pack) -> Result<Self, ReadError> {
        let mut kinds = vec![UNKNOWN; pack.count() as usize];
        let mut chain = Vec::new();
        for position in pack.by_offset() {
            let mut at = *position;
            let kind = loop {
                let known = kinds[at as usize];
                if known != UNKNOWN {
                    break known;
                }
                chain.push(at);
                match step(pack, at)? {
                    Step::Kind(kind) => break kind.entry_type(),
                    // A chain without end would be longer than the pack.
                    Step::Base(_) if chain.len() > kinds.len() => {
                        return Err(corrupt(pack, at, Defect::BadBase));
                    }
                    Step::Base(base) => at = base,
                }
            };
            for position in chain.drain(..) {
                kinds[position as usize] = kind;
            }
        }
        Ok(Self(kinds))
    }

    /// The kind of the object at a position.
    pub(crate) fn at(&self, position: u32) -> Kind {
        let all = [Kind::Commit, Kind::Tree, Kind::Blob, Kind::Tag];
        let kind = self.0[position as usize];
        let found = all.into_iter().find(|other| other.entry_type() == kind);
        found.expect("only entry types of kinds are stored")
    }
}

enum Step {
    Kind(Kind),
    Base(u32),
}

fn step(pack: &Pack, position: u32) -> Result<Step, ReadError> {
    let offset = pack.offset(position);
    let bad_base = || corrupt(pack, position, Defect::BadBase);
    let bytes = pack.entry_bytes(offset).ok_or_else(bad_base)?;
    let header =
        parse_header(bytes, pack.hash()).map_err(|defect| corrupt(pack, position, defect))?;
    let base = match header.representation {
        Representation::Whole(kind) => return Ok(Step::Kind(kind)),
        Representation::Offset(distance) => offset
            .checked_sub(distance)
            .and_then(|base| pack.position_at(base)),
        Representation::Reference(base) => pack.lookup(base.as_bytes()),
    };
    base.map(Step::Base).ok_or_else(bad_base)
}

fn corrupt(pack: &Pack, position: u32, defect: Defect) -> ReadError {
    ReadError::Corrupt {
        pack: pack.path().to_owned(),
        offset: pack.offset(position),
        defect,
    }
}
