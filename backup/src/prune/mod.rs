//! Removing backups that are not needed any more, and packs that no backup names.
//!
//! Manifests go first, then each pack's index, then the pack: what a crash leaves is a pack that
//! nothing names or that has no index, which the next run removes and no backup relies on. Packs
//! stay whole: one in which a kept backup has a single chunk stays as it is.

mod keep;
pub(crate) mod mark;

use std::collections::{BTreeMap, BTreeSet};

use runtime::Runtime;
use storage_node_api::ClusterId;

use crate::backups::{ids, manifest_name, read};
use crate::destination::{Destination, ObjectError};
use crate::format::{BackupId, Damage, PackId};
use crate::packs::{index_name, pack_name};
use crate::progress::Progress;
pub use keep::Keep;
use mark::{Mark, Work};

/// What is to be removed.
#[derive(Clone, Debug, Default)]
pub struct Pruning {
    /// What stays of each cluster's backups.
    pub keep: Keep,
    /// Backups that cannot be read go too. Otherwise nothing goes while there are any, since nobody
    /// knows which packs are theirs.
    pub damaged: bool,
    /// Backups that were killed while they were taken, and runs of prune: their marks go.
    pub abandoned: Vec<BackupId>,
    /// Nothing is removed, only counted.
    pub dry_run: bool,
}

/// What was removed, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Backups that stay.
    pub kept: Vec<BackupId>,
    /// Backups that went.
    pub removed: Vec<BackupId>,
    /// Packs that went.
    pub packs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Why nothing more was removed.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// Every backup would go.
    #[error(
        "prune: nothing says what to keep; give --keep, --keep-daily, --keep-weekly or --keep-monthly"
    )]
    KeepsNothing,
    /// A backup relies on packs that no manifest names yet.
    #[error(
        "prune: backup {0} is being taken, or was killed; try again when it is done, or take another of its cluster, which clears up, or name it by --abandoned if it surely does not run"
    )]
    Taking(BackupId),
    /// Another run removes as well, or was killed.
    #[error(
        "prune: another run, {0}, is under way or was killed; name it by --abandoned if it surely does not run"
    )]
    Pruning(BackupId),
    /// Somebody took this run for dead.
    #[error("prune: somebody has named this run abandoned; run it again")]
    Abandoned,
    /// Nobody knows what a damaged backup needs.
    #[error("prune: {0}; --damaged removes backups that cannot be read as well")]
    Damaged(ObjectError),
    /// An object could not be read or removed.
    #[error(transparent)]
    Object(#[from] ObjectError),
}

/// Removes backups and what only they needed.
pub async fn prune(
    destination: &Destination,
    runtime: &Runtime,
    pruning: &Pruning,
    progress: &dyn Progress,
) -> Result<Pruned, PruneError> {
    if pruning.keep.is_nothing() {
        return Err(PruneError::KeepsNothing);
    }
    if pruning.dry_run {
        return Ok(plan(destination, pruning).await?.pruned);
    }
    for id in &pruning.abandoned {
        destination.unmark(Work::Taking, *id).await?;
        destination.unmark(Work::Pruning, *id).await?;
    }
    let id = BackupId::new(runtime.clock.now(), &*runtime.random);
    let mark = Mark { id, cluster: None };
    destination.mark(Work::Pruning, mark).await?;
    let pruned = alone(destination, id, pruning, progress).await;
    if let Err(error) = destination.unmark(Work::Pruning, id).await {
        tracing::warn!(%id, %error, "the mark of this run stays: name it abandoned in the next");
    }
    pruned
}

/// Removes, if nobody else takes or removes.
async fn alone(
    destination: &Destination,
    id: BackupId,
    pruning: &Pruning,
    progress: &dyn Progress,
) -> Result<Pruned, PruneError> {
    if let Some(taking) = destination.marks(Work::Taking, id).await?.first() {
        return Err(PruneError::Taking(*taking));
    }
    if let Some(other) = destination.marks(Work::Pruning, id).await?.first() {
        return Err(PruneError::Pruning(*other));
    }
    let Plan { pruned, unnamed } = plan(destination, pruning).await?;
    for backup in &pruned.removed {
        destination.remove(&manifest_name(*backup)).await?;
    }
    for (pack, number) in unnamed.iter().zip(0_u64..) {
        if number % CHECKED == 0 {
            progress.say(&format!("removed {number} of {} packs", unnamed.len()));
            if !destination.is_marked(Work::Pruning, id).await? {
                return Err(PruneError::Abandoned);
            }
        }
        destination.remove(&index_name(*pack)).await?;
        destination.remove(&pack_name(*pack)).await?;
    }
    Ok(pruned)
}

/// After so many packs it looks whether it was named abandoned.
const CHECKED: u64 = 64;

struct Plan {
    pruned: Pruned,
    unnamed: BTreeSet<PackId>,
}

async fn plan(destination: &Destination, pruning: &Pruning) -> Result<Plan, PruneError> {
    let mut clusters: BTreeMap<ClusterId, BTreeMap<BackupId, Vec<PackId>>> = BTreeMap::new();
    let mut pruned = Pruned::default();
    for id in ids(destination).await? {
        match read(destination, id).await {
            Ok(manifest) => {
                let of = clusters.entry(manifest.cluster).or_default();
                of.insert(id, manifest.packs);
            }
            // One of a later release is not damaged, but not ours to judge.
            Err(
                error @ ObjectError::Damaged {
                    damage: Damage::Version(_),
                    ..
                },
            ) => return Err(error.into()),
            Err(ObjectError::Damaged { .. }) if pruning.damaged => pruned.removed.push(id),
            Err(error @ ObjectError::Damaged { .. }) => return Err(PruneError::Damaged(error)),
            Err(error) => return Err(error.into()),
        }
    }
    let mut named = BTreeSet::new();
    for backups in clusters.into_values() {
        let kept = pruning.keep.of(backups.keys().copied());
        for (id, packs) in backups {
            if kept.contains(&id) {
                named.extend(packs);
                pruned.kept.push(id);
            } else {
                pruned.removed.push(id);
            }
        }
    }
    let mut unnamed = BTreeSet::new();
    let packs = destination.list("packs").await?;
    let indexes = destination.list("indexes").await?;
    for (name, length) in packs.into_iter().chain(indexes) {
        let Ok(pack) = name.parse::<PackId>() else {
            continue;
        };
        if !named.contains(&pack) {
            unnamed.insert(pack);
            pruned.bytes += length;
        }
    }
    pruned.packs = unnamed.len() as u64;
    Ok(Plan { pruned, unnamed })
}
