//! What is known about which objects of a pack set some tips reach.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use git_id::ObjectId;
use sha2::{Digest as _, Sha256};

use crate::bitmap::Bitmap;
use crate::objects::Objects;

/// Answers kept at most, whatever their size.
const MAX_ANSWERS: usize = 64;

/// Bytes of answers kept by default.
const DEFAULT_BYTES: usize = 32 << 20;

/// Remembers, for the clones of late, which objects their tips reach, so that the
/// next clone of the same state walks over nothing.
///
/// Keyed by content: the sorted tips and the checksums of the packs. An entry can
/// never be stale, only useless. Bounded in bytes and entries; the least recently used go
/// first.
#[derive(Debug)]
pub struct Reachability {
    max_bytes: usize,
    answers: Mutex<VecDeque<(Key, Reachable)>>,
}

type Key = [u8; 32];

/// What some tips reach.
#[derive(Clone, Debug)]
pub(crate) enum Reachable {
    /// Every object of every pack.
    Everything,
    /// These, by number.
    Some(Arc<Bitmap>),
}

impl Reachable {
    fn bytes(&self) -> usize {
        match self {
            Self::Everything => 0,
            Self::Some(bitmap) => bitmap.bytes(),
        }
    }
}

impl Default for Reachability {
    fn default() -> Self {
        Self::new(DEFAULT_BYTES)
    }
}

impl Reachability {
    /// An empty cache that keeps at most that many bytes of answers.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            answers: Mutex::default(),
        }
    }

    /// The key for these tips in these objects; `None` where loose objects take part, which may
    /// come and go.
    pub(crate) fn key(
        objects: &Objects,
        tips: &[ObjectId],
        tags: &[(ObjectId, ObjectId)],
    ) -> Option<Key> {
        if !objects.loose_list().is_empty() {
            return None;
        }
        let mut hasher = Sha256::new();
        let mut list = |mut ids: Vec<ObjectId>| {
            ids.sort_unstable();
            ids.dedup();
            hasher.update((ids.len() as u64).to_be_bytes());
            ids.iter().for_each(|id| hasher.update(id.as_bytes()));
        };
        list(
            objects
                .pack_list()
                .iter()
                .map(|pack| pack.checksum())
                .collect(),
        );
        list(tips.to_vec());
        list(
            tags.iter()
                .flat_map(|(tag, peeled)| [*tag, *peeled])
                .collect(),
        );
        hasher.update(objects.hash().name());
        for pack in objects.pack_list() {
            hasher.update(pack.checksum().as_bytes());
        }
        Some(hasher.finalize().into())
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Reachable> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let at = answers.iter().position(|(other, _)| other == key)?;
        let answer = answers.remove(at)?;
        let found = answer.1.clone();
        answers.push_front(answer);
        Some(found)
    }

    pub(crate) fn put(&self, key: Key, reachable: Reachable) {
        if reachable.bytes() > self.max_bytes {
            return;
        }
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.retain(|(other, _)| *other != key);
        answers.push_front((key, reachable));
        let mut bytes: usize = answers.iter().map(|(_, answer)| answer.bytes()).sum();
        while bytes > self.max_bytes || answers.len() > MAX_ANSWERS {
            bytes -= answers.pop_back().map_or(0, |(_, answer)| answer.bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Reachability, Reachable};
    use crate::bitmap::Bitmap;

    #[test]
    fn the_least_recently_used_goes_first() {
        let cache = Reachability::new(1000);
        let answer = || Reachable::Some(Arc::new(Bitmap::with_capacity(64 * 50)));
        cache.put([1; 32], answer());
        cache.put([2; 32], answer());
        assert!(cache.get(&[1; 32]).is_some());
        cache.put([3; 32], answer());
        assert!(cache.get(&[2; 32]).is_none());
        assert!(cache.get(&[1; 32]).is_some());
        cache.put(
            [4; 32],
            Reachable::Some(Arc::new(Bitmap::with_capacity(64 * 500))),
        );
        assert!(cache.get(&[4; 32]).is_none(), "larger than the whole cache");
    }
}
