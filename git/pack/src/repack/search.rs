use std::cmp::Reverse;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::items::{Item, NONE, Source};
use super::window::{Candidate, Found, Window};
use super::{Job, RepackError};
use crate::Progress;
use crate::entry::deflate;
use crate::history::NumberMap;
use crate::objects::{ReadError, Reader};

/// Smaller objects are not worth a delta.
const MIN_BYTES: u64 = 50;

/// Larger objects are not compared.
const MAX_BYTES: u64 = 64 << 20;

/// Bytes of deltas that are kept until they are written; beyond, they are made twice.
const MAX_KEPT_BYTES: usize = 256 << 20;

/// Parts of the list that each thread gets, so that all end at about the same time.
const PARTS_PER_THREAD: usize = 8;

/// The fewest objects of a part.
const MIN_PART: usize = 512;

/// A delta for an item that has none it could keep.
pub(super) struct MadeDelta {
    pub(super) base: u32,
    /// Bytes of the delta.
    pub(super) size: usize,
    /// It, compressed, unless there was no room to keep it.
    pub(super) deflated: Option<Vec<u8>>,
}

/// Looks for deltas for all items that have none; by item.
pub(super) fn search(
    job: &Job<'_>,
    items: &mut [Item],
    progress: &dyn Progress,
    cancel: &AtomicBool,
) -> Result<NumberMap<MadeDelta>, RepackError> {
    let list = candidates(job, items)?;
    progress.stage("Compressing objects", Some(list.len() as u64));
    let threads = job.options.threads.max(1);
    let parts = parts(&list, threads * PARTS_PER_THREAD);
    let (next, kept) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let found: Mutex<Vec<(u32, MadeDelta)>> = Mutex::default();
    let shared: &[Item] = items;
    let work = || {
        let mut searcher = Searcher {
            job,
            items: shared,
            reader: Reader::new(),
            kept: &kept,
            made: Vec::new(),
        };
        while let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
            searcher.part(&list[part.clone()], progress, cancel)?;
        }
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        found.append(&mut searcher.made);
        Ok::<(), ReadError>(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })?;
    progress.done();
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (item, made) in &found {
        items[*item as usize].base = made.base;
    }
    Ok(found.into_iter().collect())
}

/// An item to look for a delta for.
struct Wanted {
    item: u32,
    name_hash: u32,
    size: u64,
}

/// In the order of search: like next to like, larger first.
fn candidates(job: &Job<'_>, items: &[Item]) -> Result<Vec<Wanted>, ReadError> {
    let mut reader = Reader::new();
    let mut list = Vec::new();
    for (at, item) in items.iter().enumerate() {
        if item.base != NONE {
            continue;
        }
        let header = match item.source {
            Source::Packed { pack, start, .. } => {
                reader.header_packed(job.objects, pack as usize, start)?
            }
            Source::Loose(loose) => match job.objects.header(&job.loose[loose as usize])? {
                Some(header) => header,
                None => continue,
            },
        };
        if (MIN_BYTES..=MAX_BYTES).contains(&header.size) {
            list.push(Wanted {
                item: at as u32,
                name_hash: item.name_hash,
                size: header.size,
            });
        }
    }
    list.sort_unstable_by_key(|wanted| {
        let item = &items[wanted.item as usize];
        (
            item.kind,
            wanted.name_hash,
            Reverse(wanted.size),
            item.rank,
            wanted.item,
        )
    });
    Ok(list)
}

/// Divides the list where the names differ.
fn parts(list: &[Wanted], count: usize) -> Vec<Range<usize>> {
    let length = list.len().div_ceil(count).max(MIN_PART);
    let (mut parts, mut start) = (Vec::new(), 0);
    while start < list.len() {
        let mut end = list.len().min(start + length);
        while end < list.len() && list[end].name_hash == list[end - 1].name_hash {
            end += 1;
        }
        parts.push(start..end);
        start = end;
    }
    parts
}

/// Reads the object of an item.
pub(super) fn load(
    job: &Job<'_>,
    reader: &mut Reader,
    item: &Item,
) -> Result<Arc<Vec<u8>>, ReadError> {
    match item.source {
        Source::Packed { pack, start, .. } => {
            let loaded = reader.load_packed(job.objects, pack as usize, start)?;
            Ok(loaded.data)
        }
        Source::Loose(at) => {
            let id = job.loose[at as usize];
            let loaded = reader.load(job.objects, &id)?;
            let missing = ReadError::Missing { id, referrer: None };
            Ok(loaded.ok_or(missing)?.data)
        }
    }
}

struct Searcher<'a> {
    job: &'a Job<'a>,
    items: &'a [Item],
    reader: Reader,
    kept: &'a AtomicUsize,
    made: Vec<(u32, MadeDelta)>,
}

impl Searcher<'_> {
    fn part(
        &mut self,
        list: &[Wanted],
        progress: &dyn Progress,
        cancel: &AtomicBool,
    ) -> Result<(), ReadError> {
        let job = self.job;
        let mut window = Window::new(job.options);
        for wanted in list {
            if cancel.load(Ordering::Relaxed) {
                return Err(ReadError::Cancelled);
            }
            progress.advance(1);
            let item = &self.items[wanted.item as usize];
            let mut target = Candidate {
                item: wanted.item,
                kind: item.kind,
                data: load(job, &mut self.reader, item)?,
                depth: 0,
            };
            let allowed = |base: u32| self.may_build_on(item, base);
            let found = window.best_delta(
                &target,
                item.height,
                job.objects.hash().len_bytes(),
                allowed,
            );
            if let Some(found) = found {
                target.depth = self.keep(wanted.item, found).unwrap_or(0);
            }
            window.push(target);
        }
        Ok(())
    }

    /// Two objects that are whole in the same pack were compared when that was made.
    fn may_build_on(&self, item: &Item, base: u32) -> bool {
        let base = &self.items[base as usize];
        let were_compared = match (item.source, base.source) {
            (Source::Packed { pack: one, .. }, Source::Packed { pack: other, .. }) => {
                one == other && item.is_whole && base.is_whole
            }
            _ => false,
        };
        let islands = self.job.islands;
        !were_compared
            && (islands.is_empty() || islands.allow(&base.id(self.job), &item.id(self.job)))
    }

    /// Keeps a delta if it is smaller than what is stored; gives the depth it brings.
    fn keep(&mut self, at: u32, found: Found) -> Option<u32> {
        let mut deflated = Vec::new();
        deflate(&found.delta, &mut deflated);
        let item = &self.items[at as usize];
        if let Source::Packed { start, end, .. } = item.source
            && item.is_whole
            && deflated.len() as u64 >= end - start
        {
            return None;
        }
        let kept = self.kept.fetch_add(deflated.len(), Ordering::Relaxed);
        let made = MadeDelta {
            base: found.base,
            size: found.delta.len(),
            deflated: (kept < MAX_KEPT_BYTES).then_some(deflated),
        };
        self.made.push((at, made));
        Some(found.depth)
    }
}
