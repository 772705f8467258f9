use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use git_id::ObjectId;

use crate::history::LastChange;
use crate::languages::LanguageSize;
use crate::limits::CACHE_BYTES;

/// Results that follow from objects alone, and so never change. Those used least recently go when there are
/// too many. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Key, Entry>,
    bytes: usize,
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    result: Cached,
    bytes: usize,
    last_use: u64,
}

/// What was computed, of which commit or tree and path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    LastChanges(ObjectId, Vec<u8>),
    Count(ObjectId, Vec<u8>),
    Languages(ObjectId),
}

#[derive(Clone, Debug)]
pub(crate) enum Cached {
    LastChanges(Arc<[LastChange]>),
    Count(usize),
    Languages(Arc<[LanguageSize]>),
}

impl Cached {
    /// About how many bytes it takes.
    fn weight(&self) -> usize {
        const ENTRY_BYTES: usize = 160;
        match self {
            Self::LastChanges(changes) => changes.len() * ENTRY_BYTES,
            Self::Count(_) => ENTRY_BYTES,
            Self::Languages(sizes) => (1 + sizes.len()) * ENTRY_BYTES,
        }
    }
}

impl Cache {
    pub(crate) fn get(&self, key: &Key) -> Option<Cached> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.uses += 1;
        let now = state.uses;
        let entry = state.entries.get_mut(key)?;
        entry.last_use = now;
        Some(entry.result.clone())
    }

    pub(crate) fn put(&self, key: Key, result: Cached) {
        let bytes = result.weight();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.uses += 1;
        let entry = Entry {
            result,
            bytes,
            last_use: state.uses,
        };
        state.bytes += bytes;
        if let Some(old) = state.entries.insert(key, entry) {
            state.bytes -= old.bytes;
        }
        while state.bytes > CACHE_BYTES {
            let oldest = state.entries.iter().min_by_key(|(_, entry)| entry.last_use);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else {
                break;
            };
            if let Some(gone) = state.entries.remove(&key) {
                state.bytes -= gone.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use git_id::{HashKind, ObjectId};
    use git_pack::TreeEntry;

    use super::{Cache, Cached, Key};
    use crate::history::LastChange;
    use crate::limits::CACHE_BYTES;

    #[test]
    fn what_was_used_least_recently_goes_first() {
        let id = ObjectId::null(HashKind::Sha1);
        let key = |name: u8| Key::LastChanges(id, vec![name]);
        let change = LastChange {
            entry: TreeEntry {
                mode: 0,
                name: Vec::new(),
                id,
            },
            commit: Some(id),
        };
        let third = Cached::LastChanges(vec![change; CACHE_BYTES / 160 / 3].into());
        let cache = Cache::default();
        for name in [1, 2, 3] {
            cache.put(key(name), third.clone());
        }
        assert!(cache.get(&key(1)).is_some());
        cache.put(key(4), third.clone());
        let held = [1, 2, 3, 4].map(|name| cache.get(&key(name)).is_some());
        assert_eq!(held, [true, false, true, true]);
    }
}
