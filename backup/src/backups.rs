//! The backups that a destination has.

use futures_util::{StreamExt, stream};
use storage_node_api::map::Policies;
use storage_node_api::{ClusterId, Generation, Timestamp};

use crate::destination::{Destination, ObjectError};
use crate::format::{BackupId, Damage, Manifest, Totals, unseal};
use crate::limits::{MAX_OBJECT_BYTES, READS_AT_A_TIME};

/// What a backup says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its id, which says when it began.
    pub id: BackupId,
    /// When all of it had been read.
    pub ended: Timestamp,
    /// Of which cluster it is.
    pub cluster: ClusterId,
    /// How much is in it.
    pub totals: Totals,
}

/// Why there is no such backup.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// The destination has none at all.
    #[error("there is no backup here")]
    None,
    /// An object could not be read, or is damaged.
    #[error(transparent)]
    Object(#[from] ObjectError),
}

pub(crate) fn manifest_name(id: BackupId) -> String {
    format!("backups/{id}")
}

/// All backups, oldest first; of a damaged one why it cannot be read.
pub async fn list(
    destination: &Destination,
) -> Result<Vec<(BackupId, Result<Summary, ObjectError>)>, ObjectError> {
    let ids = ids(destination).await?;
    let reads = ids.into_iter().map(|id| async move {
        let read = read(destination, id).await;
        let summary = read.map(|manifest| Summary {
            id,
            ended: manifest.ended,
            cluster: manifest.cluster,
            totals: manifest.totals,
        });
        (id, summary)
    });
    Ok(stream::iter(reads)
        .buffered(READS_AT_A_TIME)
        .collect()
        .await)
}

/// The collector's clock as of a backup (the last, if none is named): what the
/// cluster that it is restored to has to start above.
pub async fn generation(
    destination: &Destination,
    id: Option<BackupId>,
) -> Result<Generation, FindError> {
    Ok(find(destination, id).await?.generation)
}

/// The policies that were in force at a backup (the last, if none is named).
pub async fn policies(
    destination: &Destination,
    id: Option<BackupId>,
) -> Result<Policies, FindError> {
    Ok(find(destination, id).await?.policies)
}

/// The manifest of a backup, or of the last.
pub(crate) async fn find(
    destination: &Destination,
    id: Option<BackupId>,
) -> Result<Manifest, FindError> {
    let id = match id {
        Some(id) => id,
        None => *ids(destination).await?.last().ok_or(FindError::None)?,
    };
    Ok(read(destination, id).await?)
}

pub(crate) async fn ids(destination: &Destination) -> Result<Vec<BackupId>, ObjectError> {
    let names = destination.list("backups").await?;
    let ids = names.into_iter().filter_map(|(name, _)| name.parse().ok());
    Ok(ids.collect())
}

pub(crate) async fn read(destination: &Destination, id: BackupId) -> Result<Manifest, ObjectError> {
    let name = manifest_name(id);
    let bytes = destination.get(&name, MAX_OBJECT_BYTES).await?;
    let manifest: Manifest =
        unseal(&bytes).map_err(|damage| ObjectError::damaged(&name, damage))?;
    match manifest.id == id {
        true => Ok(manifest),
        false => Err(ObjectError::damaged(&name, Damage::Content)),
    }
}
