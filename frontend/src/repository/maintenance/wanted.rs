use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use git_id::HashKind;
use storage_node_api::RepositoryId;
use tokio::sync::Notify;

use crate::limits::MAINTENANCE_WAITING;

/// How much to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Extent {
    /// As many of the smallest packs as it takes for few to be left; keeps every object.
    Geometric,
    /// All packs, with bitmaps. What no reference reaches goes into a pack of its own.
    Full,
    /// All packs, with bitmaps. What no reference reaches is dropped.
    Drop,
}

/// One repository to maintain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) id: RepositoryId,
    pub(crate) hash: HashKind,
    pub(crate) extent: Extent,
}

/// Repositories that wait for maintenance by this frontend, each once.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    waiting: Mutex<VecDeque<Wish>>,
    came: Notify,
}

impl Wanted {
    /// Has a repository maintained in its turn, as thoroughly as anybody asked; not if too many
    /// wait.
    pub(crate) fn ask(&self, wish: Wish) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = waiting.iter_mut().find(|other| other.id == wish.id) {
            other.extent = other.extent.max(wish.extent);
            return true;
        }
        if waiting.len() >= MAINTENANCE_WAITING {
            return false;
        }
        waiting.push_back(wish);
        self.came.notify_one();
        true
    }

    /// The next one, as soon as there is one.
    pub(crate) async fn next(&self) -> Wish {
        loop {
            if let Some(wish) = self.take() {
                return wish;
            }
            self.came.notified().await;
        }
    }

    fn take(&self) -> Option<Wish> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use git_id::HashKind;
    use storage_node_api::RepositoryId;

    use super::{Extent, Wanted, Wish};
    use crate::limits::MAINTENANCE_WAITING;

    fn wish(number: usize, extent: Extent) -> Wish {
        let mut id = [0; 16];
        id[8..].copy_from_slice(&(number as u64).to_be_bytes());
        Wish {
            id: RepositoryId(id),
            hash: HashKind::Sha1,
            extent,
        }
    }

    #[tokio::test]
    async fn each_waits_once_for_the_most_that_anybody_asked() {
        let wanted = Wanted::default();
        for number in 0..MAINTENANCE_WAITING {
            assert!(wanted.ask(wish(number, Extent::Geometric)));
        }
        assert!(!wanted.ask(wish(MAINTENANCE_WAITING, Extent::Geometric)));
        assert!(wanted.ask(wish(0, Extent::Drop)));
        assert!(wanted.ask(wish(0, Extent::Full)));
        assert_eq!(wanted.next().await, wish(0, Extent::Drop));
        assert_eq!(wanted.next().await, wish(1, Extent::Geometric));
    }
}
