use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chunking::BlobId;
use git_id::{HashKind, ObjectId};
use git_serve::Answers;
use runtime::{Runtime, run_blocking};
use storage_node_api::map::REPLACEMENT_VERSION;
use storage_node_api::order::{Answer, Query};
use storage_node_api::{ReadPoint, RepositoryId, Storage};

use super::layout::Layout;
use super::{CacheError, Entry, Quarantine};
use crate::config::Config;
use crate::limits::{CACHED_REFS, OPEN_REPOSITORIES};
use crate::metrics::{CacheMetrics, Metrics};
use crate::repository::maintenance::{Extent, Wanted, Wish};
use crate::repository::refs::VersionedRefs;

/// The cache of a frontend.
#[derive(Debug)]
pub struct PackCache {
    pub(crate) layout: Layout,
    pub(crate) limit: u64,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) runtime: Runtime,
    pub(crate) metrics: CacheMetrics,
    /// Packs that several clients are sent.
    pub(crate) answers: Arc<Answers>,
    /// Repositories that were seen to need maintenance.
    pub(crate) wanted: Wanted,
    /// With how many packs they do; 0 for never.
    maintained_packs: u32,
    state: Mutex<State>,
    /// Held as long as the process lives.
    _lock: File,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// Counts uses, to tell which was the least recent.
    uses: u64,
    /// Repositories kept open, and their last use.
    pub(crate) open: HashMap<RepositoryId, (Arc<Entry>, u64)>,
    /// Repositories on disk.
    pub(crate) disk: HashMap<RepositoryId, OnDisk>,
}

/// What is on disk of a repository.
#[derive(Debug, Default)]
pub(crate) struct OnDisk {
    /// The bytes of its files.
    pub(crate) bytes: u64,
    /// When it was last used.
    pub(crate) last_use: u64,
    /// The packs whose files were checked by this process, with their blobs.
    pub(crate) checked: HashMap<ObjectId, BlobId>,
}

impl PackCache {
    /// Opens the cache in that directory, which this process then has to itself.
    pub(crate) fn open(
        config: &Config,
        storage: Arc<dyn Storage>,
        runtime: Runtime,
        metrics: &Metrics,
    ) -> Result<Self, CacheError> {
        let root = &config.cache_directory;
        fs::create_dir_all(root).map_err(CacheError::io(root))?;
        let layout = Layout::new(root.to_owned());
        let path = layout.lock_file();
        let lock = File::create(&path).map_err(CacheError::io(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(CacheError::InUse(root.to_owned())),
            Err(TryLockError::Error(source)) => return Err(CacheError::Io { path, source }),
        }
        layout.prepare()?;
        let state = State {
            disk: scan(&layout.repositories())?,
            ..State::default()
        };
        let cache = Self {
            answers: Arc::new(Answers::new(
                layout.answers(),
                config.answer_bytes,
                metrics.answers.clone(),
            )),
            layout,
            limit: config.cache_bytes,
            storage,
            runtime,
            metrics: metrics.cache.clone(),
            wanted: Wanted::default(),
            maintained_packs: config.maintenance_packs,
            state: Mutex::new(state),
            _lock: lock,
        };
        cache.report(&cache.state());
        Ok(cache)
    }

    /// What the disk has left for this process.
    pub(crate) fn available_bytes(&self) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(self.layout.incoming())?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Asks for maintenance of a repository with so many packs, if that is many.
    pub(crate) fn note_packs(&self, entry: &Entry, packs: usize) {
        if self.maintained_packs > 0 && packs >= self.maintained_packs as usize {
            self.wanted.ask(Wish {
                id: entry.id,
                hash: entry.hash,
                extent: Extent::Geometric,
            });
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a repository, whose files stay while the entry is held.
    pub(crate) fn entry(&self, id: RepositoryId, hash: HashKind) -> Arc<Entry> {
        let mut state = self.state();
        state.uses += 1;
        let now = state.uses;
        if let Some(disk) = state.disk.get_mut(&id) {
            disk.last_use = now;
        }
        let fresh = || (Arc::new(Entry::new(id, hash)), now);
        let (entry, last_use) = state.open.entry(id).or_insert_with(fresh);
        *last_use = now;
        let entry = Arc::clone(entry);
        state.close_surplus();
        entry
    }

    /// All refs, as new as everything acknowledged before. An unchanged
    /// repository costs one small question.
    pub(crate) async fn refs(&self, entry: &Entry) -> Result<Arc<VersionedRefs>, CacheError> {
        let held = entry.refs();
        let known = held.as_ref().map(|refs| refs.version);
        let query = Query::Refs {
            repository: entry.id,
            known,
        };
        let slot = entry.id.slot();
        match (
            self.storage
                .read(slot, ReadPoint::Linearizable, query)
                .await?,
            held,
        ) {
            (Answer::Refs(Some(list)), _) => {
                let refs = Arc::new(VersionedRefs::from(list));
                entry.set_refs(Arc::clone(&refs));
                self.state().forget_surplus_refs(entry.id);
                Ok(refs)
            }
            (Answer::Unchanged, Some(held)) => Ok(held),
            (Answer::Refs(None), _) => Err(CacheError::Gone(entry.id)),
            _ => Err(CacheError::UnexpectedAnswer),
        }
    }

    /// Whether every node knows entries that replace packs, and pushes that name what they were
    /// checked with.
    pub(crate) async fn knows_replacements(&self) -> bool {
        let map = self.storage.map().await;
        map.is_ok_and(|map| map.machine_version >= REPLACEMENT_VERSION)
    }

    /// The bytes of what is cached of a repository, if anything is.
    pub(crate) fn stored_bytes(&self, id: RepositoryId) -> Option<u64> {
        self.state().disk.get(&id).map(|disk| disk.bytes)
    }

    /// A new directory for a push.
    pub(crate) async fn quarantine(&self) -> Result<Quarantine, CacheError> {
        let layout = self.layout.clone();
        self.blocking("make a quarantine", move || layout.quarantine())
            .await?
    }

    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, CacheError> {
        let done = run_blocking(&*self.runtime.tasks, name, work).await;
        done.map_err(|_| CacheError::ShuttingDown)
    }

    /// Brings the gauges up to date.
    pub(crate) fn report(&self, state: &State) {
        let bytes = state.disk.values().map(|disk| disk.bytes).sum::<u64>();
        self.metrics
            .bytes
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.metrics
            .repositories
            .set(i64::try_from(state.disk.len()).unwrap_or(i64::MAX));
    }
}

impl State {
    /// The record of what is on disk, which counts as used now.
    pub(crate) fn on_disk(&mut self, id: RepositoryId) -> &mut OnDisk {
        self.uses += 1;
        let disk = self.disk.entry(id).or_default();
        disk.last_use = self.uses;
        disk
    }

    /// Closes the least recently used repositories that nobody works with.
    fn close_surplus(&mut self) {
        while self.open.len() > OPEN_REPOSITORIES {
            let idle = self
                .open
                .iter()
                .filter(|(_, (entry, _))| Arc::strong_count(entry) == 1);
            let Some(id) = idle
                .min_by_key(|(_, (_, last_use))| *last_use)
                .map(|(id, _)| *id)
            else {
                return;
            };
            self.open.remove(&id);
        }
    }

    /// Forgets the refs of the least recently used repositories beyond the
    /// limit, but not of `keep`.
    fn forget_surplus_refs(&mut self, keep: RepositoryId) {
        let count = |entry: &Entry| entry.refs().map_or(0, |refs| refs.snapshot.refs().len());
        let mut held: Vec<_> = self.open.values().collect();
        let mut total: usize = held.iter().map(|(entry, _)| count(entry)).sum();
        if total <= CACHED_REFS {
            return;
        }
        held.sort_unstable_by_key(|(_, last_use)| *last_use);
        for (entry, _) in held.into_iter().filter(|(entry, _)| entry.id != keep) {
            if total <= CACHED_REFS {
                return;
            }
            total -= count(entry);
            entry.forget_refs();
        }
    }
}

/// What an earlier process left, none of it checked.
fn scan(repositories: &Path) -> Result<HashMap<RepositoryId, OnDisk>, CacheError> {
    let mut disk = HashMap::new();
    for entry in fs::read_dir(repositories).map_err(CacheError::io(repositories))? {
        let path = entry.map_err(CacheError::io(repositories))?.path();
        let Some(id) = path
            .file_name()
            .and_then(|name| name.to_str()?.parse().ok())
        else {
            continue;
        };
        let packs: PathBuf = path.join("objects").join("pack");
        let files = fs::read_dir(&packs).into_iter().flatten().flatten();
        let bytes = files
            .filter_map(|file| file.metadata().ok())
            .map(|file| file.len())
            .sum();
        disk.insert(
            id,
            OnDisk {
                bytes,
                ..OnDisk::default()
            },
        );
    }
    Ok(disk)
}
