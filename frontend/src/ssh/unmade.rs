use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::{User, Viewer};
use git_id::HashKind;
use git_pack::Objects;
use git_serve::{PushSession, RefSnapshot, Repository, RepositoryError};

use crate::git::{Asked, create, for_push};
use crate::repository::Absent;
use crate::site::Site;

/// A repository that is made once something is pushed to it, not by looking.
pub(super) struct Unmade<'a> {
    pub(super) site: &'a Site,
    pub(super) viewer: Viewer,
    /// When the viewer's right was read.
    pub(super) asked_at: Duration,
    pub(super) owner: Box<User>,
    pub(super) name: String,
}

/// It could not be made.
#[derive(Debug, thiserror::Error)]
#[error("make the repository: {0}")]
struct NotMade(String);

impl fmt::Debug for Unmade<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unmade")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Repository for Unmade<'_> {
    fn hash(&self) -> HashKind {
        Absent.hash()
    }

    async fn refs(&self) -> Result<Arc<RefSnapshot>, RepositoryError> {
        Absent.refs().await
    }

    async fn objects(&self) -> Result<Objects, RepositoryError> {
        Absent.objects().await
    }

    async fn begin_push(&self) -> Result<Box<dyn PushSession>, RepositoryError> {
        let made = create(self.site, &self.viewer, &self.owner, &self.name).await;
        let row = made.map_err(|error| RepositoryError::Unavailable {
            action: "make the repository",
            source: NotMade(error.message().to_owned()).into(),
        })?;
        let asked = Asked {
            viewer: self.viewer.clone(),
            found: None,
            refs: None,
            at: self.asked_at,
        };
        for_push(self.site, asked, &row).begin_push().await
    }
}
