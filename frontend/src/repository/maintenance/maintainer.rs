use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::{Commits, Leases};
use git_id::ObjectId;
use storage_node_api::order::Refusal;

use super::error::MaintenanceError;
use super::scratch::{self, Outcome, Source};
use super::{Extent, Wish};
use crate::failing::chain;
use crate::limits::{MAINTENANCE_ATTEMPTS, MAINTENANCE_LEASE, PUSH_PAUSE};
use crate::repository::cache::PackCache;

/// Maintains repositories, one after another.
#[derive(Clone, Debug)]
pub(super) struct Maintainer {
    pub(super) cache: Arc<PackCache>,
    pub(super) commits: Commits,
    pub(super) leases: Leases,
    /// How many may work on one repository.
    pub(super) threads: usize,
}

/// What became of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// Packs were replaced.
    Replaced { packs: usize, dropped: u32 },
    /// There was nothing to do.
    Nothing,
    /// Another frontend is at it.
    Busy,
    /// The cache has no room for a second copy.
    TooLarge,
    /// Some node does not know the entry yet.
    TooEarly,
}

/// Tells work on another thread to stop when nobody waits for it any more.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Maintainer {
    pub(super) async fn maintain(&self, wish: Wish) -> Result<Done, MaintenanceError> {
        if !self.cache.knows_replacements().await {
            return Ok(Done::TooEarly);
        }
        let lease = format!("maintenance/{}", wish.id);
        if !self.leases.take(&lease, MAINTENANCE_LEASE).await? {
            return Ok(Done::Busy);
        }
        let done = self.try_often(wish).await;
        if let Err(error) = self.leases.give_back(&lease).await {
            tracing::debug!(error = %chain(&error), "a lease ends by itself");
        }
        done
    }

    async fn try_often(&self, wish: Wish) -> Result<Done, MaintenanceError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.once(wish).await {
                Err(error) if error.is_passing() && attempt < MAINTENANCE_ATTEMPTS => {
                    tracing::debug!(repo.id = %wish.id, error = %chain(&error), "maintained again");
                    self.cache.runtime.clock.sleep(PUSH_PAUSE).await;
                }
                done => return done,
            }
        }
    }

    async fn once(&self, wish: Wish) -> Result<Done, MaintenanceError> {
        let entry = self.cache.entry(wish.id, wish.hash);
        let refs = self.cache.refs(&entry).await?;
        let open = self.cache.open_packs(&entry, refs.version).await?;
        if wish.extent == Extent::Drop && open.version != refs.version {
            // What nothing reaches can be told only of refs and packs of one moment.
            let (seen, actual) = (refs.version, open.version);
            let changed = Refusal::VersionChanged { seen, actual };
            return Err(domain::CommitError::from(changed).into());
        }
        let mut tips: Vec<ObjectId> = refs.snapshot.head_id().into_iter().collect();
        tips.extend(refs.snapshot.tips());
        let source = Source {
            hash: wish.hash,
            packs: open.objects.packs(),
            tips,
        };
        let paths = source.packs.clone();
        let bytes = self.cache.blocking("measure packs", move || {
            let lengths = paths.iter().filter_map(|path| fs::metadata(path).ok());
            lengths.map(|data| data.len()).sum::<u64>()
        });
        let bytes = bytes.await?;
        if bytes > self.cache.limit / 2 {
            return Ok(Done::TooLarge);
        }
        let outcome = self.make(source, wish.extent).await?;
        if outcome.replaced.is_empty() {
            return Ok(Done::Nothing);
        }
        let done = Done::Replaced {
            packs: outcome.replaced.len(),
            dropped: outcome.dropped,
        };
        self.replace(&entry, open.version, outcome).await?;
        Ok(done)
    }

    /// Makes the packs, away from the asynchronous threads.
    async fn make(&self, source: Source, extent: Extent) -> Result<Outcome, MaintenanceError> {
        let scratch = self.cache.quarantine().await?;
        let cancel = Arc::new(AtomicBool::new(false));
        let _cancel = CancelOnDrop(Arc::clone(&cancel));
        let threads = self.threads;
        let made = self.cache.blocking("maintain a repository", move || {
            scratch::run(&source, extent, scratch, threads, &cancel)
        });
        made.await?
    }
}
