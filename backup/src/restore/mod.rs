//! Bringing a backup back into an empty cluster.

mod blobs;
mod empty;
mod facts;
mod groups;
mod owners;

use std::sync::Arc;

use chunking::BlobId;
use runtime::Runtime;
use storage_node_api::backup::{OwnedBlob, SlotSpan};
use storage_node_api::content::{BeginError, PutError};
use storage_node_api::map::BACKUP_VERSION;
use storage_node_api::metadata::{ExecuteError, MigrateError, Migration, QueryError};
use storage_node_api::{DedupDomain, OwnerId, RepositoryId, Slot, Storage};

use crate::backups::{FindError, find};
use crate::destination::{Destination, ObjectError};
use crate::format::{BackupId, Totals};
use crate::order::{GroupError, Tier};
use crate::progress::Progress;
use crate::rate::Rate;
use crate::records::Records;

/// A backup that was brought back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Which.
    pub id: BackupId,
    /// What was in it.
    pub totals: Totals,
}

/// Why a backup was not brought back. The same restore may be tried again and
/// goes on where it broke off.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is no such backup, or an object cannot be read or is damaged.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The cluster has something already.
    #[error(
        "the cluster is not empty, it has {0}: restore into a new one, to which nobody has connected a frontend yet"
    )]
    NotEmpty(String),
    /// Some node does not know what a restore asks yet.
    #[error(
        "a restore takes machine version {BACKUP_VERSION}, the cluster is at {0}; upgrade all nodes first"
    )]
    TooEarly(u32),
    /// The backup has a schema that this release does not know.
    #[error("the backup has migration {found}, this release knows {known}: use a newer one")]
    Schema {
        /// Of the backup.
        found: u32,
        /// Of the program.
        known: u32,
    },
    /// A migration of the backup has another text here.
    #[error("migration {0} of the backup differs from this release's")]
    Migration(u32),
    /// A group could not be written or read.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// No upload session.
    #[error(transparent)]
    Begin(#[from] BeginError),
    /// A chunk could not be stored.
    #[error("store blob {blob}")]
    Put {
        /// Of which blob.
        blob: BlobId,
        /// Why.
        #[source]
        source: PutError,
    },
    /// The schema could not be made.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// Rows could not be read back.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Rows could not be written.
    #[error("write rows of table {table}")]
    Rows {
        /// The table.
        table: String,
        /// Why.
        #[source]
        source: ExecuteError,
    },
    /// A table has other rows than the backup.
    #[error("table {table} has {found} rows, the backup has {expected}")]
    RowCount {
        /// The table.
        table: String,
        /// What there is.
        found: i64,
        /// What there should be.
        expected: u64,
    },
}

impl From<ObjectError> for RestoreError {
    fn from(error: ObjectError) -> Self {
        Self::Find(error.into())
    }
}

/// Brings a backup (the last, if none is named) back into an empty cluster. The
/// facts come last: until all else is there, nothing has a name.
///
/// `migrations` are the schema that this program knows; the restored facts have
/// the backup's, which may be older.
pub async fn restore(
    storage: Arc<dyn Storage>,
    runtime: Runtime,
    source: &Destination,
    rate: Arc<Rate>,
    id: Option<BackupId>,
    migrations: &[Migration],
    progress: &dyn Progress,
) -> Result<Restored, RestoreError> {
    let tier = Tier { storage, runtime };
    let map = tier.map().await?;
    if map.machine_version < BACKUP_VERSION {
        return Err(RestoreError::TooEarly(map.machine_version));
    }
    let manifest = find(source, id).await?;
    let (id, totals) = (manifest.id, manifest.totals.clone());
    let migrations = facts::schema(&manifest, migrations)?;
    let ranges = map.groups.iter();
    let spans: Vec<SlotSpan> = ranges
        .map(|range| SlotSpan {
            first: range.first,
            last: range.last,
        })
        .collect();
    let restoring = Restoring {
        owner: owner_of(id),
        tier,
        spans,
        progress,
    };
    restoring.claim().await?;
    let mut records = Records::open(source, rate, manifest).await?;
    restoring.blobs(&mut records.again()).await?;
    restoring.groups(&mut records).await?;
    progress.say("writing the facts");
    restoring.facts(id, &migrations, &mut records).await?;
    records.confirm()?;
    progress.say("letting go");
    restoring.let_go().await?;
    Ok(Restored { id, totals })
}

/// A restore on its way.
struct Restoring<'a> {
    tier: Tier,
    /// Keeps blobs alive until their repository does. Always the same for one
    /// backup, so that an interrupted restore knows its own traces.
    owner: OwnerId,
    /// The slots of each group.
    spans: Vec<SlotSpan>,
    progress: &'a dyn Progress,
}

/// All repositories of a storage, for those who look for some without a name.
pub async fn all_repositories(
    storage: Arc<dyn Storage>,
    runtime: Runtime,
    mut show: impl AsyncFnMut(Vec<RepositoryId>),
) -> Result<(), GroupError> {
    let tier = Tier { storage, runtime };
    for range in tier.map().await?.groups {
        let slots = SlotSpan {
            first: range.first,
            last: range.last,
        };
        let mut after = None;
        loop {
            let page = tier.repositories(slots, after).await?;
            let is_full = crate::listing::is_full(page.len());
            after = page.last().copied();
            show(page).await;
            if !is_full {
                break;
            }
        }
    }
    Ok(())
}

impl Restoring<'_> {
    /// Who keeps blobs of a domain alive: an owner has a blob in one domain only.
    fn owner_in(&self, domain: DedupDomain) -> OwnerId {
        let mut owner = self.owner;
        for (byte, more) in owner.0[8..].iter_mut().zip(domain.0.to_be_bytes()) {
            *byte ^= more;
        }
        owner
    }

    fn is_ours(&self, owned: &OwnedBlob) -> bool {
        owned.owner == self.owner_in(owned.domain)
    }
}

/// The slot whose group remembers that a restore has begun.
const MARKED: Slot = Slot(0);

fn owner_of(id: BackupId) -> OwnerId {
    let text = format!("restore of backup {id}");
    let hash = blake3::hash(text.as_bytes());
    let mut owner = [0; 16];
    owner.copy_from_slice(&hash.as_bytes()[..16]);
    OwnerId(owner)
}
