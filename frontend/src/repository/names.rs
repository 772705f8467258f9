use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::Repository;
use git_id::HashKind;
use storage_node_api::RepositoryId;

use crate::limits::KNOWN_NAMES;

/// What names stood for when they were last looked up: a guess, by which refs
/// are asked for at the same time as the name. What is true is in the facts.
#[derive(Debug, Default)]
pub(crate) struct KnownNames(Mutex<HashMap<(String, String), Known>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) id: RepositoryId,
    pub(crate) hash: HashKind,
}

impl KnownNames {
    /// What the name stood for.
    pub(crate) fn get(&self, owner: &str, name: &str) -> Option<Known> {
        self.names().get(&key(owner, name)).copied()
    }

    /// Takes down what the name stands for, or that it stands for nothing.
    pub(crate) fn learn(&self, owner: &str, name: &str, found: Option<&Repository>) {
        let mut names = self.names();
        let Some(found) = found else {
            names.remove(&key(owner, name));
            return;
        };
        if names.len() >= KNOWN_NAMES {
            // The next request of each name tells it again.
            names.clear();
        }
        let known = Known {
            id: found.storage,
            hash: found.hash,
        };
        names.insert(key(owner, name), known);
    }

    fn names(&self) -> MutexGuard<'_, HashMap<(String, String), Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(owner: &str, name: &str) -> (String, String) {
    (owner.to_ascii_lowercase(), name.to_ascii_lowercase())
}
