use std::sync::Arc;

use async_trait::async_trait;
use git_id::{HashKind, RefName};
use git_pack::Objects;
use git_serve::{Head, PushSession, RefSnapshot, Repository, RepositoryError};

/// A repository that the push about to come will make: it has nothing yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Absent;

/// A push to what does not exist.
#[derive(Debug, thiserror::Error)]
#[error("the repository does not exist yet")]
struct DoesNotExist;

#[async_trait]
impl Repository for Absent {
    fn hash(&self) -> HashKind {
        HashKind::default()
    }

    async fn refs(&self) -> Result<Arc<RefSnapshot>, RepositoryError> {
        let head = RefName::branch("main").ok().map(Head::Symbolic);
        Ok(Arc::new(RefSnapshot::new(head, Vec::new())))
    }

    async fn objects(&self) -> Result<Objects, RepositoryError> {
        Ok(Objects::empty(self.hash()))
    }

    async fn begin_push(&self) -> Result<Box<dyn PushSession>, RepositoryError> {
        Err(RepositoryError::Broken {
            action: "begin a push",
            source: DoesNotExist.into(),
        })
    }
}
