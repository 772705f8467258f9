use std::io::{self, ErrorKind};

use runtime::Files;
use storage_node_api::map::{MACHINE_VERSION, SLOTS_VERSION};

use super::refused::write;

/// Where the format stands, as a number and a line feed.
pub(super) const FORMAT_FILE: &str = "format";
const ASIDE: &str = "format.new";
/// The format of a new directory: any release can use it.
pub(super) const NEW: u32 = 1;
/// The latest format that this release can use.
pub(super) const KNOWN: u32 = MACHINE_VERSION;
/// The first machine version that is written as a format. Directories of earlier
/// ones have [`NEW`].
const FIRST: u32 = SLOTS_VERSION;
/// More than the number has digits.
const MAX_BYTES: usize = 32;

/// Has releases that do not know this machine version refuse the directory from now
/// on. Called once the cluster has risen to it; a crash before that only delays it to
/// the next start. A directory that has no format is not of a process, and left alone.
pub fn raise_format(files: &dyn Files, machine_version: u32) -> io::Result<()> {
    let file = match files.open(FORMAT_FILE) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut bytes = [0; MAX_BYTES];
    let read = file.read_at(&mut bytes, 0)?;
    let text = String::from_utf8_lossy(&bytes[..read]);
    // What is no number was refused at the start.
    let is_lower = text
        .trim()
        .parse()
        .is_ok_and(|now: u32| now < machine_version);
    if machine_version < FIRST || !is_lower {
        return Ok(());
    }
    let text = format!("{machine_version}\n");
    write(files, (ASIDE, FORMAT_FILE), text.as_bytes())
}

#[cfg(test)]
mod tests {
    use runtime::{Files, MemoryFiles, Survives};

    use super::{ASIDE, FORMAT_FILE, raise_format, write};

    fn format(files: &MemoryFiles) -> String {
        let mut bytes = [0; 8];
        let file = files.open(FORMAT_FILE).unwrap();
        let read = file.read_at(&mut bytes, 0).unwrap();
        String::from_utf8_lossy(&bytes[..read]).into_owned()
    }

    #[test]
    fn a_format_rises_with_the_cluster_and_never_falls() {
        let mut files = MemoryFiles::new();
        raise_format(&files, 4).unwrap();
        assert!(files.open(FORMAT_FILE).is_err(), "none is made");
        write(&files, (ASIDE, FORMAT_FILE), b"1\n").unwrap();
        for (version, expected) in [(2, "1\n"), (3, "1\n"), (4, "4\n"), (3, "4\n"), (5, "5\n")] {
            raise_format(&files, version).unwrap();
            files = files.crash(Survives::Nothing);
            assert_eq!(format(&files), expected);
        }
    }
}
