use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use domain::{Commits, Repository as Row};
use git_id::HashKind;
use git_pack::Objects;
use git_serve::{PushSession, RefSnapshot, Repository, RepositoryError, Shared};

use crate::failing::Failing;
use crate::repository::RefsAhead;
use crate::repository::cache::{CacheError, Entry, PackCache};
use crate::repository::push::{Authority, StoragePush};

/// A repository of the storage tier, for one request.
pub struct StorageRepository {
    pub(super) cache: Arc<PackCache>,
    pub(super) entry: Arc<Entry>,
    /// The newest version of the refs that this request has seen.
    seen: AtomicU64,
    /// What the first who asks for the refs gets.
    ahead: Mutex<Option<RefsAhead>>,
    pusher: Option<Pusher>,
}

/// What it takes to push.
#[derive(Clone, Debug)]
pub(super) struct Pusher {
    pub(super) authority: Authority,
    pub(super) commits: Commits,
    pub(super) threads: usize,
}

impl StorageRepository {
    /// A repository to fetch from.
    pub fn new(cache: Arc<PackCache>, row: &Row) -> Self {
        let entry = cache.entry(row.storage, row.hash);
        Self {
            cache,
            entry,
            seen: AtomicU64::new(0),
            ahead: Mutex::default(),
            pusher: None,
        }
    }

    /// The same repository, with refs that are on their way; those of another
    /// are left alone.
    pub(crate) fn with_refs(mut self, ahead: Option<RefsAhead>) -> Self {
        self.ahead = Mutex::new(ahead.filter(|ahead| ahead.id() == self.entry.id));
        self
    }

    /// The same repository, to push to with that authority. `threads` is how
    /// many may cut and hash what arrives.
    pub(crate) fn for_push(
        mut self,
        authority: Authority,
        commits: Commits,
        threads: usize,
    ) -> Self {
        self.pusher = Some(Pusher {
            authority,
            commits,
            threads,
        });
        self
    }
}

impl fmt::Debug for StorageRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StorageRepository")
            .field("id", &self.entry.id)
            .finish_non_exhaustive()
    }
}

/// A push through a repository that was opened to fetch from.
#[derive(Debug, thiserror::Error)]
#[error("the repository was opened to fetch from")]
struct NotForPush;

#[async_trait]
impl Repository for StorageRepository {
    fn hash(&self) -> HashKind {
        self.entry.hash
    }

    async fn refs(&self) -> Result<Arc<RefSnapshot>, RepositoryError> {
        let ahead = self
            .ahead
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let ahead = match ahead {
            Some(ahead) => ahead.take().await,
            None => None,
        };
        let refs = match ahead {
            Some(refs) => refs,
            None => {
                let refs = self.cache.refs(&self.entry).await;
                refs.map_err(because("read refs"))?
            }
        };
        self.seen.fetch_max(refs.version, Ordering::Relaxed);
        Ok(Arc::clone(&refs.snapshot))
    }

    async fn objects(&self) -> Result<Objects, RepositoryError> {
        let seen = self.seen.load(Ordering::Relaxed);
        self.cache
            .objects(&self.entry, seen)
            .await
            .map_err(because("fetch packs"))
    }

    fn shared(&self) -> Option<Shared> {
        Some(Shared {
            answers: Arc::clone(&self.cache.answers),
            scope: self.entry.id.to_string().into_bytes(),
        })
    }

    async fn begin_push(&self) -> Result<Box<dyn PushSession>, RepositoryError> {
        let Some(pusher) = &self.pusher else {
            return Err(RepositoryError::Broken {
                action: "begin a push",
                source: NotForPush.into(),
            });
        };
        let quarantine = self
            .cache
            .quarantine()
            .await
            .map_err(because("begin a push"))?;
        let seen = self.seen.load(Ordering::Relaxed);
        let (cache, entry) = (Arc::clone(&self.cache), Arc::clone(&self.entry));
        Ok(Box::new(StoragePush::new(
            cache,
            entry,
            pusher.clone(),
            quarantine,
            seen,
        )))
    }
}

/// A cache's error as git-serve takes it: passing or not.
pub(super) fn because(action: &'static str) -> impl Fn(CacheError) -> RepositoryError {
    move |error| match Failing::failure(&error) {
        domain::Failure::Internal => RepositoryError::Broken {
            action,
            source: error.into(),
        },
        _ => RepositoryError::Unavailable {
            action,
            source: error.into(),
        },
    }
}
