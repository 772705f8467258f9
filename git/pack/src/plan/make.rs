use super::write::Writer;
use super::{Source, Span, WriteError};
use crate::Kind;
use crate::entry::{Representation, deflate, make_delta, push_base_distance, push_type_and_size};
use crate::objects::Loaded;

/// Entries smaller than this are not worth a delta of their own.
const MIN_STORED_BYTES: u64 = 128;

/// The longest chain of deltas made here.
const MAX_MADE_CHAIN: u32 = 50;

/// Larger objects are not compared to make a delta.
const MAX_DELTA_BYTES: usize = 32 << 20;

/// Entries that are not copied but made.
impl Writer<'_> {
    pub(super) fn load(&self, pack: usize, span: &Span) -> Result<Loaded, WriteError> {
        let objects = &self.plan.objects;
        Ok(objects.with_reader(|reader| reader.load_packed(objects, pack, span.start))?)
    }

    /// Whether it is worth the time to look for a delta for an entry that is stored whole.
    pub(super) fn may_be_delta(&self, pack: usize, span: &Span) -> bool {
        span.end - span.start >= MIN_STORED_BYTES
            && self.plan.versions.has(&Source::Packed(pack, span.start))
    }

    /// Writes an object as a delta against another version of it that the receiver has by
    /// then, if that takes fewer than `stored` bytes and less than half of the object;
    /// whether it did.
    pub(super) fn put_delta(
        &mut self,
        source: Source,
        kind: Kind,
        data: &[u8],
        stored: u64,
    ) -> Result<bool, WriteError> {
        let Some((base, representation)) = self.similar(source)? else {
            return Ok(false);
        };
        if base.kind != kind || data.len().max(base.data.len()) > MAX_DELTA_BYTES {
            return Ok(false);
        }
        let Some(delta) = make_delta(&base.data, data, data.len() / 2) else {
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
            let depth = self
                .depths
                .get(&(self.out.offset() - distance))
                .copied()
                .unwrap_or(0);
            self.depths.insert(self.out.offset(), depth + 1);
        }
        self.written.deltas += 1;
        self.out.put(&entry)?;
        Ok(true)
    }

    /// A version of an object, and how a delta refers to it: one that was written
    /// before, or one that the client has.
    ///
    /// What was written before builds on nothing that comes later, unless some stored
    /// delta that names a later base was copied: then only the client's own will do.
    fn similar(&self, source: Source) -> Result<Option<(Loaded, Representation)>, WriteError> {
        let objects = &self.plan.objects;
        if let Some((pack, offset)) = self.plan.versions.newer(&source)
            && self.plan.options.ofs_delta
            && !self.names_later_base
            && let Some(placed) = self.placements.placed_at(pack, offset)
            && self
                .depths
                .get(&placed)
                .is_none_or(|depth| *depth < MAX_MADE_CHAIN)
        {
            let base = objects.with_reader(|reader| reader.load_packed(objects, pack, offset))?;
            return Ok(Some((
                base,
                Representation::Offset(self.out.offset() - placed),
            )));
        }
        let Some(older) = self.plan.versions.older(&source) else {
            return Ok(None);
        };
        let base = objects.with_reader(|reader| reader.load(objects, &older))?;
        Ok(base.map(|base| (base, Representation::Reference(older))))
    }

    pub(super) fn put_whole_object(&mut self, kind: Kind, data: &[u8]) -> Result<(), WriteError> {
        let mut entry = Vec::new();
        push_type_and_size(&mut entry, &Representation::Whole(kind), data.len() as u64);
        deflate(data, &mut entry);
        self.out.put(&entry)
    }
}
