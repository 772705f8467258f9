use std::io;

use runtime::Files;

const FILE: &str = "refused";
const ASIDE: &str = "refused.new";
const CLAIMED: &str = "claimed";
/// More than any reason has.
const MAX_BYTES: usize = 4096;

/// Why the cluster does not take this node any more, so that no later start tries again: a node
/// whose disk was rolled back would only have to start often enough to pass for itself. Removed by
/// nobody: a node that was refused joins anew, with an empty directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedForever(pub String);

impl RefusedForever {
    /// The reason in this directory, if there is one.
    pub fn load(files: &dyn Files) -> io::Result<Option<Self>> {
        let file = match files.open(FILE) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = vec![0; MAX_BYTES];
        let read = file.read_at(&mut bytes, 0)?;
        // Whatever is there, it was put there to keep the node from starting.
        let reason = String::from_utf8_lossy(&bytes[..read]);
        Ok(Some(Self(reason.into_owned())))
    }

    /// Writes the reason. When this returns, it survives a crash.
    pub fn save(&self, files: &dyn Files) -> io::Result<()> {
        let length = self.0.len().min(MAX_BYTES);
        write(files, (ASIDE, FILE), &self.0.as_bytes()[..length])
    }
}

/// Whether this directory says that the node has had a Raft log: if that is gone, so are the votes
/// that the node has given.
pub fn had_log(files: &dyn Files) -> io::Result<bool> {
    match files.open(CLAIMED) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Says so from now on.
pub fn has_log(files: &dyn Files) -> io::Result<()> {
    write(files, ("claimed.new", CLAIMED), b"1")
}

/// Replaces a small file. When this returns, it survives a crash.
pub(super) fn write(
    files: &dyn Files,
    (aside, name): (&str, &str),
    bytes: &[u8],
) -> io::Result<()> {
    match files.remove(aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = files.create(aside)?;
    file.write_at(bytes, 0)?;
    file.sync_data()?;
    files.rename(aside, name)?;
    files.sync_dir("")
}

#[cfg(test)]
mod tests {
    use runtime::{MemoryFiles, Survives};

    use super::{RefusedForever, had_log, has_log};

    #[test]
    fn a_refusal_and_a_log_are_remembered() {
        let files = MemoryFiles::new();
        assert_eq!(RefusedForever::load(&files).unwrap(), None);
        assert!(!had_log(&files).unwrap());
        let refused = RefusedForever("rolled back".to_owned());
        refused.save(&files).unwrap();
        has_log(&files).unwrap();
        let files = files.crash(Survives::Nothing);
        assert_eq!(RefusedForever::load(&files).unwrap(), Some(refused));
        assert!(had_log(&files).unwrap());
    }
}
