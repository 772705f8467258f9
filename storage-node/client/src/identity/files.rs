//! Small files that are there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::error::IdentityError;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readers {
    Everyone,
    Owner,
}

/// Writes a file in one step, durably.
pub(super) fn write(path: &Path, content: &str, readers: Readers) -> Result<(), IdentityError> {
    replace(path, content, readers).map_err(|source| IdentityError::File {
        doing: "write",
        path: path.to_owned(),
        source,
    })
}

/// Reads a file; one for the owner only must not be readable by others.
pub(super) fn read(path: &Path, readers: Readers) -> Result<String, IdentityError> {
    let failed = |source| IdentityError::File {
        doing: "read",
        path: path.to_owned(),
        source,
    };
    let metadata = fs::metadata(path).map_err(failed)?;
    if readers == Readers::Owner && metadata.permissions().mode() & 0o077 != 0 {
        let path = path.to_owned();
        return Err(IdentityError::Exposed { path });
    }
    fs::read_to_string(path).map_err(failed)
}

fn replace(path: &Path, content: &str, readers: Readers) -> io::Result<()> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(directory)?;
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mode = match readers {
        Readers::Everyone => 0o644,
        Readers::Owner => 0o600,
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&new)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(directory)?.sync_all()
}
