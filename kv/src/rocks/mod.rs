//! RocksDB.

use std::fmt;
use std::fs;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBRawIterator,
    DBRecoveryMode, LogLevel, Options, ReadOptions, Snapshot, WriteBatch, WriteOptions,
};
use self_cell::self_cell;

use crate::{
    Batch, Direction, Durability, Family, KeyValue, KvError, OpenError, Operation, Range, View,
    Visit,
};

/// The family that RocksDB always has; nothing is kept in it.
const DEFAULT_FAMILY: &str = "default";

/// What opening does about a write-ahead log that is damaged before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Refuses to open. Only a record cut off at the very end of the log is taken as a write
    /// that never returned. For stores whose loss nothing else would notice, like a Raft log.
    Refuse,
    /// Goes back to the last state before the damage. For stores that something else brings up
    /// to date, and that say how far they have come.
    GoBack,
}

/// Sizes and choices of one RocksDB.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// Memory for recent writes, all families together, in bytes.
    pub write_buffer_bytes: usize,
    /// Memory for blocks read from files, in bytes.
    pub block_cache_bytes: usize,
    /// Write-ahead log at which memory is written out to files, in bytes.
    pub max_log_bytes: u64,
    /// Most files that are kept open.
    pub max_open_files: i32,
    /// What to do about a damaged log.
    pub recovery: Recovery,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            write_buffer_bytes: 16 << 20,
            block_cache_bytes: 16 << 20,
            max_log_bytes: 64 << 20,
            max_open_files: 256,
            recovery: Recovery::Refuse,
        }
    }
}

/// A store in RocksDB. Clones share it; it closes when the last clone and the last view are
/// gone.
#[derive(Clone)]
pub struct RocksDb {
    inner: Arc<Inner>,
}

struct Inner {
    db: DB,
    path: PathBuf,
    poisoned: AtomicBool,
    damaged: AtomicBool,
}

self_cell!(
    /// A snapshot together with the database that it is of.
    struct OwnedSnapshot {
        owner: Arc<Inner>,
        #[covariant]
        dependent: SnapshotOf,
    }
);

type SnapshotOf<'a> = Snapshot<'a>;

impl RocksDb {
    /// Opens the store in directory `path` with exactly these families; makes what is missing.
    pub fn open(path: impl AsRef<Path>, families: &[Family]) -> Result<Self, OpenError> {
        Self::open_tuned(path, families, Tuning::default())
    }

    /// Like [`open`](Self::open) with other sizes.
    pub fn open_tuned(
        path: impl AsRef<Path>,
        families: &[Family],
        tuning: Tuning,
    ) -> Result<Self, OpenError> {
        let path = path.as_ref();
        make_directory(path).map_err(|source| OpenError::Directory {
            path: path.to_owned(),
            source,
        })?;
        refuse_unknown(path, families)?;
        let options = options(tuning);
        let descriptors = families
            .iter()
            .map(|family| ColumnFamilyDescriptor::new(family.name(), options.clone()))
            .collect::<Vec<_>>();
        let db = DB::open_cf_descriptors(&options, path, descriptors).map_err(|error| {
            let path = path.to_owned();
            if error.kind() == rocksdb::ErrorKind::IOError && error.as_ref().contains("lock") {
                OpenError::Locked { path }
            } else {
                let source = error.into();
                OpenError::Store { path, source }
            }
        })?;
        Ok(Self {
            inner: Arc::new(Inner {
                db,
                path: path.to_owned(),
                poisoned: AtomicBool::new(false),
                damaged: AtomicBool::new(false),
            }),
        })
    }

    /// Bytes of RocksDB's own memory: write buffers, pinned and cached blocks.
    pub fn memory_bytes(&self) -> u64 {
        [
            "rocksdb.cur-size-all-mem-tables",
            "rocksdb.block-cache-usage",
        ]
        .iter()
        .filter_map(|name| self.inner.db.property_int_value(*name).ok().flatten())
        .sum()
    }
}

impl fmt::Debug for RocksDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RocksDb").field(&self.inner.path).finish()
    }
}

fn make_directory(path: &Path) -> std::io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path)?;
    // RocksDB syncs its directory, but not that directory's name.
    match path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        Some(parent) => fs::File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn refuse_unknown(path: &Path, families: &[Family]) -> Result<(), OpenError> {
    if !path.join("CURRENT").exists() {
        return Ok(());
    }
    let present = DB::list_cf(&Options::default(), path).map_err(|error| OpenError::Store {
        path: path.to_owned(),
        source: error.into(),
    })?;
    let known = |name: &String| {
        name == DEFAULT_FAMILY || families.iter().any(|family| family.name() == name)
    };
    let unknown: Vec<String> = present.into_iter().filter(|name| !known(name)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(OpenError::Newer {
        path: path.to_owned(),
        families: unknown,
    })
}

fn options(tuning: Tuning) -> Options {
    let mut blocks = BlockBasedOptions::default();
    match Cache::new_lru_cache(tuning.block_cache_bytes) {
        Ok(cache) => blocks.set_block_cache(&cache),
        Err(_) => blocks.disable_cache(),
    }
    blocks.set_bloom_filter(10.0, false);
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_block_based_table_factory(&blocks);
    options.set_db_write_buffer_size(tuning.write_buffer_bytes);
    options.set_write_buffer_size(tuning.write_buffer_bytes);
    options.set_max_total_wal_size(tuning.max_log_bytes);
    options.set_max_open_files(tuning.max_open_files);
    options.set_max_background_jobs(2);
    options.set_keep_log_file_num(2);
    options.set_log_level(LogLevel::Warn);
    options.set_paranoid_checks(true);
    options.set_wal_recovery_mode(match tuning.recovery {
        Recovery::Refuse => DBRecoveryMode::TolerateCorruptedTailRecords,
        Recovery::GoBack => DBRecoveryMode::PointInTime,
    });
    options
}

impl Inner {
    fn family(&self, family: Family) -> Result<&ColumnFamily, KvError> {
        let handle = self.db.cf_handle(family.name());
        handle.ok_or(KvError::UnknownFamily { family })
    }

    fn writable(&self) -> Result<(), KvError> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(KvError::Poisoned);
        }
        Ok(())
    }

    fn poison(&self, error: &rocksdb::Error) {
        self.note(error);
        self.poisoned.store(true, Ordering::Release);
    }

    /// Remembers that the files are not what was written.
    fn note(&self, error: &rocksdb::Error) {
        if error.kind() == rocksdb::ErrorKind::Corruption {
            self.damaged.store(true, Ordering::Release);
        }
    }

    fn read_error(&self, family: Family, error: rocksdb::Error) -> KvError {
        self.note(&error);
        KvError::Read {
            family,
            source: error.into(),
        }
    }

    fn translate(&self, batch: &Batch) -> Result<WriteBatch, KvError> {
        let mut out = WriteBatch::default();
        for operation in batch.operations() {
            let handle = self.family(operation.family())?;
            match operation {
                Operation::Put { key, value, .. } => out.put_cf(handle, key, value),
                Operation::Delete { key, .. } => out.delete_cf(handle, key),
                Operation::DeleteRange { from, to, .. } => {
                    out.delete_range_cf(handle, from, to);
                }
            }
        }
        Ok(out)
    }
}

impl View for RocksDb {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, KvError> {
        let handle = self.inner.family(family)?;
        let value = self.inner.db.get_cf(handle, key);
        let value = value.map_err(|error| self.inner.read_error(family, error))?;
        Ok(value.map(Bytes::from))
    }

    fn scan(
        &self,
        family: Family,
        range: Range<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), KvError> {
        let handle = self.inner.family(family)?;
        let iterator = self.inner.db.raw_iterator_cf_opt(handle, bounds(range));
        scan(iterator, direction, visit).map_err(|error| self.inner.read_error(family, error))
    }
}

impl KeyValue for RocksDb {
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), KvError> {
        self.inner.writable()?;
        let translated = self.inner.translate(&batch)?;
        let mut options = WriteOptions::default();
        options.set_sync(durability == Durability::Synced);
        self.inner
            .db
            .write_opt(translated, &options)
            .map_err(|error| {
                self.inner.poison(&error);
                KvError::Write {
                    source: error.into(),
                }
            })
    }

    fn sync(&self) -> Result<(), KvError> {
        self.inner.writable()?;
        self.inner.db.flush_wal(true).map_err(|error| {
            self.inner.poison(&error);
            KvError::Sync {
                source: error.into(),
            }
        })
    }

    fn is_damaged(&self) -> bool {
        self.inner.damaged.load(Ordering::Acquire)
    }

    fn view(&self) -> Box<dyn View> {
        Box::new(RocksView(OwnedSnapshot::new(self.inner.clone(), |inner| {
            inner.db.snapshot()
        })))
    }
}

struct RocksView(OwnedSnapshot);

impl fmt::Debug for RocksView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RocksView")
            .field(&self.0.borrow_owner().path)
            .finish()
    }
}

impl View for RocksView {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, KvError> {
        let handle = self.0.borrow_owner().family(family)?;
        let value = self.0.borrow_dependent().get_cf(handle, key);
        let value = value.map_err(|error| self.0.borrow_owner().read_error(family, error))?;
        Ok(value.map(Bytes::from))
    }

    fn scan(
        &self,
        family: Family,
        range: Range<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), KvError> {
        let handle = self.0.borrow_owner().family(family)?;
        let snapshot = self.0.borrow_dependent();
        let iterator = snapshot.raw_iterator_cf_opt(handle, bounds(range));
        scan(iterator, direction, visit)
            .map_err(|error| self.0.borrow_owner().read_error(family, error))
    }
}

/// RocksDB's bounds include the lower and exclude the upper one; the least key after `k` is `k`
/// with a zero byte.
fn bounds((from, to): Range<'_>) -> ReadOptions {
    let after = |key: &[u8]| [key, &[0]].concat();
    let mut options = ReadOptions::default();
    let lower = match from {
        Bound::Included(key) => key.to_vec(),
        Bound::Excluded(key) => after(key),
        Bound::Unbounded => Vec::new(),
    };
    let upper = match to {
        Bound::Included(key) => Some(after(key)),
        Bound::Excluded(key) => Some(key.to_vec()),
        Bound::Unbounded => None,
    };
    if let Some(upper) = upper {
        // Crossed bounds are an empty range, which RocksDB is told in its own terms.
        options.set_iterate_upper_bound(upper.max(lower.clone()));
    }
    options.set_iterate_lower_bound(lower);
    options
}

fn scan(
    mut iterator: DBRawIterator<'_>,
    direction: Direction,
    visit: &mut Visit<'_>,
) -> Result<(), rocksdb::Error> {
    match direction {
        Direction::Ascending => iterator.seek_to_first(),
        Direction::Descending => iterator.seek_to_last(),
    }
    while let Some((key, value)) = iterator.item() {
        if visit(key, value).is_break() {
            return Ok(());
        }
        match direction {
            Direction::Ascending => iterator.next(),
            Direction::Descending => iterator.prev(),
        }
    }
    iterator.status()
}

#[cfg(test)]
mod tests;
