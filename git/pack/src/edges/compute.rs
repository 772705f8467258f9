use std::sync::atomic::{AtomicBool, Ordering};

use git_id::ObjectId;

use super::{Edges, References};
use crate::defect::Defect;
use crate::entry::{Representation, parse_header};
use crate::objects::{MAX_READ_BYTES, Pack, ReadError};
use crate::resolve::{DeltaForest, Examine, ForestBuilder, ResolveError, Resolver, Start};
use crate::{Kind, NoProgress};

/// Distinct references kept at least, whatever the number of objects.
const MIN_REFERENCES: usize = 1 << 20;

/// Distinct references kept for each object of the pack.
const REFERENCES_PER_OBJECT: usize = 4;

/// Finds the edges of a stored pack by rebuilding all its commits, trees and
/// tags once, in parallel.
///
/// Gives nothing if an object is malformed. Copies added to complete a thin pack are not
/// told apart from the pack's own objects, which makes the roots and externals
/// more, never fewer.
pub(crate) fn compute_edges(
    pack: &Pack,
    threads: usize,
    cancel: &AtomicBool,
) -> Result<Option<Edges>, ReadError> {
    let (forest, starts) = scan(pack, cancel)?;
    let limit = MIN_REFERENCES.max(pack.count() as usize * REFERENCES_PER_OBJECT);
    let new = |_| Collector {
        pack,
        references: References::new(pack.hash(), pack.count(), limit),
        kinds: Vec::new(),
    };
    let mut collectors: Vec<_> = (0..threads.max(1)).map(new).collect();
    let bytes = &pack.bytes()[..pack.end() as usize];
    let resolver = Resolver {
        hash: pack.hash(),
        pack: bytes,
        forest: &forest,
        max_object_bytes: MAX_READ_BYTES,
        progress: &NoProgress,
        cancel,
    };
    resolver
        .run(&starts, &mut collectors)
        .map_err(|error| match error {
            ResolveError::Corrupt { offset, defect } => corrupt(pack, offset, defect),
            ResolveError::Examine(never) => match never {},
            ResolveError::Cancelled => ReadError::Cancelled,
        })?;
    let mut kinds = vec![Kind::Blob; pack.count() as usize];
    let mut references: Option<References> = None;
    for collector in collectors {
        for (entry, kind) in collector.kinds {
            kinds[entry as usize] = kind;
        }
        references = Some(match references {
            None => collector.references,
            Some(merged) => collector.references.merge(merged),
        });
    }
    let references = references.expect("there is at least one collector");
    let order = pack.by_offset();
    let mut own: Vec<(ObjectId, Kind)> = order
        .iter()
        .zip(kinds)
        .map(|(position, kind)| (pack.id(*position), kind))
        .collect();
    own.sort_unstable();
    own.dedup_by_key(|(id, _)| *id);
    let edges = references.edges(own.into_iter(), Vec::new(), |entry| {
        pack.id(order[entry as usize])
    });
    Ok(edges.ok().flatten())
}

/// Reads all entry headers.
fn scan(pack: &Pack, cancel: &AtomicBool) -> Result<(DeltaForest, Vec<Start>), ReadError> {
    let mut builder = ForestBuilder::with_capacity(pack.count());
    let mut starts = Vec::new();
    for position in pack.by_offset() {
        if cancel.load(Ordering::Relaxed) {
            return Err(ReadError::Cancelled);
        }
        let offset = pack.offset(*position);
        let bytes = pack
            .entry_bytes(offset)
            .ok_or_else(|| corrupt(pack, offset, Defect::BadBase))?;
        let header =
            parse_header(bytes, pack.hash()).map_err(|defect| corrupt(pack, offset, defect))?;
        let entry = builder
            .push(offset, &header.representation)
            .map_err(|defect| corrupt(pack, offset, defect))?;
        if let Representation::Whole(kind) = header.representation
            && kind != Kind::Blob
        {
            starts.push(Start {
                entry,
                kind,
                id: None,
                data: None,
            });
        }
    }
    Ok((builder.finish(), starts))
}

fn corrupt(pack: &Pack, offset: u64, defect: Defect) -> ReadError {
    ReadError::Corrupt {
        pack: pack.path().to_owned(),
        offset,
        defect,
    }
}

struct Collector<'a> {
    pack: &'a Pack,
    references: References,
    kinds: Vec<(u32, Kind)>,
}

impl Examine for Collector<'_> {
    type Error = std::convert::Infallible;

    fn examine(&mut self, entry: u32, kind: Kind, data: &[u8]) -> Result<ObjectId, Self::Error> {
        self.references.add(entry, kind, data);
        self.kinds.push((entry, kind));
        Ok(self.pack.id(self.pack.by_offset()[entry as usize]))
    }
}
