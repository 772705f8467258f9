use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use git_id::{HashKind, ObjectId};
use git_pack::{
    Consolidate, DeltaOptions, Islands, MaintainOptions, Maintenance, NoProgress, Repacked,
};

use super::Extent;
use super::error::MaintenanceError;
use crate::limits::{GEOMETRIC_FACTOR, REPLACED_PACKS};
use crate::repository::cache::{PACK_FILES, Quarantine};

/// What is to be maintained: packs of the cache, the one with most objects first.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) hash: HashKind,
    pub(super) packs: Vec<PathBuf>,
    /// What refs name, what HEAD names first.
    pub(super) tips: Vec<ObjectId>,
}

/// A pack that was made.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) path: PathBuf,
    pub(super) checksum: ObjectId,
    pub(super) objects: u32,
}

/// What maintenance led to, in a directory that goes when this is dropped.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) made: Vec<Made>,
    pub(super) replaced: Vec<ObjectId>,
    /// How many objects are in none of the packs that were made.
    pub(super) dropped: u32,
    pub(super) _scratch: Quarantine,
}

/// Maintains a copy of the packs in a directory of its own. Blocks.
pub(super) fn run(
    source: &Source,
    extent: Extent,
    scratch: Quarantine,
    threads: usize,
    cancel: &AtomicBool,
) -> Result<Outcome, MaintenanceError> {
    let directory = scratch.path().join("objects");
    copy(source, &directory.join("pack"))?;
    let maintenance = Maintenance {
        hash: source.hash,
        directory: &directory,
        tips: &source.tips,
        progress: &NoProgress,
        cancel,
    };
    let maintained = maintenance.run(&options(extent, threads))?;
    let made = maintained.repacked.iter().chain(&maintained.cruft);
    let made: Result<Vec<Made>, _> = made.map(name).collect();
    let replaced = maintained.replaced.iter().map(|path| checksum(path));
    Ok(Outcome {
        made: made?,
        replaced: replaced.collect::<Result<_, _>>()?,
        dropped: maintained.dropped,
        _scratch: scratch,
    })
}

fn options(extent: Extent, threads: usize) -> MaintainOptions {
    let consolidate = match extent {
        Extent::Geometric => Consolidate::Geometric {
            factor: GEOMETRIC_FACTOR,
        },
        Extent::Full => Consolidate::All {
            expire_before: None,
        },
        Extent::Drop => Consolidate::All {
            expire_before: Some(u32::MAX),
        },
    };
    MaintainOptions {
        consolidate,
        commit_graph: false,
        bitmaps: extent != Extent::Geometric,
        deltas: DeltaOptions {
            threads,
            ..DeltaOptions::default()
        },
        // A pack has the objects of one repository alone: what a fork brings is in packs of its own.
        islands: Islands::default(),
        threads,
    }
}

/// Links the packs into a directory, where those that are too many for one entry are kept.
fn copy(source: &Source, directory: &Path) -> Result<(), MaintenanceError> {
    fs::create_dir_all(directory).map_err(failed(directory))?;
    let staying = source.packs.len().saturating_sub(REPLACED_PACKS);
    for (at, pack) in source.packs.iter().enumerate() {
        for extension in PACK_FILES {
            let from = pack.with_extension(extension);
            let Some(name) = from.file_name() else {
                return Err(MaintenanceError::Name(from));
            };
            match fs::hard_link(&from, directory.join(name)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                linked => linked.map_err(failed(&from))?,
            }
        }
        if at < staying
            && let Some(name) = pack.with_extension("keep").file_name()
        {
            let keep = directory.join(name);
            fs::write(&keep, "").map_err(failed(&keep))?;
        }
    }
    Ok(())
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> MaintenanceError {
    let path = path.to_owned();
    move |source| MaintenanceError::Copy { path, source }
}

fn name(repacked: &Repacked) -> Result<Made, MaintenanceError> {
    Ok(Made {
        path: repacked.pack.clone(),
        checksum: checksum(&repacked.pack)?,
        objects: repacked.objects,
    })
}

/// The trailer of a pack, by its file's name.
fn checksum(path: &Path) -> Result<ObjectId, MaintenanceError> {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let hex = stem.and_then(|stem| stem.strip_prefix("pack-"));
    let checksum = hex.and_then(|hex| hex.parse().ok());
    checksum.ok_or_else(|| MaintenanceError::Name(path.to_owned()))
}
