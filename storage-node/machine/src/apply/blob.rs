//! Blobs and who keeps them alive.

use chunking::{BlobId, Manifest};
use storage_node_api::blob::{Chunks, StoredBlob};
use storage_node_api::content::Run;
use storage_node_api::limits::MANIFEST_PART_CHUNKS;
use storage_node_api::order::{Refusal, Reply, Staged};
use storage_node_api::{BlobOwner, DedupDomain, Slot, UploadId};

use super::Stop;
use super::certificate::Rules;
use super::hold::refuse_while_held;
use super::removed;
use super::stage::{drop_upload, take_parts};
use crate::fault::Fault;
use crate::keys::{BlobHeader, BlobKey, BlobPartKey, OwnerKey};
use crate::reader::load;
use crate::txn::Txn;

/// A blob that may be given an owner.
pub(super) enum Admitted {
    /// Its manifest is there, with an owner that keeps it alive meanwhile.
    Present,
    /// Its manifest is valid and its chunks are durable.
    New(Manifest),
}

/// Names a blob and gives it an owner.
pub(super) fn put_blob(
    txn: &mut Txn<'_>,
    slot: Slot,
    domain: DedupDomain,
    blob: &StoredBlob,
    owner: BlobOwner,
) -> Result<Reply, Stop> {
    txn.check_slot(slot)?;
    named(owner)?;
    let key = BlobKey {
        slot,
        domain,
        blob: blob.id,
    };
    let admitted = admit(txn, key, blob)?;
    own(txn, key, admitted, owner)?;
    drop_staged(txn, blob)?;
    Ok(Reply::Done)
}

/// Ends an ownership. Of one that is not there: no effect.
pub(super) fn remove_owner(
    txn: &mut Txn<'_>,
    slot: Slot,
    blob: BlobId,
    owner: BlobOwner,
) -> Result<Reply, Stop> {
    txn.check_slot(slot)?;
    named(owner)?;
    refuse_while_held(txn)?;
    disown(txn, OwnerKey { slot, blob, owner })?;
    Ok(Reply::Done)
}

/// Whether a blob may be named: its manifest is valid, and either it is here
/// already or its certificate shows it durable.
pub(super) fn admit(txn: &Txn<'_>, key: BlobKey, blob: &StoredBlob) -> Result<Admitted, Stop> {
    // One that was removed has to be shown durable like a new one.
    if let Some(header) = load(txn, &key)?.filter(|header| header.owners > 0) {
        return match header.length == blob.length {
            true => Ok(Admitted::Present),
            false => Err(Refusal::BadManifest(blob.id).into()),
        };
    }
    let (manifest, staged_runs) = assemble(txn, blob)?;
    if manifest.validate().is_err() {
        return Err(Refusal::BadManifest(blob.id).into());
    }
    let rules = Rules {
        map: txn.map.as_deref().ok_or(Refusal::WrongGroup)?,
        head: &txn.head,
        domain: key.domain,
    };
    let runs = staged_runs.as_ref().unwrap_or(&blob.certificate.runs);
    rules.check(&blob.certificate.receipts, runs, manifest.chunks.len())?;
    Ok(Admitted::New(manifest))
}

/// Gives an admitted blob an owner. An owner has a blob once: in another domain
/// than before, it moves.
pub(super) fn own(
    txn: &mut Txn<'_>,
    key: BlobKey,
    admitted: Admitted,
    owner: BlobOwner,
) -> Result<(), Fault> {
    let owner_key = OwnerKey {
        slot: key.slot,
        blob: key.blob,
        owner,
    };
    let owned_in = load(txn, &owner_key)?;
    if owned_in == Some(key.domain) {
        return Ok(());
    }
    let owned = load(txn, &key)?.filter(|header| header.owners > 0);
    match (owned, admitted) {
        (Some(mut header), _) => {
            header.owners += 1;
            txn.put(&key, &header)?;
        }
        (None, Admitted::New(manifest)) => {
            removed::forget_one(txn, key)?;
            write_manifest(txn, key, &manifest)?;
        }
        (None, Admitted::Present) => {
            return Err(Fault::Missing {
                what: "the manifest of an owned blob",
            });
        }
    }
    if owned_in.is_some() {
        disown(txn, owner_key)?;
    }
    txn.put(&owner_key, &key.domain)
}

/// Ends an ownership, if it is there, and the blob with its last one.
pub(super) fn disown(txn: &mut Txn<'_>, owner: OwnerKey) -> Result<(), Fault> {
    let Some(domain) = load(txn, &owner)? else {
        return Ok(());
    };
    let key = BlobKey {
        slot: owner.slot,
        domain,
        blob: owner.blob,
    };
    let mut header = load(txn, &key)?.ok_or(Fault::Missing {
        what: "the manifest of an owned blob",
    })?;
    header.owners = header.owners.saturating_sub(1);
    if header.owners == 0 {
        removed::remove(txn, key, &header)?;
    } else {
        txn.put(&key, &header)?;
    }
    txn.remove(&owner)
}

/// Forgets what was staged for a blob.
pub(super) fn drop_staged(txn: &mut Txn<'_>, blob: &StoredBlob) -> Result<(), Fault> {
    match blob.chunks {
        Chunks::Inline(_) => Ok(()),
        Chunks::Staged { upload, .. } => drop_upload(txn, upload),
    }
}

fn named(owner: BlobOwner) -> Result<(), Refusal> {
    match owner {
        BlobOwner::Named(_) => Ok(()),
        BlobOwner::Repository(repository) => Err(Refusal::ReservedOwner(repository)),
    }
}

/// The manifest that a blob claims, and the runs that were staged with it.
fn assemble(txn: &Txn<'_>, blob: &StoredBlob) -> Result<(Manifest, Option<Vec<Run>>), Stop> {
    let mut manifest = Manifest {
        profile: blob.profile,
        blob: blob.id,
        length: blob.length,
        chunks: Vec::new(),
    };
    match blob.chunks {
        Chunks::Inline(ref chunks) => {
            manifest.chunks.clone_from(chunks);
            Ok((manifest, None))
        }
        Chunks::Staged {
            upload,
            first_part,
            parts,
            chunks,
        } => {
            let runs = take_chunks(txn, &mut manifest, upload, (first_part, parts))?;
            match usize::try_from(chunks) {
                Ok(count) if count == manifest.chunks.len() => Ok((manifest, Some(runs))),
                _ => Err(Refusal::BadManifest(blob.id).into()),
            }
        }
    }
}

fn take_chunks(
    txn: &Txn<'_>,
    manifest: &mut Manifest,
    upload: UploadId,
    (first, parts): (u32, u32),
) -> Result<Vec<Run>, Stop> {
    let mut all_runs = Vec::new();
    let blob = manifest.blob;
    take_parts(txn, upload, first, parts, |part| match part {
        Staged::Chunks { chunks, runs } => {
            // Runs of one part say nothing about the chunks of the next.
            let covered: u64 = runs.iter().map(|run| u64::from(run.chunks)).sum();
            if covered != chunks.len() as u64 {
                return Err(Refusal::BadManifest(blob));
            }
            manifest.chunks.extend(chunks);
            all_runs.extend(runs);
            Ok(true)
        }
        Staged::Commands(_) => Ok(false),
    })?;
    Ok(all_runs)
}

fn write_manifest(txn: &mut Txn<'_>, key: BlobKey, manifest: &Manifest) -> Result<(), Fault> {
    let header = BlobHeader {
        length: manifest.length,
        profile: manifest.profile,
        chunks: u32::try_from(manifest.chunks.len()).unwrap_or(u32::MAX),
        owners: 1,
    };
    txn.put(&key, &header)?;
    for (part, chunks) in (0..).zip(manifest.chunks.chunks(MANIFEST_PART_CHUNKS)) {
        txn.put(&BlobPartKey { blob: key, part }, &chunks.to_vec())?;
    }
    Ok(())
}
