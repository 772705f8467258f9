//! The files of a replica on disk.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::Fault;

const PREFIX: &str = "state-";
const SUFFIX: &str = ".db";
const TEMPORARY: &str = ".part";

/// Makes the directory, finds the number of its state (1 if there is none yet),
/// and removes what a crash left.
pub(super) fn prepare(directory: &Path) -> Result<u64, Fault> {
    fs::create_dir_all(directory).map_err(Fault::file("create", directory))?;
    let names = names(directory)?;
    let number = names
        .iter()
        .filter_map(|name| state_number(name))
        .max()
        .unwrap_or(1);
    for name in &names {
        let current = state_number(name).is_some_and(|found| found == number);
        let side = |suffix| *name == format!("{PREFIX}{number}{SUFFIX}{suffix}");
        let ours = name.starts_with(PREFIX) || name.contains(TEMPORARY);
        if ours && !current && !side("-wal") && !side("-shm") {
            let path = directory.join(name);
            fs::remove_file(&path).map_err(Fault::file("remove", path))?;
        }
    }
    Ok(number)
}

pub(super) fn state_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{PREFIX}{number}{SUFFIX}"))
}

pub(super) fn temporary_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number}{TEMPORARY}"))
}

/// Removes a database and the files that SQLite keeps beside it.
pub(crate) fn remove_database(path: &Path) -> Result<(), Fault> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let path = beside(path, suffix);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Fault::file("remove", path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Waits until a file, and the write-ahead log beside it if there is one, are on
/// the disk. A file that is gone was replaced by one that is.
pub(crate) fn sync_file(path: &Path) -> Result<(), Fault> {
    for path in [beside(path, "-wal"), path.to_owned()] {
        match File::open(&path).and_then(|file| file.sync_all()) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Fault::file("sync", path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Waits until the names in a directory are on the disk.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), Fault> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(Fault::file("sync", directory))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn names(directory: &Path) -> Result<Vec<String>, Fault> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(Fault::file("list", directory))? {
        let entry = entry.map_err(Fault::file("list", directory))?;
        names.extend(entry.file_name().into_string());
    }
    Ok(names)
}

fn state_number(name: &str) -> Option<u64> {
    name.strip_prefix(PREFIX)?
        .strip_suffix(SUFFIX)?
        .parse()
        .ok()
}
