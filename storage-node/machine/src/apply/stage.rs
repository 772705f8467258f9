//! Parts that wait for the entry that completes them.

use std::ops::ControlFlow;

use storage_node_api::UploadId;
use storage_node_api::limits::{MAX_STAGED_PARTS, MAX_STAGED_UPLOADS};
use storage_node_api::map::CLUSTER_GROUP;
use storage_node_api::order::{Refusal, Reply, Staged};

use super::Stop;
use crate::fault::Fault;
use crate::keys::{PartKey, UploadKey, UploadOrderKey};
use crate::reader::{Reader, keys, load, visit};
use crate::txn::Txn;

/// Keeps one part. The same part again replaces it.
pub(super) fn stage(
    txn: &mut Txn<'_>,
    upload: UploadId,
    part: u32,
    content: &Staged,
) -> Result<Reply, Stop> {
    if txn.group == CLUSTER_GROUP || txn.map.is_none() {
        return Err(Refusal::WrongGroup.into());
    }
    if part >= MAX_STAGED_PARTS {
        return Err(Refusal::TooManyParts.into());
    }
    if load(txn, &UploadKey(upload))?.is_none() {
        if txn.head.uploads >= MAX_STAGED_UPLOADS
            && let Some(oldest) = oldest(txn)?
        {
            drop_upload(txn, oldest)?;
        }
        let order = txn.head.next_upload;
        txn.head.next_upload += 1;
        txn.head.uploads += 1;
        txn.put(&UploadKey(upload), &order)?;
        txn.put(&UploadOrderKey(order), &upload)?;
    }
    txn.put(&PartKey { upload, part }, content)?;
    Ok(Reply::Done)
}

/// Forgets the parts of an upload.
pub(super) fn unstage(txn: &mut Txn<'_>, upload: UploadId) -> Result<Reply, Stop> {
    drop_upload(txn, upload)?;
    Ok(Reply::Done)
}

/// The content of consecutive parts of an upload, each shown to `take`, which
/// answers whether it is of the right kind.
pub(super) fn take_parts(
    txn: &Txn<'_>,
    upload: UploadId,
    first: u32,
    parts: u32,
    mut take: impl FnMut(Staged) -> Result<bool, Refusal>,
) -> Result<(), Stop> {
    if first
        .checked_add(parts)
        .is_none_or(|end| end > MAX_STAGED_PARTS)
    {
        return Err(Refusal::TooManyParts.into());
    }
    for part in first..first + parts {
        let content = load(txn, &PartKey { upload, part })?;
        let missing = Refusal::NotStaged { upload, part };
        if !take(content.ok_or(missing.clone())?)? {
            return Err(missing.into());
        }
    }
    Ok(())
}

/// Removes an upload and its parts, if it is there.
pub(super) fn drop_upload(txn: &mut Txn<'_>, upload: UploadId) -> Result<(), Fault> {
    let Some(order) = load(txn, &UploadKey(upload))? else {
        return Ok(());
    };
    for key in keys(txn, &PartKey::of(upload))? {
        txn.change(key, None)?;
    }
    txn.remove(&UploadKey(upload))?;
    txn.remove(&UploadOrderKey(order))?;
    txn.head.uploads -= 1;
    Ok(())
}

fn oldest(reader: &dyn Reader) -> Result<Option<UploadId>, Fault> {
    let mut oldest = None;
    visit(
        reader,
        &UploadOrderKey::all(),
        |_: UploadOrderKey, upload| {
            oldest = Some(upload);
            ControlFlow::Break(())
        },
    )?;
    Ok(oldest)
}
