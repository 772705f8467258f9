use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chunking::{Chunk, ChunkId, ChunkRef};
use runtime::Clock;
use storage_node_api::content::{Receipt, Session};
use storage_node_api::map::{ClusterMap, METADATA_GROUP};
use storage_node_api::metadata::{Batch, ExecuteError, Executed, QueryError, Rows, Statement};
use storage_node_api::node::{Node, NodeError, NodeFailure, NodeStatus, Presence};
use storage_node_api::order::{Answer, Committed, ProposeError, Query, ReadError, Reply, Request};
use storage_node_api::{DedupDomain, GroupId, Incarnation, NodeId, ReadPoint, RequestId, Token};

/// What a node is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Call {
    Presence,
    Store,
    Fetch,
    Propose,
    Read,
    Execute,
    Query,
    Map,
}

/// What a node does instead of answering as it should.
#[derive(Clone, Debug)]
pub(super) enum Do {
    /// Answers as it should: a place in a script.
    Well,
    Fail(NodeError),
    /// Never answers.
    Hang,
    /// Answers as it should, this much later.
    After(Duration),
    /// Returns other bytes, or a receipt of another node.
    Lie,
    Propose(ProposeError),
    Execute(ExecuteError),
    Read(ReadError),
    Query(QueryError),
    /// Says that this node leads.
    NotLeader(Option<NodeId>),
    /// Applies the write, and fails.
    ApplyThen(NodeError),
}

/// What the replicas of all groups agree on.
#[derive(Debug, Default)]
pub(super) struct Agreed {
    pub(super) leader: Option<NodeId>,
    /// At which index each request was applied.
    pub(super) applied: BTreeMap<RequestId, u64>,
    /// How often any request was applied anew.
    pub(super) index: u64,
}

/// A node in memory that follows a script.
#[derive(Debug)]
pub(super) struct Fake {
    pub(super) id: NodeId,
    clock: Arc<dyn Clock>,
    pub(super) map: Mutex<Option<ClusterMap>>,
    pub(super) chunks: Mutex<BTreeMap<ChunkId, Bytes>>,
    agreed: Arc<Mutex<Agreed>>,
    scripts: Mutex<BTreeMap<Call, (VecDeque<Do>, Do)>>,
    calls: Mutex<Vec<Call>>,
    /// Calls that have not ended.
    pub(super) under_way: Arc<AtomicUsize>,
}

struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Fake {
    pub(super) fn new(
        id: NodeId,
        clock: Arc<dyn Clock>,
        map: ClusterMap,
        agreed: Arc<Mutex<Agreed>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            clock,
            map: Mutex::new(Some(map)),
            chunks: Mutex::default(),
            agreed,
            scripts: Mutex::default(),
            calls: Mutex::default(),
            under_way: Arc::default(),
        })
    }

    /// From now on it does this at such calls.
    pub(super) fn always(&self, calls: &[Call], what: Do) {
        for call in calls {
            self.script(*call, [], what.clone());
        }
    }

    /// It does these at the next such calls, and then `rest`.
    pub(super) fn script(&self, call: Call, first: impl IntoIterator<Item = Do>, rest: Do) {
        let script = (first.into_iter().collect(), rest);
        self.scripts.lock().unwrap().insert(call, script);
    }

    /// Nothing reaches it.
    pub(super) fn cut_off(&self) {
        let all = [
            Call::Presence,
            Call::Store,
            Call::Fetch,
            Call::Propose,
            Call::Read,
            Call::Execute,
            Call::Query,
            Call::Map,
        ];
        self.always(&all, Do::Fail(NodeError::Unreachable { node: self.id }));
    }

    /// How often it was asked this since the last time.
    pub(super) fn take_calls(&self, call: Call) -> usize {
        let mut calls = self.calls.lock().unwrap();
        let before = calls.len();
        calls.retain(|made| *made != call);
        before - calls.len()
    }

    pub(super) fn has(&self, chunk: ChunkId) -> bool {
        self.chunks.lock().unwrap().contains_key(&chunk)
    }

    pub(super) fn keep(&self, bytes: &Bytes) {
        self.chunks
            .lock()
            .unwrap()
            .insert(ChunkId::of(bytes), bytes.clone());
    }

    /// Follows the script up to the answer; what is left to do with it.
    async fn begin(&self, call: Call) -> Result<Do, NodeError> {
        self.calls.lock().unwrap().push(call);
        self.under_way.fetch_add(1, Ordering::Relaxed);
        let _under_way = UnderWay(Arc::clone(&self.under_way));
        let next = match self.scripts.lock().unwrap().get_mut(&call) {
            Some((first, rest)) => first.pop_front().unwrap_or_else(|| rest.clone()),
            None => Do::Well,
        };
        match next {
            Do::Fail(error) => Err(error),
            Do::Hang => std::future::pending().await,
            Do::After(time) => {
                self.clock.sleep(time).await;
                Ok(Do::Well)
            }
            other => Ok(other),
        }
    }

    fn receipt(&self, session: &Session, what: &Do) -> Receipt {
        let lies = u64::from(matches!(what, Do::Lie));
        Receipt {
            node: NodeId(self.id.0 + lies),
            incarnation: Incarnation(7),
            epoch: session.epoch,
            generation: session.generation,
            domain: session.domain,
        }
    }

    fn check(&self, session: &Session) -> Result<(), NodeError> {
        let map = self.map.lock().unwrap();
        match &*map {
            Some(map) if session.generation < map.generation => Err(NodeError::SessionExpired),
            _ => Ok(()),
        }
    }

    /// Applies a write unless it was applied before; where it is.
    fn apply(&self, id: RequestId) -> u64 {
        let mut agreed = self.agreed.lock().unwrap();
        if let Some(index) = agreed.applied.get(&id) {
            return *index;
        }
        agreed.index += 1;
        let index = agreed.index;
        agreed.applied.insert(id, index);
        index
    }

    fn lead<E: std::error::Error + 'static>(
        &self,
        id: RequestId,
        what: Do,
    ) -> Result<u64, NodeFailure<E>> {
        match what {
            Do::NotLeader(leader) => return Err(NodeFailure::NotLeader { leader }),
            Do::ApplyThen(error) => {
                self.apply(id);
                return Err(NodeFailure::Node(error));
            }
            _ => {}
        }
        let leader = self.agreed.lock().unwrap().leader;
        if leader == Some(self.id) {
            Ok(self.apply(id))
        } else {
            Err(NodeFailure::NotLeader { leader })
        }
    }
}

#[async_trait]
impl Node for Fake {
    async fn presence(&self, session: &Session, chunks: &[ChunkId]) -> Result<Presence, NodeError> {
        let what = self.begin(Call::Presence).await?;
        self.check(session)?;
        Ok(Presence {
            receipt: self.receipt(session, &what),
            held: chunks.iter().map(|chunk| self.has(*chunk)).collect(),
        })
    }

    async fn store(&self, session: &Session, chunks: Vec<Chunk>) -> Result<Receipt, NodeError> {
        let what = self.begin(Call::Store).await?;
        self.check(session)?;
        for chunk in chunks {
            if ChunkId::of(&chunk.bytes) != chunk.id {
                return Err(NodeError::Mismatch { chunk: chunk.id });
            }
            self.keep(&chunk.bytes);
        }
        Ok(self.receipt(session, &what))
    }

    async fn fetch(
        &self,
        _: DedupDomain,
        chunks: &[ChunkRef],
    ) -> Result<Vec<Option<Bytes>>, NodeError> {
        let what = self.begin(Call::Fetch).await?;
        let kept = self.chunks.lock().unwrap();
        let bytes = |chunk: &ChunkRef| {
            let bytes = kept.get(&chunk.id)?;
            match what {
                Do::Lie => Some(bytes.iter().map(|byte| byte ^ 1).collect()),
                _ => Some(bytes.clone()),
            }
        };
        Ok(chunks.iter().map(bytes).collect())
    }

    async fn propose(
        &self,
        group: GroupId,
        request: Request,
    ) -> Result<Committed, NodeFailure<ProposeError>> {
        let what = self.begin(Call::Propose).await.map_err(NodeFailure::Node)?;
        if let Do::Propose(error) = what {
            return Err(NodeFailure::Failed(error));
        }
        let index = self.lead(request.id, what)?;
        Ok(Committed {
            token: Token { group, index },
            reply: Reply::Done,
        })
    }

    async fn read(
        &self,
        _: GroupId,
        _: ReadPoint,
        _: Query,
    ) -> Result<Answer, NodeFailure<ReadError>> {
        match self.begin(Call::Read).await.map_err(NodeFailure::Node)? {
            Do::Read(error) => Err(NodeFailure::Failed(error)),
            Do::NotLeader(leader) => Err(NodeFailure::NotLeader { leader }),
            // Says who answered.
            _ => Ok(Answer::StateHash {
                index: self.id.0,
                hash: [0; 32],
            }),
        }
    }

    async fn query(&self, _: ReadPoint, _: Statement) -> Result<Rows, NodeFailure<QueryError>> {
        match self.begin(Call::Query).await.map_err(NodeFailure::Node)? {
            Do::Query(error) => Err(NodeFailure::Failed(error)),
            _ => Ok(Rows {
                rows: Vec::new(),
                changed: self.id.0,
            }),
        }
    }

    async fn execute(&self, batch: Batch) -> Result<Executed, NodeFailure<ExecuteError>> {
        let what = self.begin(Call::Execute).await.map_err(NodeFailure::Node)?;
        if let Do::Execute(error) = what {
            return Err(NodeFailure::Failed(error));
        }
        let index = self.lead(batch.id, what)?;
        Ok(Executed {
            token: Token {
                group: METADATA_GROUP,
                index,
            },
            results: Vec::new(),
        })
    }

    async fn map(&self) -> Result<ClusterMap, NodeError> {
        self.begin(Call::Map).await?;
        let map = self.map.lock().unwrap().clone();
        map.ok_or(NodeError::Silent { node: self.id })
    }

    async fn status(&self) -> Result<NodeStatus, NodeError> {
        Err(NodeError::Silent { node: self.id })
    }
}
