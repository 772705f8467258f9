use std::ops::ControlFlow;

use chunking::ChunkRef;
use storage_node_api::DedupDomain;

use crate::fault::Fault;
use crate::keys::{BlobPartKey, Key};
use crate::reader::{Reader, visit};

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
    let last = match after {
        [] => None,
        key => Some(BlobPartKey::decode(key)?),
    };
    let mut cursor = None;
    visit(
        state,
        &BlobPartKey::after(last.as_ref()),
        |key: BlobPartKey, chunks| {
            let flow = show(key.blob.domain, &chunks);
            cursor = flow.is_break().then(|| key.encode());
            flow
        },
    )?;
    Ok(cursor)
}
