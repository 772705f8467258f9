use std::sync::Arc;

use storage_node_api::Storage;
use storage_node_api::metadata::{Guard, Statement};

use crate::RepositoryKey;
use crate::commit::Commits;
use crate::facts::{Facts, FactsError, time};
use crate::lfs::copy_to_fork;
use crate::repositories::repository::Row;

/// The repositories. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Repositories {
    pub(crate) facts: Facts,
    pub(crate) commits: Commits,
    pub(crate) storage: Arc<dyn Storage>,
}

impl Repositories {
    pub(crate) fn new(facts: Facts, commits: Commits, storage: Arc<dyn Storage>) -> Self {
        Self {
            facts,
            commits,
            storage,
        }
    }

    /// Makes a row visible whose group has the record, with its origin's large files if it is a
    /// fork. No effect if it is.
    pub(crate) async fn activate(&self, key: RepositoryKey) -> Result<(), FactsError> {
        let sql = "UPDATE repositories SET state = 'active', updated = $1 \
                   WHERE id = $2 AND state = 'creating'";
        let now = time(self.facts.now());
        self.facts
            .execute(vec![
                copy_to_fork(key),
                Statement::new(sql, [now, key.into()]),
            ])
            .await?;
        Ok(())
    }

    /// Forgets a row whose group has no record and can get none.
    pub(crate) async fn undo_create(&self, key: RepositoryKey) -> Result<(), FactsError> {
        let sql = "DELETE FROM repositories WHERE id = $1 AND state = 'creating'";
        self.facts
            .execute(vec![Statement::new(sql, [key.into()])])
            .await?;
        Ok(())
    }
}

/// The statements that write a row in state `creating`, if the name is free
/// for its owner.
pub(crate) fn insert(row: &Row) -> Vec<Statement> {
    let repository = &row.repository;
    let name_key = repository.name.to_ascii_lowercase();
    vec![
        Statement::new(
            "SELECT id FROM repositories WHERE owner_id = $1 AND name_key = $2",
            [repository.owner.id.into(), name_key.clone().into()],
        )
        .guarded(Guard::Rows(0)),
        Statement::new(
            "INSERT INTO repositories (id, owner_id, name, name_key, storage, object_format, \
             initial_head, is_private, description, state, fork_of, created, updated) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'creating', $10, $11, $12)",
            [
                repository.key.into(),
                repository.owner.id.into(),
                repository.name.clone().into(),
                name_key.into(),
                repository.storage.to_string().into(),
                repository.hash.name().into(),
                row.initial_head.as_str().into(),
                repository.is_private.into(),
                repository.description.clone().into(),
                repository.fork_of.into(),
                time(repository.created),
                time(repository.updated),
            ],
        ),
    ]
}

/// The index of the statement of [`insert`] that fails if the name is taken.
pub(crate) const NAME_IS_FREE: usize = 0;
