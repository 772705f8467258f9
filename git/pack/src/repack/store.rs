use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use git_id::ObjectId;

use super::items::{Item, NONE, Source};
use super::search::{MadeDelta, load};
use super::{Job, RepackError, Repacked};
use crate::defect::Defect;
use crate::derived::{IndexEntry, encode_index, encode_mtimes, encode_reverse};
use crate::entry::{
    Representation, deflate, make_delta, parse_header, push_base_distance, push_type_and_size,
};
use crate::history::NumberMap;
use crate::objects::{OpenError, Pack, ReadError, Reader};
use crate::plan::{Output, WriteError};
use crate::staging::Staging;
use crate::{Kind, Progress};

/// Entries between two words to the progress.
const ENTRIES_PER_REPORT: u64 = 1024;

/// Writes the pack, its index and its reverse index, and makes them visible.
pub(super) fn store(
    job: &Job<'_>,
    items: &[Item],
    made: &NumberMap<MadeDelta>,
    directory: &Path,
    progress: &dyn Progress,
    cancel: &AtomicBool,
) -> Result<Repacked, RepackError> {
    let failed = |source| RepackError::Store {
        path: directory.to_owned(),
        source,
    };
    let staging = Staging::new(directory).map_err(failed)?;
    let pack_file = staging.file("pack");
    let file = File::create_new(&pack_file).map_err(failed)?;
    let mut buffered = BufWriter::new(&file);
    let writer = Writer {
        job,
        items,
        made,
        out: Output::new(&mut buffered, job.objects.hash(), cancel),
        offsets: vec![0; items.len()],
        entries: Vec::with_capacity(items.len()),
        reader: Reader::new(),
        repacked: Repacked::default(),
    };
    let written = writer.run(progress);
    let (checksum, entries, mut repacked) =
        written.map_err(|error| RepackError::from_write(error, directory))?;
    drop(buffered);
    file.sync_all().map_err(failed)?;
    let index = encode_index(job.objects.hash(), &entries, checksum);
    staging.write("idx", &index, true).map_err(failed)?;
    let opened = Pack::open(&pack_file, job.objects.hash()).map_err(|error| match error {
        OpenError::Io { path, source } => RepackError::Store { path, source },
        other => failed(std::io::Error::other(other)),
    })?;
    staging
        .write("rev", &encode_reverse(&opened), true)
        .map_err(failed)?;
    drop(opened);
    let mut extensions = vec!["pack", "rev", "idx"];
    if let Some(times) = job.times {
        let mut by_id: Vec<&Item> = items.iter().collect();
        by_id.sort_unstable_by_key(|item| item.id(job));
        let times = by_id.iter().map(|item| times[item.number(job) as usize]);
        let file = encode_mtimes(job.objects.hash(), times, checksum);
        staging.write("mtimes", &file, true).map_err(failed)?;
        extensions.insert(0, "mtimes");
    }
    repacked.pack = directory.join(format!("pack-{checksum}.pack"));
    if !repacked.pack.with_extension("idx").exists() {
        staging.publish(&extensions, &repacked.pack)?;
    }
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(failed)?;
    Ok(repacked)
}

/// Commits, then tags, then the rest.
fn class(kind: Kind) -> u8 {
    match kind {
        Kind::Commit => 0,
        Kind::Tag => 1,
        Kind::Tree | Kind::Blob => 2,
    }
}

struct Writer<'a> {
    job: &'a Job<'a>,
    items: &'a [Item],
    made: &'a NumberMap<MadeDelta>,
    out: Output<'a>,
    /// Where each item went; 0 as long as it went nowhere.
    offsets: Vec<u64>,
    entries: Vec<IndexEntry>,
    reader: Reader,
    repacked: Repacked,
}

impl Writer<'_> {
    fn run(
        mut self,
        progress: &dyn Progress,
    ) -> Result<(ObjectId, Vec<IndexEntry>, Repacked), WriteError> {
        progress.stage("Writing objects", Some(self.items.len() as u64));
        let mut header = *b"PACK\0\0\0\x02\0\0\0\0";
        header[8..].copy_from_slice(&(self.items.len() as u32).to_be_bytes());
        self.out.put(&header)?;
        let mut order: Vec<u32> = (0..self.items.len() as u32).collect();
        order.sort_by_key(|at| {
            let item = &self.items[*at as usize];
            (class(item.kind), item.rank)
        });
        let (mut chain, mut unreported) = (Vec::new(), 0);
        for at in order {
            let mut next = at;
            while next != NONE && self.offsets[next as usize] == 0 {
                chain.push(next);
                next = self.items[next as usize].base;
            }
            unreported += chain.len() as u64;
            while let Some(item) = chain.pop() {
                self.item(item)?;
            }
            if unreported >= ENTRIES_PER_REPORT {
                progress.advance(std::mem::take(&mut unreported));
            }
        }
        progress.advance(unreported);
        let (checksum, bytes) = self.out.finish()?;
        progress.done();
        self.entries.sort_unstable();
        let objects = self.items.len() as u32;
        let repacked = Repacked {
            objects,
            bytes,
            ..self.repacked
        };
        Ok((checksum, self.entries, repacked))
    }

    /// Writes an item whose base was written before.
    fn item(&mut self, at: u32) -> Result<(), WriteError> {
        let item = &self.items[at as usize];
        let offset = self.out.offset();
        let mut entry = Vec::new();
        let distance = (item.base != NONE).then(|| offset - self.offsets[item.base as usize]);
        match (self.made.get(&at), distance, item.source) {
            (Some(made), Some(distance), _) => {
                push_type_and_size(
                    &mut entry,
                    &Representation::Offset(distance),
                    made.size as u64,
                );
                push_base_distance(&mut entry, distance);
                match &made.deflated {
                    Some(deflated) => entry.extend_from_slice(deflated),
                    None => deflate(&self.delta_again(at, made)?, &mut entry),
                }
            }
            (None, Some(distance), Source::Packed { .. }) => {
                self.copy(item, Some(distance), &mut entry)?
            }
            (None, None, Source::Packed { .. }) if item.is_whole => {
                self.copy(item, None, &mut entry)?
            }
            _ => {
                let data = load(self.job, &mut self.reader, item)?;
                push_type_and_size(
                    &mut entry,
                    &Representation::Whole(item.kind),
                    data.len() as u64,
                );
                deflate(&data, &mut entry);
            }
        }
        self.repacked.deltas += u32::from(distance.is_some());
        self.offsets[at as usize] = offset;
        self.entries.push(IndexEntry {
            id: item.id(self.job),
            offset,
            crc: crc32fast::hash(&entry),
        });
        self.out.put(&entry)
    }

    /// Copies a stored entry whose bytes are what the index says they are.
    fn copy(
        &mut self,
        item: &Item,
        distance: Option<u64>,
        entry: &mut Vec<u8>,
    ) -> Result<(), WriteError> {
        let Source::Packed {
            pack,
            position,
            start,
            end,
        } = item.source
        else {
            return Ok(());
        };
        let pack = &self.job.objects.pack_list()[pack as usize];
        let corrupt = |defect| {
            WriteError::Read(ReadError::Corrupt {
                pack: pack.path().to_owned(),
                offset: start,
                defect,
            })
        };
        let stored = pack.bytes().get(start as usize..end as usize);
        let stored = stored.ok_or_else(|| corrupt(Defect::Truncated))?;
        if pack
            .crc(position)
            .is_some_and(|crc| crc != crc32fast::hash(stored))
        {
            return Err(corrupt(Defect::BadZlib));
        }
        self.repacked.reused += 1;
        let Some(distance) = distance else {
            entry.extend_from_slice(stored);
            return Ok(());
        };
        let header = parse_header(stored, self.job.objects.hash()).map_err(corrupt)?;
        push_type_and_size(entry, &Representation::Offset(distance), header.size);
        push_base_distance(entry, distance);
        entry.extend_from_slice(&stored[header.length..]);
        Ok(())
    }

    /// A delta that there was no room to keep.
    fn delta_again(&mut self, at: u32, made: &MadeDelta) -> Result<Vec<u8>, WriteError> {
        let mut read = |item: u32| {
            let item = &self.items[item as usize];
            load(self.job, &mut self.reader, item)
        };
        let (base, target) = (read(made.base)?, read(at)?);
        let delta = make_delta(&base, &target, usize::MAX);
        Ok(delta.expect("it was made from the same objects before"))
    }
}
