//! Taking a backup.

mod content;
mod facts;
mod feed;
mod groups;
mod hold;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use chunking::{BlobId, ChunkId};
use runtime::Runtime;
use storage_node_api::content::GetError;
use storage_node_api::map::{BACKUP_VERSION, ClusterMap};
use storage_node_api::metadata::QueryError;
use storage_node_api::{Storage, Timestamp};

use crate::backups::manifest_name;
use crate::destination::{Destination, ObjectError};
use crate::format::{BackupId, Manifest, Totals, seal};
use crate::order::{GroupError, Tier};
use crate::packs::{Catalogue, PackWriter};
use crate::progress::Progress;
use crate::prune::mark::{Mark, Work};
use crate::rate::Rate;
use hold::Holding;

/// A backup that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its id.
    pub id: BackupId,
    /// How much is in it.
    pub totals: Totals,
    /// How many bytes were written for it: what the destination did not have.
    pub written: u64,
}

/// Why no backup was taken. What was uploaded is used by the next.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// An object could not be written.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// A group could not be held or read.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// The facts could not be read.
    #[error(transparent)]
    Facts(#[from] QueryError),
    /// Some node does not know what a backup asks yet.
    #[error(
        "a backup takes machine version {BACKUP_VERSION}, the cluster is at {0}; upgrade all nodes first"
    )]
    TooEarly(u32),
    /// Another backup is being taken.
    #[error("another backup is being taken: try again when it is done, at the latest at {until}")]
    Held {
        /// When its hold ends unless it is asked for again.
        until: Timestamp,
    },
    /// The hold on a group has ended, so that what was read may not belong together.
    #[error(
        "the hold on the groups ended before everything was read; try again, what was uploaded is used"
    )]
    HoldLost,
    /// Packs that this backup would rely on may go.
    #[error(
        "old backups are being removed by run {0}, or it was killed; try again when it is done, or remove some again with `--abandoned {0}`"
    )]
    Pruning(BackupId),
    /// Somebody took this backup for dead.
    #[error("somebody has named this backup abandoned; try again")]
    Abandoned,
    /// Slots went to other groups meanwhile.
    #[error(
        "slots moved to other groups while they were read; try again, what was uploaded is used"
    )]
    SlotsMoved,
    /// Events went from under the reader.
    #[error(
        "the feed of slot {0} was truncated while it was read; try again, what was uploaded is used"
    )]
    FeedTruncated(u16),
    /// A blob that is listed has no manifest.
    #[error("blob {0} is listed and has no manifest")]
    NoManifest(BlobId),
    /// A chunk of a blob that is listed cannot be read.
    #[error("read chunk {chunk} of blob {blob}")]
    Chunk {
        /// Of which blob.
        blob: BlobId,
        /// Which chunk is the first of those that were asked for.
        chunk: ChunkId,
        /// What the storage said.
        #[source]
        source: GetError,
    },
}

/// Takes a backup of everything in this storage. It is there once this returns;
/// a backup that breaks off leaves nothing that is taken for one.
pub async fn take(
    storage: Arc<dyn Storage>,
    runtime: Runtime,
    destination: Destination,
    rate: Arc<Rate>,
    progress: &dyn Progress,
) -> Result<Taken, TakeError> {
    let tier = Tier { storage, runtime };
    let map = tier.map().await?;
    if map.machine_version < BACKUP_VERSION {
        return Err(TakeError::TooEarly(map.machine_version));
    }
    let id = BackupId::new(tier.runtime.clock.now(), &*tier.runtime.random);
    let cluster = Some(map.cluster);
    destination.mark(Work::Taking, Mark { id, cluster }).await?;
    let taken = marked(id, &map, tier, &destination, rate, progress).await;
    if let Err(error) = destination.unmark(Work::Taking, id).await {
        tracing::warn!(%id, %error, "the backup's mark stays until the next one");
    }
    taken
}

/// Takes a backup, if nobody prunes.
async fn marked(
    id: BackupId,
    map: &ClusterMap,
    tier: Tier,
    destination: &Destination,
    rate: Arc<Rate>,
    progress: &dyn Progress,
) -> Result<Taken, TakeError> {
    if let Some(pruning) = destination.marks(Work::Pruning, id).await?.first() {
        return Err(TakeError::Pruning(*pruning));
    }
    progress.say("reading what the destination has");
    let catalogue = Catalogue::of_all(destination).await?;
    let holding = Holding::begin(tier.clone(), map).await?;
    let mut taking = Taking {
        id,
        packs: PackWriter::new(destination.clone(), rate, catalogue),
        destination: destination.clone(),
        totals: Totals::default(),
        progress,
        tier,
    };
    let taken = taking.held(map, &holding).await;
    holding.release().await;
    taken
}

/// A backup on its way.
struct Taking<'a> {
    id: BackupId,
    tier: Tier,
    destination: Destination,
    packs: PackWriter,
    totals: Totals,
    progress: &'a dyn Progress,
}

impl Taking<'_> {
    /// Takes the backup while the groups are held.
    async fn held(&mut self, map: &ClusterMap, holding: &Holding) -> Result<Taken, TakeError> {
        // No other move begins while the groups are held.
        let held = self.tier.map().await?;
        if held.moves.moving.is_some() || owners(&held) != owners(map) {
            return Err(TakeError::SlotsMoved);
        }
        self.clear_marks(map).await?;
        let manifest = tokio::select! {
            read = self.read(map) => read?,
            lost = holding.keep() => return Err(lost),
        };
        holding.confirm().await?;
        let bytes = Bytes::from(seal(&manifest));
        let written = self.packs.written() + bytes.len() as u64;
        self.destination.put(&manifest_name(self.id), bytes).await?;
        if !self.destination.is_marked(Work::Taking, self.id).await? {
            // Whoever took this for dead may have removed what it relies on.
            self.destination.remove(&manifest_name(self.id)).await?;
            return Err(TakeError::Abandoned);
        }
        Ok(Taken {
            id: self.id,
            totals: manifest.totals,
            written,
        })
    }

    /// Removes the marks of this cluster's backups that were killed: one that ran would have the
    /// groups.
    async fn clear_marks(&self, map: &ClusterMap) -> Result<(), TakeError> {
        for id in self.destination.marks(Work::Taking, self.id).await? {
            if self.destination.marked_cluster(id).await? == Some(map.cluster) {
                self.destination.unmark(Work::Taking, id).await?;
            }
        }
        Ok(())
    }

    /// Reads everything and uploads it, all but the manifest.
    async fn read(&mut self, map: &ClusterMap) -> Result<Manifest, TakeError> {
        self.progress.say("reading the facts");
        let (facts, migrations) = self.facts().await?;
        let groups = self.groups(map).await?;
        self.packs.flush().await?;
        let after = self.tier.map().await?;
        if owners(&after) != owners(map) {
            return Err(TakeError::SlotsMoved);
        }
        Ok(Manifest {
            id: self.id,
            ended: self.tier.runtime.clock.now(),
            cluster: map.cluster,
            epoch: after.epoch,
            generation: after.generation,
            machine_version: after.machine_version,
            policies: after.policies,
            migrations,
            facts,
            groups,
            packs: self.packs.used(),
            totals: self.totals.clone(),
        })
    }
}

fn owners(map: &ClusterMap) -> BTreeMap<u16, u64> {
    let ranges = map.groups.iter();
    ranges.map(|range| (range.first.0, range.group.0)).collect()
}
