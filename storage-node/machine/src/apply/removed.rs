//! Blobs without owners: listed until the group's next barrier, then forgotten.
//!
//! A removed blob keeps its manifest under its own key with no owner, so that a
//! listing that goes over the manifests shows it. Nobody reads it any more, and
//! to give it an owner again takes a certificate, as of a new blob.

use std::ops::ControlFlow;

use storage_node_api::Generation;
use storage_node_api::limits::FORGOTTEN_BLOBS;
use storage_node_api::map::COLLECTION_VERSION;

use crate::fault::Fault;
use crate::keys::{BlobHeader, BlobKey, BlobPartKey, MapKey, RemovedKey};
use crate::reader::{Reader, keys, load, visit};
use crate::txn::Txn;

/// A blob has lost its last owner; `header` has none any more. Before the
/// cluster collects, it is forgotten at once.
pub(super) fn remove(txn: &mut Txn<'_>, key: BlobKey, header: &BlobHeader) -> Result<(), Fault> {
    let collects = txn
        .map
        .as_ref()
        .is_some_and(|map| map.machine_version >= COLLECTION_VERSION);
    if !collects {
        return drop_manifest(txn, key);
    }
    txn.put(&key, header)?;
    let generation = txn.head.generation;
    txn.put(&RemovedKey(key), &generation)
}

/// Forgets a removed blob, if it is one.
pub(super) fn forget_one(txn: &mut Txn<'_>, key: BlobKey) -> Result<(), Fault> {
    if load(txn, &RemovedKey(key))?.is_none() {
        return Ok(());
    }
    drop_manifest(txn, key)?;
    txn.remove(&RemovedKey(key))
}

/// Forgets some of what was removed before the last barrier.
pub(super) fn forget(txn: &mut Txn<'_>) -> Result<(), Fault> {
    for key in closed(txn, txn.head.generation, FORGOTTEN_BLOBS)? {
        forget_one(txn, key)?;
    }
    Ok(())
}

/// The first blobs that were removed before the barrier of this generation, but for those of slots
/// that are being moved: nothing of these changes until they have arrived.
pub(crate) fn closed(
    state: &dyn Reader,
    generation: Generation,
    limit: usize,
) -> Result<Vec<BlobKey>, Fault> {
    let moving = load(state, &MapKey)?.and_then(|map| map.moves.moving);
    let is_moving = |slot| moving.is_some_and(|moving| moving.first <= slot && slot <= moving.last);
    let mut closed = Vec::new();
    visit(
        state,
        &RemovedKey::all(),
        |RemovedKey(key), removed: Generation| {
            if removed < generation && !is_moving(key.slot) {
                closed.push(key);
            }
            match closed.len() < limit {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        },
    )?;
    Ok(closed)
}

fn drop_manifest(txn: &mut Txn<'_>, key: BlobKey) -> Result<(), Fault> {
    txn.remove(&key)?;
    for part in keys(txn, &BlobPartKey::of(key))? {
        txn.change(part, None)?;
    }
    Ok(())
}
