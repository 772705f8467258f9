use std::io::Write;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use git_id::ObjectId;
use git_pack::{Objects, ReadError};

use crate::archive::{ArchiveError, ArchiveOptions, archive};
use crate::blame::{BlameError, BlamedLines, blame};
use crate::cache::{Cache, Cached, Key};
use crate::cancel;
use crate::diff::{DiffOptions, FileChange, FileDiff, LineOptions, diff_file, diff_trees};
use crate::history::{
    Comparison, LastChange, LogOptions, LogPage, compare, count, last_changes, log, merge_bases,
};
use crate::languages::{LanguageSize, languages};
use crate::search::{Found, SearchError, SearchOptions, search};
use crate::tree::{TreeListing, list_tree};

/// What can be asked of a repository's objects. Every method may block for long, and ends early, with
/// [`ReadError::Cancelled`], once nobody waits for it any more.
pub trait Services {
    /// The objects themselves.
    fn objects(&self) -> &Objects;

    /// Set once nobody waits any more.
    fn cancel(&self) -> &AtomicBool;

    /// See [`last_changes`].
    ///
    /// # Errors
    ///
    /// An object is missing or damaged, or nobody waits any more.
    fn last_changes(
        &self,
        commit: &ObjectId,
        path: &[u8],
    ) -> Result<Option<Arc<[LastChange]>>, ReadError>;

    /// See [`count`].
    ///
    /// # Errors
    ///
    /// An object is missing or damaged, or nobody waits any more.
    fn count(&self, tip: &ObjectId, path: &[u8]) -> Result<usize, ReadError>;

    /// See [`languages`](fn@languages).
    ///
    /// # Errors
    ///
    /// An object is missing or damaged, or nobody waits any more.
    fn languages(&self, tree: &ObjectId) -> Result<Arc<[LanguageSize]>, ReadError>;

    /// See [`archive`](fn@archive).
    ///
    /// # Errors
    ///
    /// See [`ArchiveError`].
    fn archive(
        &self,
        treeish: &ObjectId,
        options: &ArchiveOptions,
        out: &mut dyn Write,
    ) -> Result<(), ArchiveError> {
        archive(self.objects(), treeish, options, out, self.cancel())
    }

    /// See [`list_tree`].
    ///
    /// # Errors
    ///
    /// An object is missing or damaged, or nobody waits any more.
    fn list_tree(
        &self,
        tree: &ObjectId,
        recursive: bool,
        limit: usize,
    ) -> Result<TreeListing, ReadError> {
        list_tree(self.objects(), tree, recursive, limit, self.cancel())
    }

    /// See [`log`].
    ///
    /// # Errors
    ///
    /// An object is missing or damaged, or nobody waits any more.
    fn log(&self, tip: &ObjectId, options: &LogOptions) -> Result<LogPage, ReadError> {
        log(self.objects(), tip, options, self.cancel())
    }

    /// See [`compare`].
    ///
    /// # Errors
    ///
    /// An object is missing or damaged, or nobody waits any more.
    fn compare(&self, from: &ObjectId, to: &ObjectId) -> Result<Comparison, ReadError> {
        compare(self.objects(), from, to, self.cancel())
    }

    /// See [`merge_bases`].
    ///
    /// # Errors
    ///
    /// An object is missing or damaged, or nobody waits any more.
    fn merge_bases(&self, one: &ObjectId, other: &ObjectId) -> Result<Vec<ObjectId>, ReadError> {
        merge_bases(self.objects(), one, other, self.cancel())
    }

    /// See [`diff_trees`].
    ///
    /// # Errors
    ///
    /// An object is missing or damaged, or nobody waits any more.
    fn diff_trees(
        &self,
        before: Option<&ObjectId>,
        after: Option<&ObjectId>,
        options: &DiffOptions,
    ) -> Result<Vec<FileChange>, ReadError> {
        diff_trees(self.objects(), before, after, options, self.cancel())
    }

    /// See [`blame`](fn@blame).
    ///
    /// # Errors
    ///
    /// See [`BlameError`].
    fn blame(
        &self,
        commit: &ObjectId,
        path: &[u8],
        lines: Option<Range<u32>>,
    ) -> Result<Vec<BlamedLines>, BlameError> {
        blame(self.objects(), commit, path, lines, self.cancel())
    }

    /// See [`search`](fn@search).
    ///
    /// # Errors
    ///
    /// See [`SearchError`].
    fn search(&self, tree: &ObjectId, options: &SearchOptions) -> Result<Found, SearchError> {
        search(self.objects(), tree, options, self.cancel())
    }

    /// See [`diff_file`].
    ///
    /// # Errors
    ///
    /// An object is missing or damaged, or nobody waits any more.
    fn diff_file(&self, change: &FileChange, options: &LineOptions) -> Result<FileDiff, ReadError> {
        cancel::check(self.cancel())?;
        diff_file(self.objects(), change, options)
    }
}

/// The services over a set of objects, for one who waits. Results that never change are shared through a
/// cache, but only with those who have the objects.
#[derive(Clone, Copy, Debug)]
pub struct CachedServices<'a> {
    /// The objects.
    pub objects: &'a Objects,
    /// Results that are known.
    pub cache: &'a Cache,
    /// Set once nobody waits any more.
    pub cancel: &'a AtomicBool,
}

impl Services for CachedServices<'_> {
    fn objects(&self) -> &Objects {
        self.objects
    }

    fn cancel(&self) -> &AtomicBool {
        self.cancel
    }

    fn last_changes(
        &self,
        commit: &ObjectId,
        path: &[u8],
    ) -> Result<Option<Arc<[LastChange]>>, ReadError> {
        let key = Key::LastChanges(*commit, path.to_vec());
        if let Some(Cached::LastChanges(known)) = self.known(commit, &key) {
            return Ok(Some(known));
        }
        let Some(changes) = last_changes(self.objects, commit, path, self.cancel)? else {
            return Ok(None);
        };
        let changes: Arc<[LastChange]> = changes.into();
        self.cache.put(key, Cached::LastChanges(changes.clone()));
        Ok(Some(changes))
    }

    fn count(&self, tip: &ObjectId, path: &[u8]) -> Result<usize, ReadError> {
        let key = Key::Count(*tip, path.to_vec());
        if let Some(Cached::Count(known)) = self.known(tip, &key) {
            return Ok(known);
        }
        let options = LogOptions {
            path: path.to_vec(),
            ..LogOptions::default()
        };
        let count = count(self.objects, tip, &options, self.cancel)?;
        self.cache.put(key, Cached::Count(count));
        Ok(count)
    }

    fn languages(&self, tree: &ObjectId) -> Result<Arc<[LanguageSize]>, ReadError> {
        let key = Key::Languages(*tree);
        if let Some(Cached::Languages(known)) = self.known(tree, &key) {
            return Ok(known);
        }
        let sizes: Arc<[LanguageSize]> = languages(self.objects, tree, self.cancel)?.into();
        self.cache.put(key, Cached::Languages(sizes.clone()));
        Ok(sizes)
    }
}

impl CachedServices<'_> {
    fn known(&self, id: &ObjectId, key: &Key) -> Option<Cached> {
        self.objects
            .contains(id)
            .then(|| self.cache.get(key))
            .flatten()
    }
}
