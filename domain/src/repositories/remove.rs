use std::time::Duration;

use storage_node_api::Timestamp;
use storage_node_api::metadata::{ExecuteError, Guard, Statement};

use crate::facts::{FactsError, time};
use crate::repositories::removed::KIND;
use crate::repositories::{DeleteRepositoryError, Repositories, Repository};

/// The row as it is now moves, not as whoever removes it has seen it.
const MOVE: &str = "INSERT INTO removed_repositories (id, owner_id, name, storage, object_format, \
     initial_head, is_private, description, fork_of, created, updated) \
     SELECT id, owner_id, name, storage, object_format, initial_head, is_private, description, \
     fork_of, created, updated FROM repositories WHERE id = $1 AND state = 'active'";

impl Repositories {
    /// Removes a repository so that it can be had back for this long: nobody
    /// sees it any more, and its name is free. One batch; a window of nothing
    /// is [`Self::delete`].
    pub async fn remove(
        &self,
        repository: &Repository,
        window: Duration,
    ) -> Result<(), DeleteRepositoryError> {
        if window.is_zero() {
            return self.delete(repository).await;
        }
        let now = self.facts.now();
        let window = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        let until = Timestamp(now.millis().saturating_add(window));
        let key = repository.key;
        let statements = vec![
            Statement::new(MOVE, [key.into()]).guarded(Guard::Rows(1)),
            Statement::new(
                "DELETE FROM repositories WHERE id = $1 AND state = 'active'",
                [key.into()],
            )
            .guarded(Guard::Rows(1)),
            Statement::new(
                "INSERT INTO removals (kind, thing, state, removed, until) \
                 VALUES ($1, $2, 'removed', $3, $4)",
                [KIND.into(), key.into(), time(now), time(until)],
            ),
        ];
        match self.facts.execute(statements).await {
            Ok(_) => Ok(()),
            Err(ExecuteError::Guard { .. }) => Err(DeleteRepositoryError::NotFound),
            Err(error) => Err(FactsError::from(error).into()),
        }
    }
}
