//! A node that keeps chunks in memory, says what it is told to, and hangs.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use chunking::{Chunk, ChunkId, ChunkRef};
use storage_node_api::content::{Receipt, Session};
use storage_node_api::map::{self, ClusterMap, Policies};
use storage_node_api::metadata::{
    Batch, ExecuteError, Executed, QueryError, Rows, Statement, Value,
};
use storage_node_api::node::{Node, NodeError, NodeFailure, NodeStatus, Presence};
use storage_node_api::order::{
    Answer, Command, Committed, ProposeError, Query, ReadError, Reply, Request,
};
use storage_node_api::{
    ClusterId, DedupDomain, Generation, GroupId, Incarnation, MapEpoch, NodeId, ReadPoint,
    RequestId, Timestamp, Token, UploadId,
};
use tokio::sync::watch;

pub(crate) const SESSION: Session = Session {
    generation: Generation(4),
    epoch: MapEpoch(2),
    domain: DedupDomain(7),
};

#[derive(Debug)]
pub(crate) struct FakeNode {
    id: NodeId,
    chunks: Mutex<HashMap<(DedupDomain, ChunkId), Bytes>>,
    proposals: Mutex<Option<NodeFailure<ProposeError>>>,
    calls: AtomicU64,
    hanging: watch::Sender<bool>,
}

pub(crate) fn map() -> ClusterMap {
    ClusterMap {
        cluster: ClusterId([1; 16]),
        epoch: MapEpoch(2),
        generation: Generation(4),
        machine_version: 1,
        policies: Policies::default(),
        nodes: vec![node(3, "host:1", "host:2")],
        groups: ClusterMap::divide_slots(4),
        members: Box::default(),
        moves: Box::default(),
    }
}

pub(crate) fn node(id: u64, control: &str, bulk: &str) -> map::Node {
    map::Node {
        id: NodeId(id),
        control: control.to_owned(),
        bulk: bulk.to_owned(),
        zone: "z".to_owned(),
        region: "r".to_owned(),
        capacity: 1,
        incarnation: Incarnation(5),
        draining: false,
    }
}

pub(crate) fn request() -> Request {
    Request {
        id: RequestId([8; 16]),
        time: Timestamp(99),
        command: Command::Unstage(UploadId([9; 16])),
    }
}

pub(crate) fn chunk(number: u64, length: usize) -> Chunk {
    let mut bytes = number.to_le_bytes().repeat(length.div_ceil(8));
    bytes.truncate(length);
    let bytes = Bytes::from(bytes);
    Chunk {
        id: ChunkId::of(&bytes),
        bytes,
    }
}

pub(crate) fn reference(chunk: &Chunk) -> ChunkRef {
    ChunkRef {
        id: chunk.id,
        length: u32::try_from(chunk.bytes.len()).unwrap(),
    }
}

impl FakeNode {
    pub(crate) fn new(id: NodeId) -> Self {
        Self {
            id,
            chunks: Mutex::default(),
            proposals: Mutex::default(),
            calls: AtomicU64::new(0),
            hanging: watch::channel(false).0,
        }
    }

    /// How many calls there were.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// From now on, or no longer, calls wait.
    pub(crate) fn hang(&self, hang: bool) {
        self.hanging.send_replace(hang);
    }

    pub(crate) fn fail_proposals(&self, failure: NodeFailure<ProposeError>) {
        *self.proposals.lock().unwrap() = Some(failure);
    }

    /// Replaces the bytes of a chunk.
    pub(crate) fn spoil(&self, chunk: ChunkId, bytes: Bytes) {
        let mut chunks = self.chunks.lock().unwrap();
        chunks.insert((SESSION.domain, chunk), bytes);
    }

    async fn enter(&self) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let mut hanging = self.hanging.subscribe();
        hanging.wait_for(|hanging| !hanging).await.unwrap();
    }

    fn receipt(&self, session: &Session) -> Receipt {
        Receipt {
            node: self.id,
            incarnation: Incarnation(5),
            epoch: session.epoch,
            generation: session.generation,
            domain: session.domain,
        }
    }
}

#[async_trait]
impl Node for FakeNode {
    async fn presence(&self, session: &Session, chunks: &[ChunkId]) -> Result<Presence, NodeError> {
        self.enter().await;
        let held = self.chunks.lock().unwrap();
        let held = chunks
            .iter()
            .map(|chunk| held.contains_key(&(session.domain, *chunk)));
        Ok(Presence {
            receipt: self.receipt(session),
            held: held.collect(),
        })
    }

    async fn store(&self, session: &Session, chunks: Vec<Chunk>) -> Result<Receipt, NodeError> {
        self.enter().await;
        for chunk in chunks {
            if ChunkId::of(&chunk.bytes) != chunk.id {
                return Err(NodeError::Mismatch { chunk: chunk.id });
            }
            let key = (session.domain, chunk.id);
            self.chunks.lock().unwrap().insert(key, chunk.bytes);
        }
        Ok(self.receipt(session))
    }

    async fn fetch(
        &self,
        domain: DedupDomain,
        chunks: &[ChunkRef],
    ) -> Result<Vec<Option<Bytes>>, NodeError> {
        self.enter().await;
        let held = self.chunks.lock().unwrap();
        let fetched = chunks
            .iter()
            .map(|chunk| held.get(&(domain, chunk.id)).cloned());
        Ok(fetched.collect())
    }

    async fn propose(
        &self,
        group: GroupId,
        request: Request,
    ) -> Result<Committed, NodeFailure<ProposeError>> {
        self.enter().await;
        if let Some(failure) = self.proposals.lock().unwrap().clone() {
            return Err(failure);
        }
        let index = request.time.0;
        Ok(Committed {
            token: Token { group, index },
            reply: Reply::Done,
        })
    }

    async fn read(
        &self,
        group: GroupId,
        _: ReadPoint,
        query: Query,
    ) -> Result<Answer, NodeFailure<ReadError>> {
        self.enter().await;
        match query {
            Query::StateHash => Ok(Answer::StateHash {
                index: group.0,
                hash: [3; 32],
            }),
            _ => Err(NodeFailure::Failed(ReadError::Unavailable { group })),
        }
    }

    async fn query(
        &self,
        _: ReadPoint,
        statement: Statement,
    ) -> Result<Rows, NodeFailure<QueryError>> {
        self.enter().await;
        Ok(Rows {
            rows: vec![statement.params],
            changed: 0,
        })
    }

    async fn execute(&self, batch: Batch) -> Result<Executed, NodeFailure<ExecuteError>> {
        self.enter().await;
        let found = batch.statements.len() as u64;
        let statement = 1;
        Err(NodeFailure::Failed(ExecuteError::Guard {
            statement,
            found,
        }))
    }

    async fn map(&self) -> Result<ClusterMap, NodeError> {
        self.enter().await;
        Ok(map())
    }

    async fn status(&self) -> Result<NodeStatus, NodeError> {
        self.enter().await;
        Ok(NodeStatus {
            id: self.id,
            chunk_bytes: 1,
            chunks: 2,
            missing_chunks: None,
            corrupt_chunks: 3,
            available_bytes: 4,
            groups: Vec::new(),
        })
    }
}

/// Compares what two nodes answer to everything but chunks.
pub(crate) async fn answers_alike(a: &dyn Node, b: &dyn Node) {
    let group = GroupId(16);
    let point = ReadPoint::AtLeast(Token { group, index: 5 });
    assert_eq!(
        a.propose(group, request()).await,
        b.propose(group, request()).await
    );
    for query in [Query::StateHash, Query::Map] {
        let read = a.read(group, point, query.clone()).await;
        assert_eq!(read, b.read(group, point, query).await);
    }
    let params = [
        Value::Null,
        Value::Integer(-1),
        Value::Text("ü".to_owned()),
        Value::Blob(vec![0, 255]),
    ];
    let statement = Statement::new("SELECT $1, $2, $3, $4", params);
    let rows = a.query(point, statement.clone()).await;
    assert!(rows.is_ok());
    assert_eq!(rows, b.query(point, statement).await);
    assert_eq!(a.map().await, b.map().await);
    assert_eq!(a.status().await, b.status().await);
}
