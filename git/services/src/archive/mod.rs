//! Archives of a tree: what `git archive` writes.
//!
//! A tar is byte for byte git's, for the same commit, prefix and paths. A directory is written
//! before the first in it that is no directory, so that one of which everything is left out may not appear.
//!
//! Not here: `export-subst`, `ident` and `working-tree-encoding`.

mod endings;
mod tar;
mod walk;
mod zip;

use std::io::{self, Write};
use std::sync::atomic::AtomicBool;

use git_id::ObjectId;
use git_pack::{Kind, Objects, ReadError};

use tar::Tar;
use walk::Walk;
use zip::Zip;

use crate::limits::{ARCHIVE_ENTRIES, TREE_DEPTH};

/// What an archive is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// POSIX tar with pax headers.
    Tar,
    /// The same, compressed by gzip without a name or a time.
    TarGz,
    /// Zip, with the modes of Unix.
    Zip,
}

impl Format {
    /// The format that the end of a file's name asks for, and the name without it.
    pub fn of_name(name: &str) -> Option<(Self, &str)> {
        let formats = [
            (".tar.gz", Self::TarGz),
            (".tgz", Self::TarGz),
            (".tar", Self::Tar),
            (".zip", Self::Zip),
        ];
        formats
            .iter()
            .find_map(|(end, format)| Some((*format, name.strip_suffix(end)?)))
    }

    /// How files of the format end, with the dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Tar => ".tar",
            Self::TarGz => ".tar.gz",
            Self::Zip => ".zip",
        }
    }

    /// The media type of the format.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Tar => "application/x-tar",
            Self::TarGz => "application/gzip",
            Self::Zip => "application/zip",
        }
    }
}

/// What an archive is made of.
#[derive(Clone, Debug)]
pub struct ArchiveOptions {
    /// What it is written as.
    pub format: Format,
    /// Put before every path as it is; one that ends with a slash becomes a directory.
    pub prefix: Vec<u8>,
    /// Only these files and directories, or all if there are none.
    pub paths: Vec<Vec<u8>>,
    /// How hard to compress, 0 to 9.
    pub level: u32,
    /// The time of everything in it if a tree is archived, not a commit; seconds since the epoch.
    pub tree_time: i64,
}

impl ArchiveOptions {
    /// All of a commit in a format, with git's level of compression.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            prefix: Vec::new(),
            paths: Vec::new(),
            level: 6,
            tree_time: 0,
        }
    }
}

/// Why an archive was not written, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// An object could not be read, or nobody waits any more.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What was asked for is no commit, tag of one or tree.
    #[error("{id} is neither a commit nor a directory")]
    NotATree {
        /// What was asked for.
        id: ObjectId,
    },
    /// A path that leads to nothing.
    #[error("there is nothing at the path {path:?}")]
    NoSuchPath {
        /// The path.
        path: String,
    },
    /// More files and directories than an archive may have.
    #[error("an archive has at most {limit} entries; ask for some of the paths")]
    TooManyEntries {
        /// The most that it may have.
        limit: usize,
    },
    /// Directories in directories, too many times.
    #[error("directories are nested more than {limit} deep")]
    TooDeep {
        /// The deepest that is followed.
        limit: usize,
    },
    /// Whoever takes the archive does not.
    #[error("write an archive")]
    Write(#[from] io::Error),
}

/// Something that an archive holds.
struct Member<'a> {
    /// With the prefix; that of a directory ends with a slash.
    path: &'a [u8],
    id: &'a ObjectId,
    content: Content<'a>,
}

enum Content<'a> {
    Directory,
    File { data: &'a [u8], executable: bool },
    Link { target: &'a [u8] },
}

/// Where members go, in the order of the tree.
trait Sink {
    fn put(&mut self, member: &Member<'_>) -> io::Result<()>;
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Writes an archive of a commit, of what a tag names, or of a tree. Memory is bounded by the largest
/// file, and for a zip by the number of its entries too.
///
/// # Errors
///
/// See [`ArchiveError`]; what was written by then is no whole archive.
pub fn archive(
    objects: &Objects,
    treeish: &ObjectId,
    options: &ArchiveOptions,
    out: &mut dyn Write,
    cancel: &AtomicBool,
) -> Result<(), ArchiveError> {
    let root = Root::find(objects, treeish, options)?;
    let mut walk = Walk::new(objects, options, cancel);
    // Before the first byte is written.
    walk.check_paths(&root.tree)?;
    let mut out = io::BufWriter::with_capacity(1 << 16, out);
    match options.format {
        Format::Tar => {
            let tar = Tar::begin(&mut out, root.commit.as_ref(), root.time)?;
            walk.run(&root.tree, Box::new(tar))?;
        }
        Format::TarGz => {
            let level = flate2::Compression::new(options.level.min(9));
            let header = flate2::GzBuilder::new().mtime(0).operating_system(3);
            let mut gzip = header.write(&mut out, level);
            let tar = Tar::begin(&mut gzip, root.commit.as_ref(), root.time)?;
            walk.run(&root.tree, Box::new(tar))?;
            gzip.finish()?;
        }
        Format::Zip => {
            let zip = Zip::new(&mut out, root.commit, root.time, options.level);
            walk.run(&root.tree, Box::new(zip))?;
        }
    }
    out.flush()?;
    Ok(())
}

/// What is archived.
struct Root {
    tree: ObjectId,
    commit: Option<ObjectId>,
    time: i64,
}

impl Root {
    fn find(
        objects: &Objects,
        treeish: &ObjectId,
        options: &ArchiveOptions,
    ) -> Result<Self, ArchiveError> {
        let id = objects.peel(treeish)?.unwrap_or(*treeish);
        match objects.header(&id)?.map(|header| header.kind) {
            Some(Kind::Commit) => {
                let commit = objects.commit(&id)?;
                let commit = commit.ok_or(ArchiveError::NotATree { id })?;
                Ok(Self {
                    tree: commit.tree,
                    commit: Some(id),
                    time: commit.committer.time,
                })
            }
            Some(Kind::Tree) => Ok(Self {
                tree: id,
                commit: None,
                time: options.tree_time,
            }),
            _ => Err(ArchiveError::NotATree { id }),
        }
    }
}
