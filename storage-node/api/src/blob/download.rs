use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use chunking::{BlobId, ChunkRef, Manifest};
use futures_util::future::BoxFuture;
use runtime::Runtime;

use crate::content::GetError;
use crate::limits::PUT_BATCH_BYTES;
use crate::{Content, DedupDomain};

/// Batches of chunks fetched ahead of the reader.
const BATCHES_AHEAD: usize = 2;

/// A blob, or a range of one, on its way out.
pub struct Download {
    content: Arc<dyn Content>,
    runtime: Runtime,
    domain: DedupDomain,
    batches: VecDeque<Vec<(ChunkRef, Range<usize>)>>,
    ahead: VecDeque<Fetch>,
    ready: VecDeque<Bytes>,
    blob: BlobId,
}

type Fetch = BoxFuture<'static, Result<Vec<Bytes>, GetError>>;

/// Why a download broke off. What was returned before is right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read blob {blob}")]
pub struct DownloadError {
    /// Which blob.
    pub blob: BlobId,
    /// Which chunk, and why.
    #[source]
    pub source: GetError,
}

impl Download {
    /// Reads the bytes of `range`, which is cut to the blob's length.
    pub fn new(
        content: Arc<dyn Content>,
        runtime: Runtime,
        domain: DedupDomain,
        manifest: &Manifest,
        range: Range<u64>,
    ) -> Self {
        let mut batches = VecDeque::new();
        let mut batch = Vec::new();
        let mut bytes = 0;
        for piece in manifest.locate(range) {
            let range = piece.range.start as usize..piece.range.end as usize;
            let length = range.len();
            if bytes + length > PUT_BATCH_BYTES && !batch.is_empty() {
                batches.push_back(std::mem::take(&mut batch));
                bytes = 0;
            }
            bytes += length;
            batch.push((*piece.chunk, range));
        }
        if !batch.is_empty() {
            batches.push_back(batch);
        }
        Self {
            content,
            runtime,
            domain,
            batches,
            ahead: VecDeque::new(),
            ready: VecDeque::new(),
            blob: manifest.blob,
        }
    }

    /// The next bytes, verified; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, DownloadError> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Ok(Some(bytes));
            }
            while self.ahead.len() < BATCHES_AHEAD {
                let Some(batch) = self.batches.pop_front() else {
                    break;
                };
                self.ahead.push_back(self.fetch(batch));
            }
            let Some(fetch) = self.ahead.pop_front() else {
                return Ok(None);
            };
            let fetched = fetch.await;
            self.ready = fetched
                .map_err(|source| DownloadError {
                    blob: self.blob,
                    source,
                })?
                .into();
        }
    }

    fn fetch(&self, batch: Vec<(ChunkRef, Range<usize>)>) -> Fetch {
        let (content, domain) = (Arc::clone(&self.content), self.domain);
        let (answer, fetched) = tokio::sync::oneshot::channel();
        let fetch = async move {
            let refs: Vec<ChunkRef> = batch.iter().map(|(chunk, _)| *chunk).collect();
            let pieces = content.get(domain, &refs).await.map(|bytes| {
                bytes
                    .into_iter()
                    .zip(batch)
                    .map(|(bytes, (_, range))| bytes.slice(range))
                    .collect()
            });
            // The reader is gone if the download was dropped.
            drop(answer.send(pieces));
        };
        self.runtime.tasks.spawn("fetch chunks", Box::pin(fetch));
        Box::pin(async move { fetched.await.unwrap_or(Err(GetError::Unavailable)) })
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("blob", &self.blob)
            .finish_non_exhaustive()
    }
}
