//! Repositories: forked, emptied, deleted, undeleted, purged.

use crate::model::Collection;
use crate::rule::Rule;
use crate::state::{Chunks, Facts, Order, Repository, State};

impl Collection {
    pub(crate) fn fork(&self, state: &mut State, from: usize, to: usize) -> Option<()> {
        let together = self.bounds.slot_of[from] == self.bounds.slot_of[to];
        let (original, fork) = (state.repositories[from], &mut state.repositories[to]);
        if !together || original.order != Order::Open || fork.order != Order::Absent {
            return None;
        }
        *fork = Repository {
            facts: Facts::Active,
            order: Order::Open,
            chunks: original.chunks,
            ..Repository::default()
        };
        Some(())
    }

    pub(crate) fn empty(&self, state: &mut State, repository: usize) -> Option<()> {
        let repository = &mut state.repositories[repository];
        if repository.order != Order::Open || repository.chunks.is_empty() {
            return None;
        }
        self.end_manifests(repository);
        state.forget_uncounted();
        Some(())
    }

    pub(crate) fn seal(&self, state: &mut State, repository: usize) -> Option<()> {
        let repository = &mut state.repositories[repository];
        if (repository.facts, repository.order) != (Facts::Active, Order::Open) {
            return None;
        }
        repository.order = Order::Sealed;
        Some(())
    }

    pub(crate) fn delete(&self, state: &mut State, repository: usize) -> Option<()> {
        let repository = &mut state.repositories[repository];
        if (repository.facts, repository.order) != (Facts::Active, Order::Sealed) {
            return None;
        }
        repository.facts = Facts::Deleted;
        Some(())
    }

    pub(crate) fn undelete(&self, state: &mut State, repository: usize) -> Option<()> {
        let facts = &mut state.repositories[repository].facts;
        (*facts == Facts::Deleted).then_some(())?;
        *facts = Facts::Active;
        Some(())
    }

    pub(crate) fn unseal(&self, state: &mut State, repository: usize) -> Option<()> {
        let repository = &mut state.repositories[repository];
        if (repository.facts, repository.order) != (Facts::Active, Order::Sealed) {
            return None;
        }
        repository.order = Order::Open;
        Some(())
    }

    pub(crate) fn purge(&self, state: &mut State, repository: usize) -> Option<()> {
        let repository = &mut state.repositories[repository];
        (repository.facts == Facts::Deleted).then_some(())?;
        if self.keeps(Rule::PurgeIsGuarded) {
            repository.facts = Facts::Purging;
        } else {
            repository.purge_decided = true;
        }
        Some(())
    }

    pub(crate) fn remove(&self, state: &mut State, repository: usize) -> Option<()> {
        let repository = &mut state.repositories[repository];
        let purging = repository.facts == Facts::Purging || repository.purge_decided;
        if !purging || repository.order != Order::Sealed {
            return None;
        }
        repository.order = Order::Removed;
        repository.purge_decided = false;
        self.end_manifests(repository);
        state.forget_uncounted();
        Some(())
    }

    fn end_manifests(&self, repository: &mut Repository) {
        if self.keeps(Rule::RemovedStaysListed) {
            repository.removed = repository.removed.and(repository.chunks);
        }
        repository.chunks = Chunks::NONE;
    }
}
