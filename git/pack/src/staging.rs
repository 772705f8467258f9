use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// A directory inside the target where the files of one pack are prepared; it vanishes
/// with this value.
pub(crate) struct Staging {
    directory: tempfile::TempDir,
}

impl Staging {
    pub(crate) fn new(target: &Path) -> io::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("incoming-")
            .tempdir_in(target)?;
        Ok(Self { directory })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Where the file with that extension is while it is being made.
    pub(crate) fn file(&self, extension: &str) -> PathBuf {
        self.path().join("received").with_extension(extension)
    }

    pub(crate) fn write(&self, extension: &str, bytes: &[u8], sync: bool) -> io::Result<()> {
        let mut file = File::create_new(self.file(extension))?;
        file.write_all(bytes)?;
        if sync { file.sync_all() } else { Ok(()) }
    }

    /// Moves finished files to their places beside `pack`, read-only as git keeps them: all or
    /// none. The last extension is that of the file that makes the others visible.
    pub(crate) fn publish(&self, extensions: &[&str], pack: &Path) -> Result<(), PublishError> {
        for extension in extensions {
            let (from, to) = (self.file(extension), pack.with_extension(extension));
            let moved = fs::set_permissions(&from, fs::Permissions::from_mode(0o444))
                .and_then(|()| fs::rename(&from, &to));
            if let Err(source) = moved {
                for extension in extensions.iter().rev() {
                    let _ = fs::remove_file(pack.with_extension(extension));
                }
                return Err(PublishError { path: to, source });
            }
        }
        Ok(())
    }
}

/// A file that could not be moved to its place.
#[derive(Debug)]
pub(crate) struct PublishError {
    pub(crate) path: PathBuf,
    pub(crate) source: io::Error,
}
