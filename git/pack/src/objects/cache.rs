use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::Kind;

/// Bytes of objects that one reader keeps, as bases of deltas to come.
const MAX_CACHED_BYTES: usize = 16 << 20;

/// The largest object that is kept.
const MAX_CACHED_OBJECT: usize = 2 << 20;

/// Objects lately rebuilt by a reader, by pack and offset.
///
/// Evicts the oldest that was not used since it last came up.
#[derive(Default)]
pub(crate) struct BaseCache {
    entries: HashMap<(u32, u64), Cached>,
    queue: VecDeque<(u32, u64)>,
    bytes: usize,
}

struct Cached {
    kind: Kind,
    data: Arc<Vec<u8>>,
    used: bool,
}

impl BaseCache {
    pub(crate) fn get(&mut self, pack: u32, offset: u64) -> Option<(Kind, Arc<Vec<u8>>)> {
        let cached = self.entries.get_mut(&(pack, offset))?;
        cached.used = true;
        Some((cached.kind, Arc::clone(&cached.data)))
    }

    pub(crate) fn put(&mut self, pack: u32, offset: u64, kind: Kind, data: &Arc<Vec<u8>>) {
        if data.len() > MAX_CACHED_OBJECT || self.entries.contains_key(&(pack, offset)) {
            return;
        }
        self.bytes += data.capacity();
        self.entries.insert(
            (pack, offset),
            Cached {
                kind,
                data: Arc::clone(data),
                used: false,
            },
        );
        self.queue.push_back((pack, offset));
        while self.bytes > MAX_CACHED_BYTES {
            let Some(key) = self.queue.pop_front() else {
                return;
            };
            let Some(cached) = self.entries.get_mut(&key) else {
                continue;
            };
            if std::mem::take(&mut cached.used) {
                self.queue.push_back(key);
            } else if let Some(cached) = self.entries.remove(&key) {
                self.bytes -= cached.data.capacity();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{BaseCache, MAX_CACHED_BYTES};
    use crate::Kind;

    #[test]
    fn what_is_used_stays_and_the_total_is_bounded() {
        let mut cache = BaseCache::default();
        let megabyte = |_| Arc::new(vec![0; 1 << 20]);
        for offset in 0..100 {
            cache.put(0, offset, Kind::Tree, &megabyte(offset));
            assert!(
                cache.get(0, 0).is_some(),
                "the first is used again and again"
            );
            assert!(cache.bytes <= MAX_CACHED_BYTES);
        }
        assert!(cache.get(0, 50).is_none());
        assert!(cache.get(0, 99).is_some());
        cache.put(0, 200, Kind::Blob, &Arc::new(vec![0; 3 << 20]));
        assert!(cache.get(0, 200).is_none(), "too large to keep");
    }
}
