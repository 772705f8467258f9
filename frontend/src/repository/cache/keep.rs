use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use git_id::ObjectId;
use git_pack::Objects;
use storage_node_api::repository::Pack;

use super::{CacheError, Entry, PackCache};

/// The files of a pack in the order in which they come: the index last, which makes it visible.
pub(crate) const PACK_FILES: [&str; 5] = ["pack", "rev", "bitmap", "edges", "idx"];

impl PackCache {
    /// Moves a pack that maintenance made, and that the storage has, to where the next fetch looks
    /// for it, with what is derived from it.
    pub(crate) async fn keep(
        &self,
        entry: &Entry,
        made: &Path,
        pack: &Pack,
    ) -> Result<(), CacheError> {
        let moves: Vec<(PathBuf, PathBuf)> = (PACK_FILES.iter())
            .map(|extension| {
                let to = self.layout.file(entry.id, &pack.checksum, extension);
                (made.with_extension(extension), to)
            })
            .collect();
        let moved = self.blocking("keep a pack", move || {
            let mut bytes = 0;
            for (from, to) in moves {
                let length = match fs::metadata(&from) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    found => found.map_err(CacheError::io(&from))?.len(),
                };
                fs::rename(&from, &to).map_err(CacheError::io(&to))?;
                bytes += length;
            }
            Ok::<_, CacheError>(bytes)
        });
        let bytes = moved.await??;
        self.note(entry.id, pack, bytes);
        Ok(())
    }

    /// Deletes the files of packs that were open and are in the list no more. Whoever still reads
    /// them has them mapped.
    pub(super) async fn drop_replaced(
        &self,
        entry: &Entry,
        held: &Objects,
        now: &Objects,
    ) -> Result<(), CacheError> {
        let stays = now.packs();
        let mut gone = held.packs();
        gone.retain(|path| !stays.contains(path));
        if gone.is_empty() {
            return Ok(());
        }
        let checksums: Vec<ObjectId> = gone.iter().filter_map(|path| checksum(path)).collect();
        let deleted = self.blocking("delete replaced packs", move || {
            let files = gone.iter().flat_map(|path| {
                let extensions = PACK_FILES.iter().rev();
                extensions.map(|extension| path.with_extension(extension))
            });
            files.map(|path| delete(&path)).sum::<u64>()
        });
        let bytes = deleted.await?;
        let mut state = self.state();
        let disk = state.on_disk(entry.id);
        checksums.iter().for_each(|checksum| {
            disk.checked.remove(checksum);
        });
        disk.bytes = disk.bytes.saturating_sub(bytes);
        self.report(&state);
        Ok(())
    }
}

/// Deletes a file; its length, if it was there and is gone.
fn delete(path: &Path) -> u64 {
    let length = fs::metadata(path).map_or(0, |data| data.len());
    match fs::remove_file(path) {
        Ok(()) => length,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "a replaced pack stays in the cache");
            0
        }
    }
}

fn checksum(path: &Path) -> Option<ObjectId> {
    let stem = path.file_stem()?.to_str()?;
    stem.strip_prefix("pack-")?.parse().ok()
}
