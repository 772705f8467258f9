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

#[cfg(test)]
mod tests {
    use domain::{AccountId, Repository, RepositoryKey, User};
    use git_id::HashKind;
    use storage_node_api::{RepositoryId, Timestamp};

    use super::{Known, KnownNames};
    use crate::limits::KNOWN_NAMES;

    fn repository(number: u8) -> Repository {
        let owner = User {
            id: AccountId(1),
            name: "alice".to_owned(),
            email: String::new(),
            full_name: String::new(),
            is_admin: false,
            is_active: true,
            created: Timestamp(0),
        };
        Repository {
            key: RepositoryKey(1),
            owner: (&owner).into(),
            name: "project".to_owned(),
            storage: RepositoryId([number; 16]),
            hash: HashKind::Sha1,
            is_private: false,
            description: String::new(),
            fork_of: None,
            created: Timestamp(0),
            updated: Timestamp(0),
        }
    }

    #[test]
    fn a_name_stands_for_what_it_stood_for_last_in_any_case() {
        let names = KnownNames::default();
        assert_eq!(names.get("alice", "project"), None);
        for number in [1, 2] {
            names.learn("Alice", "Project", Some(&repository(number)));
            let known = Known {
                id: RepositoryId([number; 16]),
                hash: HashKind::Sha1,
            };
            assert_eq!(names.get("alice", "PROJECT"), Some(known));
        }
        names.learn("alice", "project", None);
        assert_eq!(names.get("alice", "project"), None);
    }

    #[test]
    fn so_many_names_are_known_at_most() {
        let names = KnownNames::default();
        for number in 0..3 * KNOWN_NAMES {
            names.learn("alice", &format!("r{number}"), Some(&repository(1)));
            assert!(names.names().len() <= KNOWN_NAMES);
        }
    }
}
