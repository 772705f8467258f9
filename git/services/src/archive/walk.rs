use std::sync::atomic::AtomicBool;

use git_id::ObjectId;
use git_pack::{Objects, ReadError, TreeEntry};

use super::endings::Endings;
use super::{ARCHIVE_ENTRIES, ArchiveError, ArchiveOptions, Content, Member, Sink, TREE_DEPTH};
use crate::attributes::{Attributes, PathAttributes};
use crate::cancel;
use crate::mode::Mode;

/// A walk over the tree that is archived.
pub(super) struct Walk<'a> {
    objects: &'a Objects,
    options: &'a ArchiveOptions,
    cancel: &'a AtomicBool,
    attributes: Attributes,
    /// Directories that are open, the root first.
    open: Vec<Directory>,
    entries: usize,
}

struct Directory {
    id: ObjectId,
    /// With a slash at the end, unless it is the root.
    path: Vec<u8>,
    rest: std::vec::IntoIter<TreeEntry>,
    is_written: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        objects: &'a Objects,
        options: &'a ArchiveOptions,
        cancel: &'a AtomicBool,
    ) -> Self {
        Self {
            objects,
            options,
            cancel,
            attributes: Attributes::default(),
            open: Vec::new(),
            entries: 0,
        }
    }

    /// Each path that is asked for must lead somewhere.
    pub(super) fn check_paths(&self, tree: &ObjectId) -> Result<(), ArchiveError> {
        for path in &self.options.paths {
            let is_root = path.iter().all(|byte| *byte == b'/');
            if !is_root && self.objects.entry_at_path(tree, path)?.is_none() {
                let path = String::from_utf8_lossy(path).into_owned();
                return Err(ArchiveError::NoSuchPath { path });
            }
        }
        Ok(())
    }

    pub(super) fn run(
        &mut self,
        tree: &ObjectId,
        mut sink: Box<dyn Sink + '_>,
    ) -> Result<(), ArchiveError> {
        if self.options.prefix.ends_with(b"/") {
            let slashes = self.options.prefix.iter().rev();
            let slashes = slashes.take_while(|byte| **byte == b'/').count();
            let length = self.options.prefix.len() - slashes + 1;
            sink.put(&Member {
                path: &self.options.prefix[..length],
                id: tree,
                content: Content::Directory,
            })?;
        }
        self.enter(*tree, Vec::new())?;
        while let Some(directory) = self.open.last_mut() {
            cancel::check(self.cancel)?;
            let Some(entry) = directory.rest.next() else {
                self.open.pop();
                self.attributes.leave();
                continue;
            };
            let mut path = directory.path.clone();
            path.extend_from_slice(&entry.name);
            self.entry(&entry, path, &mut *sink)?;
        }
        Ok(sink.finish()?)
    }

    fn enter(&mut self, id: ObjectId, path: Vec<u8>) -> Result<(), ArchiveError> {
        if self.open.len() == TREE_DEPTH {
            return Err(ArchiveError::TooDeep { limit: TREE_DEPTH });
        }
        let missing = ReadError::Missing { id, referrer: None };
        let entries = self.objects.tree(&id)?.ok_or(missing)?;
        self.attributes.enter(self.objects, &path, &entries)?;
        self.open.push(Directory {
            id,
            is_written: path.is_empty(),
            path,
            rest: entries.into_iter(),
        });
        Ok(())
    }

    fn entry(
        &mut self,
        entry: &TreeEntry,
        mut path: Vec<u8>,
        sink: &mut dyn Sink,
    ) -> Result<(), ArchiveError> {
        let mode = Mode::of(entry.mode);
        let is_directory = matches!(mode, Mode::Directory | Mode::Submodule);
        if !self.is_wanted(&path, mode == Mode::Directory) {
            return Ok(());
        }
        let attributes = self.attributes.of(&path, is_directory);
        let is_ignored = attributes.is_set("export-ignore");
        if mode == Mode::Directory {
            if is_ignored {
                return Ok(());
            }
            path.push(b'/');
            return self.enter(entry.id, path);
        }
        // Git writes them for a file that is left out, too.
        self.write_directories(sink)?;
        if is_ignored {
            return Ok(());
        }
        self.count()?;
        let full = [self.options.prefix.as_slice(), &path].concat();
        self.write(entry, mode, &attributes, full, sink)
    }

    fn write(
        &self,
        entry: &TreeEntry,
        mode: Mode,
        attributes: &PathAttributes,
        mut path: Vec<u8>,
        sink: &mut dyn Sink,
    ) -> Result<(), ArchiveError> {
        let id = &entry.id;
        if mode == Mode::Submodule {
            path.push(b'/');
        }
        let data = match mode {
            Mode::Submodule | Mode::Directory => Vec::new(),
            Mode::File | Mode::Executable | Mode::Link => {
                let missing = || ReadError::Missing {
                    id: *id,
                    referrer: None,
                };
                self.objects.read(id)?.ok_or_else(missing)?.data
            }
        };
        let data = match mode {
            Mode::File | Mode::Executable => Endings::of(attributes).convert(data),
            Mode::Submodule | Mode::Directory | Mode::Link => data,
        };
        let content = match mode {
            Mode::Submodule | Mode::Directory => Content::Directory,
            Mode::Link => Content::Link { target: &data },
            Mode::File | Mode::Executable => Content::File {
                data: &data,
                executable: mode == Mode::Executable,
            },
        };
        let member = Member {
            path: &path,
            id,
            content,
        };
        Ok(sink.put(&member)?)
    }

    /// Writes the open directories that are not yet.
    fn write_directories(&mut self, sink: &mut dyn Sink) -> Result<(), ArchiveError> {
        for at in 0..self.open.len() {
            if self.open[at].is_written {
                continue;
            }
            self.count()?;
            let directory = &mut self.open[at];
            directory.is_written = true;
            sink.put(&Member {
                path: &[self.options.prefix.as_slice(), &directory.path].concat(),
                id: &directory.id,
                content: Content::Directory,
            })?;
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), ArchiveError> {
        self.entries += 1;
        if self.entries > ARCHIVE_ENTRIES {
            return Err(ArchiveError::TooManyEntries {
                limit: ARCHIVE_ENTRIES,
            });
        }
        Ok(())
    }

    /// Whether a path is asked for, or leads to what is.
    fn is_wanted(&self, path: &[u8], is_directory: bool) -> bool {
        let paths = &self.options.paths;
        paths.is_empty()
            || paths.iter().any(|wanted| {
                let wanted = trim_slashes(wanted);
                is_below(path, wanted) || (is_directory && is_below(wanted, path))
            })
    }
}

fn trim_slashes(mut path: &[u8]) -> &[u8] {
    while let Some(rest) = path.strip_suffix(b"/") {
        path = rest;
    }
    path
}

/// Whether a path is another one, or below it.
fn is_below(path: &[u8], other: &[u8]) -> bool {
    let rest = path.strip_prefix(other);
    other.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}
