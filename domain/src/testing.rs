//! A forge over the in-memory storage, for this crate's tests, whose storage
//! can be made to fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use runtime::{ManualClock, Runtime};
use storage_node_api::content::{BeginError, GetError, Held, PutError, Session};
use storage_node_api::map::ClusterMap;
use storage_node_api::metadata::{
    Batch, ExecuteError, Executed, MigrateError, Migration, QueryError, Rows, Statement,
};
use storage_node_api::order::{Answer, Committed, ProposeError, Query, ReadError, Request};
use storage_node_api::{Content, DedupDomain, Metadata, Order, ReadPoint, Slot, Storage};
use storage_node_memory::MemoryStorage;

use crate::Forge;
use crate::accounts::{NewUser, PasswordCost, User};

/// The password of every [`user`].
pub(crate) const PASSWORD: &str = "correct horse";

pub(crate) async fn forge() -> Forge {
    forge_and_clock().await.0
}

pub(crate) async fn forge_and_clock() -> (Forge, ManualClock) {
    let (forge, clock, _) = faulty_forge().await;
    (forge, clock)
}

pub(crate) async fn faulty_forge() -> (Forge, ManualClock, Arc<Faulty>) {
    let (runtime, clock) = Runtime::simulated(7);
    let inner = Arc::new(MemoryStorage::new(runtime.clone()));
    let faulty = Arc::new(Faulty {
        inner,
        writes: AtomicI64::new(i64::MAX),
    });
    let storage: Arc<dyn Storage> = faulty.clone();
    let forge = Forge::new(storage, runtime, PasswordCost::Testing);
    forge.migrate().await.unwrap();
    (forge, clock, faulty)
}

pub(crate) async fn user(forge: &Forge, name: &str) -> User {
    let new = NewUser {
        name,
        email: &format!("{name}@example.org"),
        full_name: "",
        password: PASSWORD,
        is_admin: false,
    };
    forge.accounts.create(new).await.unwrap()
}

/// A storage that takes so many writes and then refuses all.
#[derive(Debug)]
pub(crate) struct Faulty {
    inner: Arc<dyn Storage>,
    writes: AtomicI64,
}

impl Faulty {
    /// From now on only so many writes succeed.
    pub(crate) fn allow_writes(&self, count: i64) {
        self.writes.store(count, Ordering::Relaxed);
    }

    fn fails(&self) -> bool {
        self.writes.fetch_sub(1, Ordering::Relaxed) <= 0
    }
}

#[async_trait]
impl Content for Faulty {
    async fn begin(&self, domain: DedupDomain) -> Result<Session, BeginError> {
        self.inner.begin(domain).await
    }

    async fn put(
        &self,
        session: &Session,
        chunks: Vec<chunking::Chunk>,
    ) -> Result<Vec<Held>, PutError> {
        self.inner.put(session, chunks).await
    }

    async fn get(
        &self,
        domain: DedupDomain,
        chunks: &[chunking::ChunkRef],
    ) -> Result<Vec<bytes::Bytes>, GetError> {
        self.inner.get(domain, chunks).await
    }
}

#[async_trait]
impl Order for Faulty {
    async fn propose(&self, slot: Slot, request: Request) -> Result<Committed, ProposeError> {
        if self.fails() {
            return Err(ProposeError::Full);
        }
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
impl Metadata for Faulty {
    async fn query(&self, point: ReadPoint, statement: Statement) -> Result<Rows, QueryError> {
        self.inner.query(point, statement).await
    }

    async fn execute(&self, batch: Batch) -> Result<Executed, ExecuteError> {
        if self.fails() {
            return Err(ExecuteError::Full);
        }
        self.inner.execute(batch).await
    }

    async fn migrate(&self, migrations: &[Migration]) -> Result<(), MigrateError> {
        self.inner.migrate(migrations).await
    }
}
