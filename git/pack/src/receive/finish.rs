use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use git_id::{HashKind, ObjectId};

use super::complete::Added;
use super::examine::Examiner;
use super::stream::Streamed;
use super::{Named, ReceiveError, ReceiveOptions, ReceivedPack};
use crate::Kind;
use crate::derived::{IndexEntry, encode_index};
use crate::edges::{Edges, MismatchedReference};
use crate::fsck::{SpecialFile, check_special};
use crate::hashing::gix_kind;
use crate::objects::Objects;
use crate::staging::{PublishError, Staging};

/// Where everything is prepared.
pub(super) struct Workplace {
    staging: Staging,
}

impl Workplace {
    pub(super) fn new(target: &Path) -> Result<Self, ReceiveError> {
        let staging = Staging::new(target).map_err(|source| ReceiveError::Store {
            action: "make a directory in",
            path: target.to_owned(),
            source,
        })?;
        Ok(Self { staging })
    }

    fn file(&self, extension: &str) -> PathBuf {
        self.staging.file(extension)
    }

    pub(super) fn failed(&self, action: &'static str, source: io::Error) -> ReceiveError {
        ReceiveError::Store {
            action,
            path: self.staging.path().to_owned(),
            source,
        }
    }

    /// The pack was changed by somebody else while it was worked on.
    pub(super) fn damaged(&self) -> ReceiveError {
        self.failed("map", io::Error::from(io::ErrorKind::UnexpectedEof))
    }

    pub(super) fn create_pack(&self) -> Result<File, ReceiveError> {
        let path = self.file("pack");
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path);
        opened.map_err(|error| self.failed("create a pack in", error))
    }

    pub(super) fn reopen_pack(&self) -> Result<File, ReceiveError> {
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.file("pack"));
        opened.map_err(|error| self.failed("open the pack in", error))
    }

    pub(super) fn map(&self, hash: HashKind) -> Result<gix_pack::data::File, ReceiveError> {
        gix_pack::data::File::at(self.file("pack"), gix_kind(hash)).map_err(|_| self.damaged())
    }

    /// The answer to a pack without objects.
    pub(super) fn nothing(self, target: &Path, checksum: ObjectId, bytes: u64) -> ReceivedPack {
        let pack = target.join(format!("pack-{checksum}.pack"));
        let index = pack.with_extension("idx");
        ReceivedPack {
            pack,
            index,
            edges: None,
            checksum,
            objects: 0,
            bytes,
            completed_bases: 0,
        }
    }

    fn write(&self, extension: &str, bytes: &[u8], sync: bool) -> Result<(), ReceiveError> {
        let written = self.staging.write(extension, bytes, sync);
        written.map_err(|error| self.failed("write to", error))
    }
}

/// What all the steps before found out.
pub(super) struct Parts {
    pub(super) streamed: Streamed,
    pub(super) completed: Vec<Added>,
    pub(super) checksum: ObjectId,
    pub(super) examiners: Vec<Examiner>,
}

/// Checks what needs all objects, writes index and edges, and makes all visible.
pub(super) fn finish(
    work: &Workplace,
    target: &Path,
    bases: &Objects,
    options: &ReceiveOptions,
    parts: Parts,
    cancel: &AtomicBool,
) -> Result<ReceivedPack, ReceiveError> {
    let Parts {
        streamed,
        completed,
        checksum,
        examiners,
    } = parts;
    let special: BTreeSet<_> = examiners
        .iter()
        .flat_map(|examiner| examiner.special.keys().copied())
        .collect();
    let mut named = Vec::with_capacity(streamed.crcs.len());
    let mut references = None;
    for mut examiner in examiners {
        named.append(&mut examiner.named);
        references = Some(match references {
            None => examiner.references,
            Some(merged) => examiner.references.merge(merged),
        });
    }
    let references = references.expect("there is at least one examiner");
    named.sort_unstable_by_key(|named: &Named| named.entry);
    let mut completed_ids: Vec<ObjectId> = completed.iter().map(|added| added.id).collect();
    completed_ids.sort_unstable();
    let mut own: Vec<(ObjectId, Kind)> = named.iter().map(|named| (named.id, named.kind)).collect();
    own.sort_unstable();
    if let Some(pair) = own.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(ReceiveError::Duplicate { id: pair[0].0 });
    }
    let object_of_entry = |entry: u32| named[entry as usize].id;
    let edges = references
        .edges(own.iter().copied(), completed_ids, object_of_entry)
        .map_err(wrong_kind)?;
    drop(own);
    write_index(work, options, &streamed, &named, &completed, checksum)?;
    let objects = named.len() as u32;
    drop(named);
    check_special_blobs(work, bases, &special, cancel)?;
    let completed_bases = completed.len() as u32;
    let edges = publish(work, target, options, checksum, edges.as_ref())?;
    let pack = target.join(format!("pack-{checksum}.pack"));
    let index = pack.with_extension("idx");
    Ok(ReceivedPack {
        pack,
        index,
        edges,
        checksum,
        objects,
        bytes: streamed.bytes,
        completed_bases,
    })
}

fn wrong_kind(mismatch: MismatchedReference) -> ReceiveError {
    let MismatchedReference {
        id,
        actual,
        expected,
        referrer,
    } = mismatch;
    ReceiveError::WrongKind {
        id,
        actual,
        expected,
        referrer,
    }
}

fn write_index(
    work: &Workplace,
    options: &ReceiveOptions,
    streamed: &Streamed,
    named: &[Named],
    completed: &[Added],
    checksum: ObjectId,
) -> Result<(), ReceiveError> {
    let mut entries = Vec::with_capacity(named.len() + completed.len());
    entries.extend(named.iter().map(|named| IndexEntry {
        id: named.id,
        offset: streamed.forest.offset(named.entry),
        crc: streamed.crcs[named.entry as usize],
    }));
    entries.extend(completed.iter().map(|added| IndexEntry {
        id: added.id,
        offset: added.offset,
        crc: added.crc,
    }));
    entries.sort_unstable();
    work.write(
        "idx",
        &encode_index(options.hash, &entries, checksum),
        options.sync,
    )
}

/// Checks the blobs that trees of the pack name `.gitmodules` or `.gitattributes`,
/// wherever they are stored.
fn check_special_blobs(
    work: &Workplace,
    bases: &Objects,
    special: &BTreeSet<(SpecialFile, ObjectId)>,
    cancel: &AtomicBool,
) -> Result<(), ReceiveError> {
    if special.is_empty() {
        return Ok(());
    }
    let objects = bases
        .with_pack(&work.file("pack"))
        .map_err(ReceiveError::Reopen)?;
    for (file, id) in special {
        if cancel.load(Ordering::Relaxed) {
            return Err(ReceiveError::Cancelled);
        }
        let refused = |kind, problem| {
            Err(ReceiveError::Fsck {
                id: *id,
                kind,
                problem,
            })
        };
        match objects.header(id).map_err(ReceiveError::Base)? {
            None => return refused(Kind::Blob, file.missing()),
            Some(header) if header.kind != Kind::Blob => {
                return refused(header.kind, file.not_a_blob());
            }
            Some(header) if header.size > file.limit() => {
                return refused(Kind::Blob, file.too_large());
            }
            Some(_) => {}
        }
        if let Some(object) = objects.read(id).map_err(ReceiveError::Base)?
            && let Err(problem) = check_special(*file, &object.data)
        {
            return refused(Kind::Blob, problem);
        }
    }
    Ok(())
}

/// Puts everything in place: first the pack, last the index that makes it visible.
/// If the very same pack is there already, it stays.
fn publish(
    work: &Workplace,
    target: &Path,
    options: &ReceiveOptions,
    checksum: ObjectId,
    edges: Option<&Edges>,
) -> Result<Option<PathBuf>, ReceiveError> {
    let pack = target.join(format!("pack-{checksum}.pack"));
    if pack.with_extension("idx").exists() && pack.exists() {
        let edges = pack.with_extension("edges");
        return Ok(edges.exists().then_some(edges));
    }
    if options.sync {
        work.reopen_pack()?
            .sync_all()
            .map_err(|error| work.failed("sync the pack in", error))?;
    }
    if let Some(edges) = edges {
        work.write("edges", &edges.to_bytes(checksum), options.sync)?;
    }
    let extensions: &[&str] = match edges {
        Some(_) => &["pack", "edges", "idx"],
        None => &["pack", "idx"],
    };
    let moved = work.staging.publish(extensions, &pack);
    moved.map_err(|PublishError { path, source }| ReceiveError::Store {
        action: "move a file to",
        path,
        source,
    })?;
    if options.sync {
        let synced = File::open(target).and_then(|directory| directory.sync_all());
        synced.map_err(|source| ReceiveError::Store {
            action: "sync",
            path: target.to_owned(),
            source,
        })?;
    }
    Ok(edges.map(|_| pack.with_extension("edges")))
}
