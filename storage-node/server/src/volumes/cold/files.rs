use std::io::{self, IoSlice};
use std::sync::Arc;

use runtime::{File, Files};

use super::super::volume::VolumeId;
use super::shelf::Cold;
use super::ticket::Ticket;

/// The files of a node with its cold volumes among them, as if each of these had its file.
#[derive(Debug)]
pub(in crate::volumes) struct ColdFiles {
    files: Arc<dyn Files>,
    cold: Arc<Cold>,
}

/// A volume that is read from its object. Nothing is written to it.
#[derive(Debug)]
struct ColdFile {
    ticket: Ticket,
    cold: Arc<Cold>,
}

impl ColdFiles {
    pub(in crate::volumes) fn new(cold: Arc<Cold>) -> Self {
        let files = Arc::clone(&cold.files);
        Self { files, cold }
    }

    fn open_away(&self, path: &str) -> Option<Arc<dyn File>> {
        let ticket = self.cold.away(VolumeId::of_file(path)?)?;
        let cold = Arc::clone(&self.cold);
        Some(Arc::new(ColdFile { ticket, cold }))
    }
}

impl Files for ColdFiles {
    fn create(&self, path: &str) -> io::Result<Arc<dyn File>> {
        self.files.create(path)
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn File>> {
        if let Some(file) = self.open_away(path) {
            return Ok(file);
        }
        match self.files.open(path) {
            // It left in between.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.open_away(path).ok_or(error)
            }
            opened => opened,
        }
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        // Before the files: one that comes back in between is in both.
        let away = self.cold.all_away();
        let mut names = self.files.list(dir)?;
        if dir.is_empty() {
            names.extend(away.iter().map(|ticket| ticket.volume.file_name()));
            names.sort_unstable();
            names.dedup();
        }
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.files.rename(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let has_file = match VolumeId::of_file(path) {
            Some(volume) => self.cold.remove(volume)?,
            None => true,
        };
        if has_file {
            return self.files.remove(path);
        }
        // Its object goes in the next round, which is soon.
        self.cold.suspect();
        Ok(())
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.files.create_dir(path)
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        self.files.sync_dir(path)
    }

    fn available_bytes(&self) -> io::Result<u64> {
        self.files.available_bytes()
    }
}

fn read_only() -> io::Error {
    io::Error::new(
        io::ErrorKind::ReadOnlyFilesystem,
        "a volume in the cold store",
    )
}

impl File for ColdFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.cold.read_at(&self.ticket, buf, offset)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(read_only())
    }

    fn write_vectored_at(&self, _: &[IoSlice<'_>], _: u64) -> io::Result<()> {
        Err(read_only())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.ticket.length)
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(read_only())
    }

    fn allocate(&self, _: u64) -> io::Result<()> {
        Err(read_only())
    }
}
