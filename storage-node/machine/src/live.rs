use std::ops::ControlFlow;

use chunking::ChunkRef;
use storage_node_api::DedupDomain;

use crate::fault::Fault;
use crate::head::Head;
use crate::keys::{BlobKey, BlobPartKey, HeadKey, Key, RemovedKey};
use crate::reader::{Reader, load, visit};

/// Shows the chunks of all blobs that have owners, each list with its domain,
/// until `show` breaks. A chunk may be shown several times.
///
/// `after` is where an earlier listing broke off, empty to begin; the answer is
/// where this one did, `None` at the end. Between calls the state may change:
/// a blob that was there all along is listed in full.
pub fn live_chunks(
    state: &dyn Reader,
    after: &[u8],
    show: &mut dyn FnMut(DedupDomain, &[ChunkRef]) -> ControlFlow<()>,
) -> Result<Option<Vec<u8>>, Fault> {
    listed_chunks(state, after, false, show)
}

/// [`live_chunks`], if asked together with the chunks of blobs that were removed
/// since the group's last barrier.
pub(crate) fn listed_chunks(
    state: &dyn Reader,
    after: &[u8],
    removed: bool,
    show: &mut dyn FnMut(DedupDomain, &[ChunkRef]) -> ControlFlow<()>,
) -> Result<Option<Vec<u8>>, Fault> {
    let head = load(state, &HeadKey)?.unwrap_or_default();
    let mut from = match after {
        [] => None,
        key => Some(BlobPartKey::decode(key)?),
    };
    // A blob is looked up between scans: nothing is asked of the state while it is read.
    let mut blob = from.map(|part| part.blob);
    let mut listed = match blob {
        Some(blob) => is_listed(state, &head, blob, removed)?,
        None => false,
    };
    loop {
        let (mut cursor, mut next) = (None, None);
        visit(
            state,
            &BlobPartKey::after(from.as_ref()),
            |key: BlobPartKey, chunks| {
                if blob != Some(key.blob) {
                    next = Some(key);
                    return ControlFlow::Break(());
                }
                from = Some(key);
                let flow = match listed {
                    true => show(key.blob.domain, &chunks),
                    false => ControlFlow::Continue(()),
                };
                cursor = flow.is_break().then(|| key.encode());
                flow
            },
        )?;
        let Some(key) = next else { return Ok(cursor) };
        blob = Some(key.blob);
        listed = is_listed(state, &head, key.blob, removed)?;
    }
}

fn is_listed(state: &dyn Reader, head: &Head, blob: BlobKey, removed: bool) -> Result<bool, Fault> {
    let since = load(state, &RemovedKey(blob))?;
    Ok(since.is_none_or(|since| removed && since >= head.generation))
}
