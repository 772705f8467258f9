use std::path::{Path, PathBuf};

use super::{MaintainError, Maintenance, NoBitmaps};
use crate::derived::{
    BitOrder, BitmapError, Changes, CommitGraph, Commits, encode_bitmaps, encode_commit_graph,
    encode_midx, encode_reverse, midx_bitmap_path, midx_path, store,
};
use crate::objects::Objects;

/// Writes the commit-graph of some commits, of which there is at least one.
pub(super) fn write_commit_graph(
    maintenance: &Maintenance<'_>,
    commits: &Commits,
    changes: &Changes,
) -> Result<(), MaintainError> {
    let path = CommitGraph::path(maintenance.directory);
    let file = encode_commit_graph(maintenance.hash, commits, Some(&changes.filters))
        .map_err(|time| MaintainError::UnstorableTime { commit: time.0 })?;
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    made.map_err(|source| failed("make the directory of", &path, source))?;
    write(&path, &file)
}

/// Writes bitmaps for all packs of a repository, which are its own: beside the only one, or beside
/// a multi-pack-index, which is made too. Gives the bitmap file.
pub(super) fn write_bitmaps(
    maintenance: &Maintenance<'_>,
    objects: &Objects,
    commits: &Commits,
    changes: &Changes,
) -> Result<Result<PathBuf, NoBitmaps>, MaintainError> {
    let directory = maintenance.directory.join("pack");
    let encode = |order: &BitOrder| {
        let Maintenance { tips, cancel, .. } = *maintenance;
        match encode_bitmaps(objects, order, commits, changes, tips, cancel) {
            Ok(file) => Ok(Ok(file)),
            Err(BitmapError::NotCovered { commit }) => Ok(Err(NoBitmaps::NotCovered { commit })),
            Err(BitmapError::Read(error)) => Err(MaintainError::from(error)),
        }
    };
    if let [pack] = objects.pack_list() {
        remove_midx(&directory, None)?;
        let path = pack.path().with_extension("bitmap");
        let bitmaps = match encode(&BitOrder::of_pack(objects, 0))? {
            Ok(bitmaps) => bitmaps,
            Err(reason) => return Ok(Err(reason)),
        };
        write(&pack.path().with_extension("rev"), &encode_reverse(pack))?;
        write(&path, &bitmaps)?;
        return Ok(Ok(path));
    }
    let made = encode_midx(objects);
    let path = midx_bitmap_path(&directory, made.checksum);
    let bitmaps = encode(&made.order)?;
    // The bitmaps first: who finds the list then finds them too.
    if let Ok(bitmaps) = &bitmaps {
        write(&path, bitmaps)?;
    }
    write(&midx_path(&directory), &made.file)?;
    remove_midx(&directory, Some(&path))?;
    Ok(bitmaps.map(|_| path))
}

/// Deletes what belongs to other multi-pack-indexes than that with these bitmaps; without any, the
/// multi-pack-index too.
pub(super) fn remove_midx(directory: &Path, current: Option<&Path>) -> Result<(), MaintainError> {
    if current.is_none() {
        remove(&midx_path(directory))?;
    }
    let entries =
        std::fs::read_dir(directory).map_err(|source| failed("list", directory, source))?;
    for entry in entries {
        let path = entry
            .map_err(|source| failed("list", directory, source))?
            .path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let belongs = name.starts_with("multi-pack-index-")
            && (name.ends_with(".bitmap") || name.ends_with(".rev"));
        if belongs && Some(path.as_path()) != current {
            remove(&path)?;
        }
    }
    Ok(())
}

/// Deletes a file that may be gone already.
pub(super) fn remove(path: &Path) -> Result<(), MaintainError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(failed("delete", path, error))
        }
        _ => Ok(()),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), MaintainError> {
    store(path, bytes).map_err(|source| failed("write", path, source))
}

pub(super) fn failed(action: &'static str, path: &Path, source: std::io::Error) -> MaintainError {
    MaintainError::Files {
        action,
        path: path.to_owned(),
        source,
    }
}
