use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chunking::{ChunkId, ChunkRef};
use storage_node_api::DedupDomain;
use tokio::sync::Notify;

use super::error::StoreError;
use super::index::{Index, Key};

/// Most corrupt chunks that are remembered outside the index at a time; the
/// index knows the others.
const MAX_REMEMBERED: usize = 4096;

/// A chunk that is known to be corrupt: it is not served and not said to be
/// held. Its bytes stay until its volume goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quarantined {
    /// In which domain.
    pub domain: DedupDomain,
    /// Which chunk.
    pub id: ChunkId,
    /// Its bytes.
    pub length: u32,
}

impl Quarantined {
    /// The chunk of a domain.
    pub fn of(domain: DedupDomain, chunk: &ChunkRef) -> Self {
        Self {
            domain,
            id: chunk.id,
            length: chunk.length,
        }
    }

    /// The chunk.
    pub fn chunk(&self) -> ChunkRef {
        ChunkRef {
            id: self.id,
            length: self.length,
        }
    }
}

/// The corrupt chunks that wait to be replaced. The index is the truth; this
/// spares going through all of it.
#[derive(Debug)]
pub(super) struct Quarantine {
    remembered: Mutex<Remembered>,
    grown: Notify,
    by_reads: AtomicU64,
}

#[derive(Debug, Default)]
struct Remembered {
    chunks: BTreeMap<Key, u32>,
    /// Whether the index may know of more.
    more: bool,
}

impl Quarantine {
    /// Nothing is remembered yet of so many.
    pub(super) fn of(corrupt: u64) -> Self {
        let remembered = Remembered {
            chunks: BTreeMap::new(),
            more: corrupt > 0,
        };
        Self {
            remembered: Mutex::new(remembered),
            grown: Notify::new(),
            by_reads: AtomicU64::new(0),
        }
    }

    pub(super) fn add(&self, key: Key, length: u32, by_read: bool) {
        self.by_reads
            .fetch_add(u64::from(by_read), Ordering::Relaxed);
        let mut remembered = self.lock();
        if remembered.chunks.len() < MAX_REMEMBERED {
            remembered.chunks.insert(key, length);
        } else {
            remembered.more = true;
        }
        drop(remembered);
        self.grown.notify_one();
    }

    pub(super) fn found_by_reads(&self) -> u64 {
        self.by_reads.load(Ordering::Relaxed)
    }

    /// Waits until something was added since the last wait.
    pub(super) async fn grows(&self) {
        self.grown.notified().await;
    }

    /// Those that are still corrupt. Blocks on the index.
    pub(super) fn list(&self, index: &Index) -> Result<Vec<Quarantined>, StoreError> {
        let asked = self.lock().chunks.clone();
        let mut still = Vec::new();
        let mut replaced = Vec::new();
        for (key, length) in asked {
            let entry = index.get(&key)?;
            if entry.is_some_and(|entry| !entry.is_intact()) {
                still.push(quarantined(&key, length));
            } else {
                replaced.push(key);
            }
        }
        let more = {
            let mut remembered = self.lock();
            for key in replaced {
                remembered.chunks.remove(&key);
            }
            let more = remembered.more && remembered.chunks.is_empty();
            remembered.more &= !more;
            more
        };
        if more {
            self.find(index, &mut still)?;
        }
        Ok(still)
    }

    /// Goes through the index for the first ones.
    fn find(&self, index: &Index, found: &mut Vec<Quarantined>) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = index.page(after.as_ref())?;
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            after = Some(*last);
            for (key, entry) in page.iter().filter(|(_, entry)| !entry.is_intact()) {
                let length = entry.place.length;
                let mut remembered = self.lock();
                if remembered.chunks.len() >= MAX_REMEMBERED {
                    remembered.more = true;
                    return Ok(());
                }
                remembered.chunks.insert(*key, length);
                found.push(quarantined(key, length));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn quarantined(key: &Key, length: u32) -> Quarantined {
    Quarantined {
        domain: key.domain,
        id: key.id,
        length,
    }
}
