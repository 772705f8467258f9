use super::versions::Version;
use super::write::Writer;
use super::{Source, Span, WriteError};
use crate::Kind;
use crate::entry::{Representation, deflate, make_delta, push_base_distance, push_type_and_size};
use crate::objects::Loaded;

/// Entries smaller than this are not worth a delta of their own.
const MIN_STORED_BYTES: u64 = 128;

/// Stored deltas smaller than this are not worth looking for another.
const MIN_STORED_DELTA_BYTES: u64 = 1 << 10;

/// The longest chain of deltas made here.
const MAX_MADE_CHAIN: u32 = 50;

/// Larger objects are not compared to make a delta.
const MAX_DELTA_BYTES: usize = 32 << 20;

/// Bases that are tried for one object.
const MAX_BASES: usize = 4;

/// Versions that are looked at for bases of one object.
const MAX_VERSIONS: usize = 32;

/// A delta that takes one byte for so many of the object is good enough.
const GOOD_RATIO: usize = 256;

/// Entries that are not copied but made.
impl Writer<'_> {
    pub(super) fn load(&self, pack: usize, span: &Span) -> Result<Loaded, WriteError> {
        let objects = &self.plan.objects;
        Ok(objects.with_reader(|reader| reader.load_packed(objects, pack, span.start))?)
    }

    /// Whether it is worth the time to look for a delta for an entry, or for another one if
    /// it is stored as one.
    pub(super) fn may_be_delta(&self, pack: usize, span: &Span, is_delta: bool) -> bool {
        let least = match is_delta {
            true => MIN_STORED_DELTA_BYTES,
            false => MIN_STORED_BYTES,
        };
        span.end - span.start >= least && self.plan.versions.has(Source::Packed(pack, span.start))
    }

    /// Writes an object as a delta against another version of it that the receiver has by
    /// then, the one that makes the smallest, if that takes fewer than `stored` bytes and less than
    /// half of the object; whether it did.
    pub(super) fn put_delta(
        &mut self,
        source: Source,
        kind: Kind,
        data: &[u8],
        stored: u64,
    ) -> Result<bool, WriteError> {
        let mut best: Option<(Vec<u8>, Representation)> = None;
        let mut limit = data.len() / 2;
        for (base, representation) in self.bases(source) {
            let Some(base) = self.load_base(&base)? else {
                continue;
            };
            if base.kind != kind || data.len().max(base.data.len()) > MAX_DELTA_BYTES {
                continue;
            }
            if let Some(delta) = make_delta(&base.data, data, limit) {
                limit = delta.len().saturating_sub(1);
                best = Some((delta, representation));
            }
            if limit <= data.len() / GOOD_RATIO {
                break;
            }
        }
        let Some((delta, representation)) = best else {
            return Ok(false);
        };
        let mut entry = Vec::new();
        push_type_and_size(&mut entry, &representation, delta.len() as u64);
        match representation {
            Representation::Offset(distance) => push_base_distance(&mut entry, distance),
            Representation::Reference(id) => entry.extend_from_slice(id.as_bytes()),
            Representation::Whole(_) => {}
        }
        deflate(&delta, &mut entry);
        if entry.len() as u64 >= stored {
            return Ok(false);
        }
        if let Representation::Offset(distance) = representation {
            let depth = self.depth(self.out.offset() - distance);
            self.depths.insert(self.out.offset(), depth + 1);
        }
        self.written.deltas += 1;
        self.out.put(&entry)?;
        Ok(true)
    }

    /// Versions of an object that a delta may build on, the closest first, and how it refers to
    /// them: what was written before, or what the client has.
    ///
    /// What was written before builds on nothing that comes later, unless some stored
    /// delta that names a later base was copied: then only the client's own will do.
    fn bases(&self, source: Source) -> Vec<(Version, Representation)> {
        let distances = self.plan.options.ofs_delta && !self.names_later_base;
        let mut bases = Vec::new();
        let mut seen = vec![source];
        let mut next = 0;
        while let Some(source) = seen.get(next).copied()
            && bases.len() < MAX_BASES
        {
            next += 1;
            for version in self.plan.versions.of(source) {
                match version {
                    Version::Had(id) => bases.push((version, Representation::Reference(id))),
                    Version::Sent(other) if !seen.contains(&other) && seen.len() < MAX_VERSIONS => {
                        seen.push(other);
                        if let Source::Packed(pack, offset) = other
                            && distances
                            && let Some(placed) = self.placements.placed_at(pack, offset)
                            && self.depth(placed) < MAX_MADE_CHAIN
                        {
                            let distance = self.out.offset() - placed;
                            bases.push((version, Representation::Offset(distance)));
                        }
                    }
                    Version::Sent(_) => {}
                }
            }
        }
        bases.dedup();
        bases.truncate(MAX_BASES);
        bases
    }

    /// How many deltas made here the entry at an offset builds on.
    fn depth(&self, offset: u64) -> u32 {
        self.depths.get(&offset).copied().unwrap_or(0)
    }

    fn load_base(&self, base: &Version) -> Result<Option<Loaded>, WriteError> {
        let objects = &self.plan.objects;
        let loaded = objects.with_reader(|reader| match base {
            Version::Sent(Source::Packed(pack, offset)) => {
                reader.load_packed(objects, *pack, *offset).map(Some)
            }
            Version::Sent(Source::Loose(_)) => Ok(None),
            Version::Had(id) => reader.load(objects, id),
        });
        Ok(loaded?)
    }

    pub(super) fn put_whole_object(&mut self, kind: Kind, data: &[u8]) -> Result<(), WriteError> {
        let mut entry = Vec::new();
        push_type_and_size(&mut entry, &Representation::Whole(kind), data.len() as u64);
        deflate(data, &mut entry);
        self.out.put(&entry)
    }
}
