//! A storage that stops answering, as for a process that is killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use chunking::{Chunk, ChunkRef};
use storage_node_api::content::{BeginError, GetError, Held, PutError, Session};
use storage_node_api::dump::Dump;
use storage_node_api::map::ClusterMap;
use storage_node_api::metadata::{Batch, ExecuteError, Executed, QueryError, Rows, Statement};
use storage_node_api::order::{Answer, Committed, ProposeError, Query, ReadError, Request};
use storage_node_api::{Content, DedupDomain, Metadata, Order, ReadPoint, Slot, Storage};
use tokio::sync::Notify;

/// Answers so many calls and not the next.
#[derive(Debug)]
pub(crate) struct Stalling {
    inner: Arc<dyn Storage>,
    left: AtomicU64,
    stalled: Notify,
    resumed: Notify,
}

impl Stalling {
    pub(crate) fn after(inner: Arc<dyn Storage>, calls: u64) -> Arc<Self> {
        Arc::new(Self {
            inner,
            left: AtomicU64::new(calls),
            stalled: Notify::new(),
            resumed: Notify::new(),
        })
    }

    /// Waits until a call is not answered.
    pub(crate) async fn stalled(&self) {
        self.stalled.notified().await;
    }

    /// Answers the call that waits, and all others.
    pub(crate) fn resume(&self) {
        self.left.store(u64::MAX, Ordering::SeqCst);
        self.resumed.notify_one();
    }

    async fn call(&self) {
        let take = |left: u64| left.checked_sub(1);
        if self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
            .is_err()
        {
            self.stalled.notify_one();
            self.resumed.notified().await;
        }
    }
}

#[async_trait]
impl Content for Stalling {
    async fn begin(&self, domain: DedupDomain) -> Result<Session, BeginError> {
        self.inner.begin(domain).await
    }

    async fn put(&self, session: &Session, chunks: Vec<Chunk>) -> Result<Vec<Held>, PutError> {
        self.call().await;
        self.inner.put(session, chunks).await
    }

    async fn get(&self, domain: DedupDomain, chunks: &[ChunkRef]) -> Result<Vec<Bytes>, GetError> {
        self.call().await;
        self.inner.get(domain, chunks).await
    }
}

#[async_trait]
impl Order for Stalling {
    async fn propose(&self, slot: Slot, request: Request) -> Result<Committed, ProposeError> {
        self.call().await;
        self.inner.propose(slot, request).await
    }

    async fn read(&self, slot: Slot, point: ReadPoint, query: Query) -> Result<Answer, ReadError> {
        self.inner.read(slot, point, query).await
    }

    async fn map(&self) -> Result<ClusterMap, ReadError> {
        self.inner.map().await
    }
}

#[async_trait]
impl Metadata for Stalling {
    async fn query(&self, point: ReadPoint, statement: Statement) -> Result<Rows, QueryError> {
        self.inner.query(point, statement).await
    }

    async fn execute(&self, batch: Batch) -> Result<Executed, ExecuteError> {
        self.call().await;
        self.inner.execute(batch).await
    }

    async fn dump(&self) -> Result<Box<dyn Dump>, QueryError> {
        self.call().await;
        self.inner.dump().await
    }
}
