//! A storage that holds a call until the test lets it go.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chunking::{Chunk, ChunkRef};
use runtime::Runtime;
use storage_node_api::content::{BeginError, GetError, Held as Holders, PutError, Session};
use storage_node_api::map::ClusterMap;
use storage_node_api::metadata::{
    Batch, ExecuteError, Executed, MigrateError, Migration, QueryError, Rows, Statement,
};
use storage_node_api::order::{
    Answer, Command, Committed, ProposeError, Query, ReadError, Refusal, Reply, Request,
};
use storage_node_api::{Content, DedupDomain, Metadata, Order, ReadPoint, Slot};
use storage_node_memory::MemoryStorage;
use tokio::sync::oneshot;

/// Which calls can be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// The entry of a push.
    Push,
    /// The entry of a replacement.
    Replace,
    /// The question after a manifest.
    Manifest,
}

/// A call that will be held.
pub(super) struct Hold {
    /// Completes when the call is there.
    pub(super) reached: oneshot::Receiver<()>,
    /// Lets it go.
    pub(super) go: oneshot::Sender<()>,
}

type Waiting = (Call, oneshot::Sender<()>, oneshot::Receiver<()>);

#[derive(Debug)]
pub(super) struct HeldStorage {
    inner: MemoryStorage,
    holds: Mutex<Vec<Waiting>>,
    refusals: Mutex<Vec<Refusal>>,
}

impl HeldStorage {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryStorage::new(Runtime::real()),
            holds: Mutex::default(),
            refusals: Mutex::default(),
        })
    }

    /// Holds the next call of that kind.
    pub(super) fn hold(&self, call: Call) -> Hold {
        let (tell, reached) = oneshot::channel();
        let (go, gone) = oneshot::channel();
        self.holds.lock().unwrap().push((call, tell, gone));
        Hold { reached, go }
    }

    /// What was refused so far.
    pub(super) fn refusals(&self) -> Vec<Refusal> {
        self.refusals.lock().unwrap().clone()
    }

    async fn pass(&self, call: Call) {
        let held = {
            let mut holds = self.holds.lock().unwrap();
            let at = holds.iter().position(|(held, ..)| *held == call);
            at.map(|at| holds.remove(at))
        };
        if let Some((_, tell, gone)) = held {
            let _ = tell.send(());
            // One whose test is over goes on.
            let _ = gone.await;
        }
    }
}

#[async_trait]
impl Content for HeldStorage {
    async fn begin(&self, domain: DedupDomain) -> Result<Session, BeginError> {
        self.inner.begin(domain).await
    }

    async fn put(&self, session: &Session, chunks: Vec<Chunk>) -> Result<Vec<Holders>, PutError> {
        self.inner.put(session, chunks).await
    }

    async fn get(&self, domain: DedupDomain, chunks: &[ChunkRef]) -> Result<Vec<Bytes>, GetError> {
        self.inner.get(domain, chunks).await
    }
}

#[async_trait]
impl Order for HeldStorage {
    async fn propose(&self, slot: Slot, request: Request) -> Result<Committed, ProposeError> {
        match request.command {
            Command::CheckedPush { .. } => self.pass(Call::Push).await,
            Command::ReplacePacks(_) => self.pass(Call::Replace).await,
            _ => {}
        }
        let committed = self.inner.propose(slot, request).await?;
        if let Reply::Refused(refusal) = &committed.reply {
            self.refusals.lock().unwrap().push(refusal.clone());
        }
        Ok(committed)
    }

    async fn read(&self, slot: Slot, point: ReadPoint, query: Query) -> Result<Answer, ReadError> {
        if matches!(query, Query::Manifest { .. }) {
            self.pass(Call::Manifest).await;
        }
        self.inner.read(slot, point, query).await
    }

    async fn map(&self) -> Result<ClusterMap, ReadError> {
        Order::map(&self.inner).await
    }
}

#[async_trait]
impl Metadata for HeldStorage {
    async fn query(&self, point: ReadPoint, statement: Statement) -> Result<Rows, QueryError> {
        self.inner.query(point, statement).await
    }

    async fn execute(&self, batch: Batch) -> Result<Executed, ExecuteError> {
        self.inner.execute(batch).await
    }

    async fn migrate(&self, migrations: &[Migration]) -> Result<(), MigrateError> {
        self.inner.migrate(migrations).await
    }
}
