use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use chunking::{Chunk, DigestSet, Hashes, Manifest, Pipeline, Profile};
use futures_util::future::BoxFuture;
use runtime::{Clock, Runtime, run_blocking};

use crate::content::{Certificate, Held, PutError, Session};
use crate::limits::PUT_BATCH_BYTES;
use crate::{Content, Retry};

/// Bytes that are cut and hashed in one go, off the asynchronous threads.
const PIECE_BYTES: usize = 1 << 20;
/// Batches on their way to nodes at a time.
const BATCHES_IN_FLIGHT: usize = 3;

/// How often a batch is put in a newer session, because the one before was too old.
const RENEWALS: usize = 3;

/// A blob on its way in: cut, hashed and put while the bytes still arrive.
///
/// A batch whose session is too old, since the collector or the map went on meanwhile, is put again
/// in a new one. What was put before keeps its older receipts, which the commit judges.
///
/// Dropping an upload leaves nothing but chunks that no one names.
pub struct Upload {
    content: Arc<dyn Content>,
    session: Session,
    runtime: Runtime,
    pipeline: Option<Pipeline>,
    pieces: Vec<Bytes>,
    piece_bytes: usize,
    batch: Vec<Chunk>,
    batch_bytes: usize,
    in_flight: VecDeque<BoxFuture<'static, Result<Vec<Held>, PutError>>>,
    certificate: Certificate,
}

/// A blob that is durable, but that nothing names yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// What it consists of.
    pub manifest: Manifest,
    /// Who holds it.
    pub certificate: Certificate,
    /// The digests that were asked for.
    pub hashes: Hashes,
}

/// Why an upload failed. Nothing of it is visible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    /// Its chunks could not be put.
    #[error(transparent)]
    Put(#[from] PutError),
    /// The process is shutting down.
    #[error("upload: the process is shutting down")]
    ShuttingDown,
}

impl Upload {
    /// Starts an upload in a session. `hashes` are computed over all bytes in
    /// the same pass; `threads` is how many may hash at a time.
    pub fn new(
        content: Arc<dyn Content>,
        session: Session,
        runtime: Runtime,
        profile: Profile,
        hashes: DigestSet,
        threads: usize,
    ) -> Self {
        Self {
            content,
            session,
            runtime,
            pipeline: Some(Pipeline::new(profile, hashes, threads)),
            pieces: Vec::new(),
            piece_bytes: 0,
            batch: Vec::new(),
            batch_bytes: 0,
            in_flight: VecDeque::new(),
            certificate: Certificate::default(),
        }
    }

    /// Takes the next bytes. Waits while too much is on its way, so that a fast
    /// sender cannot fill the memory.
    pub async fn push(&mut self, bytes: Bytes) -> Result<(), UploadError> {
        self.piece_bytes += bytes.len();
        self.pieces.push(bytes);
        if self.piece_bytes >= PIECE_BYTES {
            self.cut().await?;
        }
        Ok(())
    }

    /// Ends the blob and waits until all of it is durable.
    pub async fn finish(mut self) -> Result<Finished, UploadError> {
        self.cut().await?;
        let pipeline = self.pipeline.take().ok_or(UploadError::ShuttingDown)?;
        let (chunks, summary) = run(&self.runtime, move || pipeline.finish()).await?;
        self.enqueue(chunks).await?;
        self.send().await?;
        while !self.in_flight.is_empty() {
            self.settle().await?;
        }
        Ok(Finished {
            manifest: summary.manifest,
            certificate: mem::take(&mut self.certificate),
            hashes: summary.hashes,
        })
    }

    async fn cut(&mut self) -> Result<(), UploadError> {
        let pieces = mem::take(&mut self.pieces);
        self.piece_bytes = 0;
        let mut pipeline = self.pipeline.take().ok_or(UploadError::ShuttingDown)?;
        let (pipeline, chunks) = run(&self.runtime, move || {
            let mut chunks = Vec::new();
            for piece in pieces {
                chunks.extend(pipeline.push(piece));
            }
            (pipeline, chunks)
        })
        .await?;
        self.pipeline = Some(pipeline);
        self.enqueue(chunks).await
    }

    async fn enqueue(&mut self, chunks: Vec<Chunk>) -> Result<(), UploadError> {
        for chunk in chunks {
            if self.batch_bytes + chunk.bytes.len() > PUT_BATCH_BYTES {
                self.send().await?;
            }
            self.batch_bytes += chunk.bytes.len();
            self.batch.push(chunk);
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), UploadError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        while self.in_flight.len() >= BATCHES_IN_FLIGHT {
            self.settle().await?;
        }
        let batch = mem::take(&mut self.batch);
        self.batch_bytes = 0;
        let (content, session) = (Arc::clone(&self.content), self.session);
        let clock = Arc::clone(&self.runtime.clock);
        let (answer, put) = tokio::sync::oneshot::channel();
        self.runtime.tasks.spawn(
            "put chunks",
            Box::pin(async move {
                // The receiver is gone if the upload was dropped; so are the chunks then.
                drop(answer.send(put_renewed(&*content, &*clock, session, batch).await));
            }),
        );
        self.in_flight.push_back(Box::pin(async move {
            put.await
                .unwrap_or(Err(PutError::NoQuorum { held: 0, needed: 1 }))
        }));
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), UploadError> {
        if let Some(put) = self.in_flight.pop_front() {
            for held in put.await? {
                self.certificate.push(&held);
            }
        }
        Ok(())
    }
}

/// Puts a batch, in a newer session if that one is too old.
async fn put_renewed(
    content: &dyn Content,
    clock: &dyn Clock,
    mut session: Session,
    batch: Vec<Chunk>,
) -> Result<Vec<Held>, PutError> {
    for _ in 0..RENEWALS {
        match content.put(&session, batch.clone()).await {
            Err(error @ PutError::SessionExpired) => {
                if let Retry::After(delay) = error.retry() {
                    clock.sleep(delay).await;
                }
                let renewed = content.begin(session.domain).await;
                session = renewed.map_err(|_| error)?;
            }
            done => return done,
        }
    }
    content.put(&session, batch).await
}

// Not a method: what an upload has in flight cannot be shared between threads.
async fn run<T: Send + 'static>(
    runtime: &Runtime,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, UploadError> {
    run_blocking(&*runtime.tasks, "cut and hash", work)
        .await
        .map_err(|_| UploadError::ShuttingDown)
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload")
            .field("session", &self.session)
            .field("in_flight", &self.in_flight.len())
            .finish_non_exhaustive()
    }
}
