use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use runtime::{File, Files};

use super::volume::VolumeId;

/// Most volume files that are open for reading at a time.
const MAX_OPEN_VOLUMES: usize = 512;

/// The volume files that are open, at most [`MAX_OPEN_VOLUMES`] of them.
pub(super) struct Handles {
    files: Arc<dyn Files>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    uses: u64,
    by_volume: HashMap<VolumeId, (u64, Arc<dyn File>)>,
}

impl Handles {
    pub(super) fn new(files: Arc<dyn Files>) -> Self {
        Self {
            files,
            open: Mutex::default(),
        }
    }

    /// The file of a volume; the one used longest ago is closed for it if there
    /// are too many.
    pub(super) fn get(&self, volume: VolumeId) -> io::Result<Arc<dyn File>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.uses += 1;
        let use_number = open.uses;
        if let Some((last_use, file)) = open.by_volume.get_mut(&volume) {
            *last_use = use_number;
            return Ok(Arc::clone(file));
        }
        if open.by_volume.len() >= MAX_OPEN_VOLUMES {
            let oldest = open.by_volume.iter().min_by_key(|(_, (last, _))| *last);
            if let Some(oldest) = oldest.map(|(volume, _)| *volume) {
                open.by_volume.remove(&oldest);
            }
        }
        let file = self.files.open(&volume.file_name())?;
        open.by_volume
            .insert(volume, (use_number, Arc::clone(&file)));
        Ok(file)
    }
}

impl Handles {
    /// Closes the file of a volume that was removed.
    pub(super) fn forget(&self, volume: VolumeId) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.by_volume.remove(&volume);
    }
}

impl fmt::Debug for Handles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handles").finish_non_exhaustive()
    }
}
