//! Takes a pack in: streams it to disk, rebuilds and names every object, completes
//! thin packs, checks, and writes the index. What `git index-pack --stdin
//! --fix-thin --strict` does.
//!
//! Keeps true:
//! * nothing is visible in the target directory before everything was checked, and
//!   nothing is left there after an error;
//! * not a byte beyond the pack is taken from the input;
//! * no allocation follows a number in the pack further than its bytes justify;
//!   objects, their sizes, their number and the pack's size have limits.
//!
//! Every object is in memory once: there it gets its name, is checked, and what it
//! refers to is noted ([`crate::edges`]), so that connectivity needs no further pass.

mod batch;
mod complete;
mod error;
mod examine;
mod finish;
mod stream;

use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use git_id::{HashKind, ObjectId};

pub use error::ReceiveError;
use examine::Examiner;
use finish::Workplace;

use crate::objects::Objects;
use crate::resolve::{DeltaForest, Resolver, Start};
use crate::{Kind, Progress};

/// The most threads that rebuild objects.
const MAX_THREADS: usize = 16;

/// Limits and wishes for receiving a pack.
#[derive(Clone, Debug)]
pub struct ReceiveOptions {
    /// The repository's hash function.
    pub hash: HashKind,
    /// The largest pack, in bytes as received.
    pub max_bytes: u64,
    /// The most objects.
    pub max_objects: u32,
    /// The largest single object, in bytes when rebuilt. A rebuilding thread may hold two
    /// of this size.
    pub max_object_bytes: u64,
    /// Apply git's strict checks to every object.
    pub check: bool,
    /// Threads that rebuild objects; at least 1 are used, at most 16.
    pub threads: usize,
    /// Sync files and directory before returning.
    pub sync: bool,
}

/// A pack that was received, with its index.
#[derive(Clone, Debug)]
pub struct ReceivedPack {
    /// The `pack-<checksum>.pack`.
    pub pack: PathBuf,
    /// The `pack-<checksum>.idx` beside it.
    pub index: PathBuf,
    /// A small derived file, `pack-<checksum>.edges`, that makes connectivity checks
    /// and clones cheap. It may be moved along with the pack or be dropped.
    pub edges: Option<PathBuf>,
    /// The checksum that ends the stored pack.
    pub checksum: ObjectId,
    /// Objects received, without those added to complete a thin pack.
    pub objects: u32,
    /// Bytes received.
    pub bytes: u64,
    /// Objects added from the bases; 0 means that the stored bytes are exactly those
    /// received.
    pub completed_bases: u32,
}

/// One object of the pack, once its name is known.
#[derive(Clone, Copy)]
struct Named {
    id: ObjectId,
    entry: u32,
    kind: Kind,
}

/// Reads a pack from `input` up to the end of its checksum and stores it in
/// `directory`, which must exist. Objects that a thin pack builds on are taken from `bases`.
///
/// A pack of zero objects is legal: then nothing is stored, and the paths in the
/// result name no files. If the process dies, a directory whose name starts with `incoming-`
/// may remain; it can be deleted.
///
/// # Errors
///
/// The input ends early or is no pack, is damaged, exceeds a limit, builds on a
/// missing object, contains an object that fails the checks; or the disk fails. In
/// all cases nothing stays in the directory.
pub fn receive(
    input: &mut dyn BufRead,
    directory: &Path,
    bases: &Objects,
    options: &ReceiveOptions,
    progress: &dyn Progress,
    cancel: &AtomicBool,
) -> Result<ReceivedPack, ReceiveError> {
    let work = Workplace::new(directory)?;
    let threads = options.threads.clamp(1, MAX_THREADS);
    let header = stream::read_header(input, options)?;
    let mut examiners: Vec<_> = (0..threads)
        .map(|_| Examiner::new(options, header.objects))
        .collect();
    let streamed = stream::read_entries(
        input,
        &header,
        &work,
        options,
        &mut examiners,
        progress,
        cancel,
    )?;
    if header.objects == 0 {
        return Ok(work.nothing(directory, streamed.checksum, streamed.bytes));
    }
    let (completed, checksum) = resolve(
        &work,
        &streamed,
        bases,
        options,
        &mut examiners,
        progress,
        cancel,
    )?;
    let parts = finish::Parts {
        streamed,
        completed,
        checksum,
        examiners,
    };
    finish::finish(&work, directory, bases, options, parts, cancel)
}

/// Rebuilds all deltas; gives the objects added to complete the pack, and the checksum
/// that it has now.
fn resolve(
    work: &Workplace,
    streamed: &stream::Streamed,
    bases: &Objects,
    options: &ReceiveOptions,
    examiners: &mut [Examiner],
    progress: &dyn Progress,
    cancel: &AtomicBool,
) -> Result<(Vec<complete::Added>, ObjectId), ReceiveError> {
    let forest: &DeltaForest = &streamed.forest;
    let map = work.map(options.hash)?;
    let pack = map
        .entry_slice(0..map.pack_end() as u64)
        .ok_or_else(|| work.damaged())?;
    progress.stage("Resolving deltas", Some(u64::from(forest.deltas())));
    let resolver = Resolver {
        hash: options.hash,
        pack,
        forest,
        max_object_bytes: options.max_object_bytes,
        progress,
        cancel,
    };
    let mut starts = Vec::new();
    for examiner in examiners.iter() {
        for named in &examiner.named {
            if forest.has_children(named.entry, &named.id) {
                starts.push(Start {
                    entry: named.entry,
                    kind: named.kind,
                    id: Some(named.id),
                    data: None,
                });
            }
        }
    }
    starts.sort_unstable_by_key(|start| start.entry);
    resolver.run(&starts, examiners)?;
    let completion = complete::Completion {
        work,
        streamed,
        bases,
        options,
    };
    let completed = completion.run(&resolver, examiners)?;
    progress.done();
    Ok(completed)
}
