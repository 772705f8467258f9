use std::collections::HashMap;
use std::io::Write;
use std::sync::atomic::AtomicBool;

use git_id::ObjectId;

use super::bases::{Base, Placements};
use super::output::{Output, send_all};
use super::{Content, Plan, Source, Span, WriteError, Written};
use crate::Progress;
use crate::defect::Defect;
use crate::entry::{
    EntryHeader, Representation, parse_header, push_base_distance, push_type_and_size,
};
use crate::objects::{PACK_HEADER_BYTES, Pack, ReadError};

/// Entries between two words to the progress.
const ENTRIES_PER_REPORT: u64 = 256;

impl Plan {
    /// Writes the pack to `out`. The order of the objects is that in which they are
    /// stored.
    ///
    /// # Errors
    ///
    /// `out` fails, or an object that must be read is damaged.
    pub fn write(
        &self,
        out: &mut dyn Write,
        progress: &dyn Progress,
        cancel: &AtomicBool,
    ) -> Result<Written, WriteError> {
        progress.stage("Writing objects", Some(u64::from(self.count)));
        let written = match self.verbatim_pack() {
            Some(pack) => {
                let bytes = self.objects.pack_list()[pack].bytes();
                send_all(out, bytes, cancel)?;
                progress.advance(u64::from(self.count));
                Written {
                    objects: self.count,
                    reused: self.count,
                    bytes: bytes.len() as u64,
                    ..Written::default()
                }
            }
            None => Writer::new(self, out, progress, cancel).run()?,
        };
        progress.done();
        Ok(written)
    }
}

/// Writes a plan, entry by entry.
pub(super) struct Writer<'a> {
    pub(super) plan: &'a Plan,
    pub(super) out: Output<'a>,
    progress: &'a dyn Progress,
    unreported: u64,
    pub(super) placements: Placements<'a>,
    pub(super) written: Written,
    header: Vec<u8>,
    /// A delta was copied whose base comes later.
    pub(super) names_later_base: bool,
    /// For deltas made here, by offset, how many of them build on each other.
    pub(super) depths: HashMap<u64, u32>,
}

impl<'a> Writer<'a> {
    fn new(
        plan: &'a Plan,
        out: &'a mut dyn Write,
        progress: &'a dyn Progress,
        cancel: &'a AtomicBool,
    ) -> Self {
        Self {
            plan,
            out: Output::new(out, plan.objects.hash(), cancel),
            progress,
            unreported: 0,
            placements: Placements::new(plan),
            written: Written::default(),
            header: Vec::new(),
            names_later_base: false,
            depths: HashMap::new(),
        }
    }

    fn run(mut self) -> Result<Written, WriteError> {
        let mut header = *b"PACK\0\0\0\x02\0\0\0\0";
        header[8..].copy_from_slice(&self.plan.count.to_be_bytes());
        self.out.put(&header)?;
        for part in &self.plan.parts {
            match &part.content {
                Content::Whole => self.whole(part.pack)?,
                Content::Entries(spans) => self.entries(part.pack, spans)?,
            }
        }
        for (source, id) in &self.plan.loose {
            let missing = || {
                WriteError::Read(ReadError::Missing {
                    id: *id,
                    referrer: None,
                })
            };
            let object = self.plan.objects.read(id)?.ok_or_else(missing)?;
            if !self.put_delta(*source, object.kind, &object.data, u64::MAX)? {
                self.put_whole_object(object.kind, &object.data)?;
            }
            self.report(1);
        }
        self.progress.advance(self.unreported);
        let (_, bytes) = self.out.finish()?;
        Ok(Written {
            objects: self.plan.count,
            bytes,
            ..self.written
        })
    }

    fn report(&mut self, entries: u64) {
        self.unreported += entries;
        if self.unreported >= ENTRIES_PER_REPORT {
            self.progress.advance(std::mem::take(&mut self.unreported));
        }
    }

    fn pack(&self, pack: usize) -> &'a Pack {
        &self.plan.objects.pack_list()[pack]
    }

    /// Copies all entries of a pack. Distances between them stay what they are.
    fn whole(&mut self, pack: usize) -> Result<(), WriteError> {
        let source = self.pack(pack);
        self.placements.begin_whole(pack, self.out.offset());
        self.out
            .put(&source.bytes()[PACK_HEADER_BYTES as usize..source.end() as usize])?;
        self.written.reused += source.count();
        self.report(u64::from(source.count()));
        Ok(())
    }

    fn entries(&mut self, pack: usize, spans: &'a [Span]) -> Result<(), WriteError> {
        self.placements.begin_entries(pack, spans);
        let mut run: Option<Run> = None;
        for span in spans {
            let header = self.header_at(pack, span)?;
            let continues = run.as_ref().filter(|run| run.end == span.start);
            let offset = self.out.offset() + run.as_ref().map_or(0, |run| run.end - run.start);
            let in_run = match (continues, header.representation) {
                (Some(run), Representation::Offset(distance)) => {
                    span.start - run.start >= distance && !self.may_be_delta(pack, span, true)
                }
                (Some(_), Representation::Whole(_)) => !self.may_be_delta(pack, span, false),
                _ => false,
            };
            if let Some(run) = run.as_mut().filter(|_| in_run) {
                run.end = span.end;
                self.written.reused += 1;
                let is_delta = !matches!(header.representation, Representation::Whole(_));
                self.written.deltas += u32::from(is_delta);
                self.written.reused_deltas += u32::from(is_delta);
                self.placements.place(offset);
            } else {
                self.flush(pack, run.take())?;
                run = self.entry(pack, span, &header)?;
            }
            self.report(1);
        }
        self.flush(pack, run)
    }

    /// Writes an entry, or begins a run of entries that are copied together.
    fn entry(
        &mut self,
        pack: usize,
        span: &Span,
        header: &EntryHeader,
    ) -> Result<Option<Run>, WriteError> {
        let offset = self.out.offset();
        let run = Run {
            start: span.start,
            end: span.end,
        };
        let is_delta = !matches!(header.representation, Representation::Whole(_));
        if self.may_be_delta(pack, span, is_delta) && self.put_made(pack, span)? {
            self.placements.place(offset);
            return Ok(None);
        }
        let (base, base_id) = match header.representation {
            Representation::Whole(_) => {
                self.placements.place(offset);
                self.written.reused += 1;
                return Ok(Some(run));
            }
            Representation::Offset(distance) => self.base_at(pack, span, distance)?,
            Representation::Reference(base) => (self.placements.base_named(pack, &base), base),
        };
        self.placements.place(offset);
        let representation = match base {
            Base::Nowhere => {
                let loaded = self.load(pack, span)?;
                let source = Source::Packed(pack, span.start);
                if !self.put_delta(source, loaded.kind, &loaded.data, u64::MAX)? {
                    self.put_whole_object(loaded.kind, &loaded.data)?;
                }
                return Ok(None);
            }
            Base::Before(base) if self.plan.options.ofs_delta => {
                Representation::Offset(offset - base)
            }
            Base::Before(_) | Base::Later | Base::WithClient => Representation::Reference(base_id),
        };
        self.names_later_base |= matches!(base, Base::Later);
        self.written.reused += 1;
        self.written.deltas += 1;
        self.written.reused_deltas += 1;
        if representation == header.representation {
            return Ok(Some(run));
        }
        let mut bytes = std::mem::take(&mut self.header);
        bytes.clear();
        push_type_and_size(&mut bytes, &representation, header.size);
        match representation {
            Representation::Offset(distance) => push_base_distance(&mut bytes, distance),
            _ => bytes.extend_from_slice(base_id.as_bytes()),
        }
        self.out.put(&bytes)?;
        self.header = bytes;
        let body = span.start + header.length as u64;
        Ok(Some(Run {
            start: body,
            end: span.end,
        }))
    }

    /// Writes an entry as a delta made here, if that is smaller; whether it did.
    fn put_made(&mut self, pack: usize, span: &Span) -> Result<bool, WriteError> {
        let loaded = self.load(pack, span)?;
        let source = Source::Packed(pack, span.start);
        self.put_delta(source, loaded.kind, &loaded.data, span.end - span.start)
    }

    /// The base of a delta that gives its distance.
    fn base_at(
        &self,
        pack: usize,
        span: &Span,
        distance: u64,
    ) -> Result<(Base, ObjectId), WriteError> {
        let offset = span.start.checked_sub(distance);
        let base = offset.and_then(|offset| self.placements.base_at(pack, offset));
        base.ok_or_else(|| self.corrupt(pack, span.start, Defect::BadBase))
    }

    fn header_at(&self, pack: usize, span: &Span) -> Result<EntryHeader, WriteError> {
        let bytes = self
            .pack(pack)
            .entry_bytes(span.start)
            .ok_or(Defect::BadBase);
        let header = bytes.and_then(|bytes| parse_header(bytes, self.plan.objects.hash()));
        header.map_err(|defect| self.corrupt(pack, span.start, defect))
    }

    fn corrupt(&self, pack: usize, offset: u64, defect: Defect) -> WriteError {
        WriteError::Read(ReadError::Corrupt {
            pack: self.pack(pack).path().to_owned(),
            offset,
            defect,
        })
    }

    fn flush(&mut self, pack: usize, run: Option<Run>) -> Result<(), WriteError> {
        let Some(run) = run else { return Ok(()) };
        let bytes = self
            .pack(pack)
            .bytes()
            .get(run.start as usize..run.end as usize);
        let bytes = bytes.ok_or_else(|| self.corrupt(pack, run.start, Defect::Truncated))?;
        self.out.put(bytes)
    }
}

/// Bytes of a pack that are copied together.
struct Run {
    start: u64,
    end: u64,
}
