use std::collections::HashMap;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::super::volume::VolumeId;

/// Bytes of objects in blocks, kept in memory within a limit: those used longest ago go first. A
/// block that somebody fetches is not fetched by anybody else meanwhile.
pub(super) struct Cache {
    limit: u64,
    blocks: Mutex<Blocks>,
    /// Something was fetched, or could not be.
    arrived: Condvar,
}

type Key = (VolumeId, u64);

#[derive(Default)]
struct Blocks {
    by_key: HashMap<Key, Slot>,
    bytes: u64,
    uses: u64,
}

enum Slot {
    /// Somebody fetches it.
    Coming,
    Here {
        bytes: Bytes,
        used: u64,
    },
}

/// What a look in the cache came to.
enum Looked {
    Found(Bytes),
    /// The caller is to fetch so many blocks, which others wait for.
    Fetch(u64),
}

impl Cache {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            limit,
            blocks: Mutex::default(),
            arrived: Condvar::new(),
        }
    }

    /// A block and perhaps some that follow it, at most `run` of them: from memory, or fetched in
    /// one go with those behind it that are not there either. Says whether it was in memory.
    pub(super) fn get<E>(
        &self,
        volume: VolumeId,
        block: u64,
        run: u64,
        fetch: impl FnOnce(u64) -> Result<Vec<Bytes>, E>,
    ) -> Result<(Vec<Bytes>, bool), E> {
        let count = match self.look(volume, block, run) {
            Looked::Found(bytes) => return Ok((vec![bytes], true)),
            Looked::Fetch(count) => count,
        };
        let fetched = fetch(count);
        let mut blocks = self.lock();
        for number in block..block + count {
            blocks.by_key.remove(&(volume, number));
        }
        if let Ok(fetched) = &fetched {
            for (number, bytes) in (block..).zip(fetched) {
                blocks.keep((volume, number), bytes.clone());
            }
            blocks.shrink(self.limit);
        }
        drop(blocks);
        self.arrived.notify_all();
        fetched.map(|fetched| (fetched, false))
    }

    /// Whether a block is there, or on its way.
    pub(super) fn has(&self, volume: VolumeId, block: u64) -> bool {
        self.lock().by_key.contains_key(&(volume, block))
    }

    /// Forgets what there is of a volume.
    pub(super) fn forget(&self, volume: VolumeId) {
        let mut blocks = self.lock();
        let mut freed = 0;
        blocks.by_key.retain(|key, slot| match slot {
            Slot::Here { bytes, .. } if key.0 == volume => {
                freed += bytes.len() as u64;
                false
            }
            _ => true,
        });
        blocks.bytes -= freed;
    }

    fn look(&self, volume: VolumeId, block: u64, run: u64) -> Looked {
        let mut blocks = self.lock();
        loop {
            blocks.uses += 1;
            let uses = blocks.uses;
            match blocks.by_key.get_mut(&(volume, block)) {
                Some(Slot::Here { bytes, used }) => {
                    *used = uses;
                    return Looked::Found(bytes.clone());
                }
                Some(Slot::Coming) => {
                    let waited = self.arrived.wait(blocks);
                    blocks = waited.unwrap_or_else(PoisonError::into_inner);
                }
                None => {
                    let absent = (block..block + run.max(1))
                        .take_while(|number| !blocks.by_key.contains_key(&(volume, *number)));
                    let count = absent.count() as u64;
                    for number in block..block + count {
                        blocks.by_key.insert((volume, number), Slot::Coming);
                    }
                    return Looked::Fetch(count);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Blocks> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Blocks {
    fn keep(&mut self, key: Key, bytes: Bytes) {
        self.bytes += bytes.len() as u64;
        let used = self.uses;
        self.by_key.insert(key, Slot::Here { bytes, used });
    }

    fn shrink(&mut self, limit: u64) {
        while self.bytes > limit {
            let here = self.by_key.iter().filter_map(|(key, slot)| match slot {
                Slot::Here { used, .. } => Some((*used, *key)),
                Slot::Coming => None,
            });
            let Some((_, oldest)) = here.min() else {
                return;
            };
            if let Some(Slot::Here { bytes, .. }) = self.by_key.remove(&oldest) {
                self.bytes -= bytes.len() as u64;
            }
        }
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use bytes::Bytes;

    use super::{Cache, VolumeId};

    const VOLUME: VolumeId = VolumeId(1);

    fn blocks(count: u64) -> Result<Vec<Bytes>, ()> {
        Ok((0..count).map(|_| Bytes::from_static(&[7; 10])).collect())
    }

    #[test]
    fn what_was_used_longest_ago_goes_first_and_the_limit_holds() {
        let cache = Cache::new(30);
        let fetched = |block, run| {
            let mut asked = 0;
            let count = |count| {
                asked = count;
                blocks(count)
            };
            cache.get(VOLUME, block, run, count).unwrap();
            asked
        };
        assert_eq!(fetched(0, 3), 3, "neighbours come in one go");
        assert_eq!(fetched(0, 1), 0, "from memory");
        assert_eq!(fetched(3, 1), 1);
        let has = |block| cache.has(VOLUME, block);
        assert_eq!((0..4).filter(|block| has(*block)).count(), 3);
        assert!(has(0) && has(3));
        cache.forget(VOLUME);
        assert_eq!(fetched(0, 1), 1);
    }

    #[test]
    fn a_failure_leaves_the_next_one_to_try() {
        let cache = Cache::new(100);
        let failed = cache.get(VOLUME, 0, 4, |_| Err::<Vec<Bytes>, _>("away"));
        assert_eq!(failed.map(drop), Err("away"));
        assert!(cache.get(VOLUME, 2, 1, blocks).is_ok());
    }

    #[test]
    fn many_who_want_one_block_fetch_it_once() {
        let cache = Cache::new(100);
        let fetches = AtomicU64::new(0);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let fetch = |count| {
                        fetches.fetch_add(1, Ordering::SeqCst);
                        thread::yield_now();
                        blocks(count)
                    };
                    cache.get(VOLUME, 5, 1, fetch).unwrap();
                });
            }
        });
        assert_eq!(fetches.load(Ordering::SeqCst), 1);
    }
}
