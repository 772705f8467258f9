use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chunking::{Chunk, ChunkId, ChunkRef};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use runtime::Runtime;
use storage_node_api::content::{Receipt, Session};
use storage_node_api::limits::{CHUNK_BATCH, PUT_BATCH_BYTES};
use storage_node_api::node::{NodeError, Presence};
use storage_node_api::{DedupDomain, NodeId};
use tokio::sync::Notify;

use super::deadline::within;
use super::frame::Frame;
use super::link::{Broken, Link};
use super::metrics::Metrics;
use super::transport::Transport;
use super::wire::{self, Answer, Ask};
use super::{CONNECT_DEADLINE, MAX_CONNECTIONS, REDIAL_PAUSE, REQUEST_DEADLINE};

/// Parts of one large fetch that are under way at a time.
const FETCH_AHEAD: usize = 4;

/// The connections to one node's bulk listener: made when needed, kept, and made
/// again after they broke.
#[derive(Debug)]
pub struct Pool {
    node: NodeId,
    address: String,
    transport: Arc<dyn Transport>,
    runtime: Runtime,
    metrics: Metrics,
    links: Mutex<Links>,
    /// A connection came about, or did not.
    dialled: Notify,
}

#[derive(Debug, Default)]
struct Links {
    open: Vec<Arc<Link>>,
    /// Connections that are coming about.
    dialling: usize,
    /// Not to be tried before this time.
    not_before: Duration,
}

/// What to do for a connection.
enum Choice {
    Take(Arc<Link>),
    Dial,
    /// Until one of those that are coming about is there.
    Wait,
    Unreachable,
}

impl Pool {
    /// The connections to a node that listens at `address`.
    pub fn new(
        node: NodeId,
        address: impl Into<String>,
        transport: Arc<dyn Transport>,
        runtime: Runtime,
        metrics: Metrics,
    ) -> Self {
        Self {
            node,
            address: address.into(),
            transport,
            runtime,
            metrics,
            links: Mutex::default(),
            dialled: Notify::new(),
        }
    }

    /// Asks which chunks the node holds. At most
    /// [`CHUNK_BATCH`](storage_node_api::limits::CHUNK_BATCH).
    pub async fn presence(
        &self,
        session: &Session,
        chunks: &[ChunkId],
    ) -> Result<Presence, NodeError> {
        self.limit(chunks.len() <= CHUNK_BATCH)?;
        let ask = Ask::Presence {
            session: *session,
            chunks: chunks.to_vec(),
        };
        match self.ask(&ask, Vec::new()).await? {
            (Answer::Presence(Ok(presence)), _) if presence.held.len() != chunks.len() => {
                Err(self.silent())
            }
            (Answer::Presence(presence), _) => presence,
            _ => Err(self.silent()),
        }
    }

    /// Stores chunks at the node. At most
    /// [`PUT_BATCH_BYTES`](storage_node_api::limits::PUT_BATCH_BYTES).
    pub async fn store(&self, session: &Session, chunks: &[Chunk]) -> Result<Receipt, NodeError> {
        let bytes: usize = chunks.iter().map(|chunk| chunk.bytes.len()).sum();
        self.limit(chunks.len() <= CHUNK_BATCH && bytes <= PUT_BATCH_BYTES)?;
        let refs = chunks.iter().map(|chunk| ChunkRef {
            id: chunk.id,
            length: u32::try_from(chunk.bytes.len()).unwrap_or(u32::MAX),
        });
        let ask = Ask::Store {
            session: *session,
            chunks: refs.collect(),
        };
        let payload = chunks.iter().map(|chunk| chunk.bytes.clone()).collect();
        match self.ask(&ask, payload).await? {
            (Answer::Store(receipt), _) => receipt,
            _ => Err(self.silent()),
        }
    }

    /// Fetches chunks from the node, in requests that are each within the limits.
    /// At most [`CHUNK_BATCH`](storage_node_api::limits::CHUNK_BATCH). Nothing is
    /// verified.
    pub async fn fetch(
        &self,
        domain: DedupDomain,
        chunks: &[ChunkRef],
    ) -> Result<Vec<Option<Bytes>>, NodeError> {
        let fits = |chunk: &ChunkRef| chunk.length as usize <= PUT_BATCH_BYTES;
        self.limit(chunks.len() <= CHUNK_BATCH && chunks.iter().all(fits))?;
        let fetch = |part| self.fetch_part(domain, part).boxed();
        let parts: Vec<BoxFuture<'_, _>> = split(chunks).into_iter().map(fetch).collect();
        let mut parts = stream::iter(parts).buffered(FETCH_AHEAD);
        let mut fetched = Vec::with_capacity(chunks.len());
        while let Some(part) = parts.next().await {
            fetched.extend(part?);
        }
        Ok(fetched)
    }

    async fn fetch_part(
        &self,
        domain: DedupDomain,
        chunks: &[ChunkRef],
    ) -> Result<Vec<Option<Bytes>>, NodeError> {
        let ask = Ask::Fetch {
            domain,
            chunks: chunks.to_vec(),
        };
        let (held, payload) = match self.ask(&ask, Vec::new()).await? {
            (Answer::Fetch(held), payload) => (held?, payload),
            _ => return Err(self.silent()),
        };
        if held.len() != chunks.len() {
            return Err(self.silent());
        }
        let there = chunks.iter().zip(&held).filter(|(_, held)| **held);
        let lengths = there.map(|(chunk, _)| chunk.length);
        let pieces = wire::cut(payload, lengths).map_err(|_| self.silent())?;
        let mut pieces = pieces.into_iter();
        let fetched = held.into_iter().map(|held| pieces.next_if_held(held));
        Ok(fetched.collect())
    }

    /// Asks on some connection, within the deadline. All requests may be
    /// repeated, so one that meets a connection which has just broken is asked
    /// once more on another.
    async fn ask(&self, ask: &Ask, payload: Vec<Bytes>) -> Result<(Answer, Bytes), NodeError> {
        self.metrics.requests.inc();
        let sent: usize = payload.iter().map(Bytes::len).sum();
        let mut used = None;
        let attempts = async {
            for _ in 0..2 {
                let link = self.link().await?;
                used = Some(Arc::clone(&link));
                match link.ask(ask, payload.clone()).await {
                    Ok(frame) => return self.open(frame),
                    Err(Broken) => {
                        self.metrics.connection_errors.inc();
                        link.retire();
                    }
                }
            }
            Err(self.silent())
        };
        let answer = within(&self.runtime, REQUEST_DEADLINE, attempts).await;
        let answer = answer.unwrap_or_else(|| {
            // A connection that let a request wait so long is not trusted again.
            if let Some(link) = &used {
                link.retire();
            }
            Err(self.silent())
        });
        match &answer {
            Ok((_, received)) => {
                self.metrics.sent_bytes.inc_by(sent as u64);
                self.metrics.received_bytes.inc_by(received.len() as u64);
            }
            Err(_) => {
                self.metrics.request_errors.inc();
            }
        }
        answer
    }

    fn open(&self, frame: Frame) -> Result<(Answer, Bytes), NodeError> {
        let answer = wire::decode(&frame.message).map_err(|_| self.silent())?;
        let payload = frame.payload.into_iter().next().unwrap_or_default();
        Ok((answer, payload))
    }

    /// The connection with the least to do, or a new one.
    async fn link(&self) -> Result<Arc<Link>, NodeError> {
        loop {
            let dialled = self.dialled.notified();
            match self.choose() {
                Choice::Take(link) => return Ok(link),
                Choice::Unreachable => return Err(self.unreachable()),
                Choice::Dial => return self.dial().await,
                Choice::Wait => dialled.await,
            }
        }
    }

    async fn dial(&self) -> Result<Arc<Link>, NodeError> {
        let dialling = Dialling(self);
        let connect = self.transport.connect(&self.address);
        let connected = within(&self.runtime, CONNECT_DEADLINE, connect).await;
        let timed_out = || Err(std::io::ErrorKind::TimedOut.into());
        let dialled = match connected.unwrap_or_else(timed_out) {
            Ok(stream) => {
                let link = Link::new(stream, &self.runtime, self.metrics.clone());
                let link = Arc::new(link);
                self.links().open.push(Arc::clone(&link));
                Ok(link)
            }
            Err(error) => {
                tracing::debug!(node.id = %self.node, address = self.address, %error,
                    "a node cannot be reached for chunks");
                self.metrics.connection_errors.inc();
                self.links().not_before = self.runtime.clock.monotonic() + REDIAL_PAUSE;
                Err(self.unreachable())
            }
        };
        drop(dialling);
        dialled
    }

    fn choose(&self) -> Choice {
        let now = self.runtime.clock.monotonic();
        let mut links = self.links();
        links.open.retain(|link| !link.is_closed());
        let least = links.open.iter().min_by_key(|link| link.load());
        let room = links.open.len() + links.dialling < MAX_CONNECTIONS;
        match least {
            Some(link) if link.load() == 0 || !room || now < links.not_before => {
                Choice::Take(Arc::clone(link))
            }
            _ if now < links.not_before => Choice::Unreachable,
            _ if !room => Choice::Wait,
            _ => {
                links.dialling += 1;
                Choice::Dial
            }
        }
    }

    fn links(&self) -> MutexGuard<'_, Links> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn limit(&self, within: bool) -> Result<(), NodeError> {
        let node = self.node;
        if within {
            Ok(())
        } else {
            Err(NodeError::Malformed { node })
        }
    }

    fn silent(&self) -> NodeError {
        NodeError::Silent { node: self.node }
    }

    fn unreachable(&self) -> NodeError {
        NodeError::Unreachable { node: self.node }
    }
}

/// A connection that is coming about, until it is there or given up.
struct Dialling<'a>(&'a Pool);

impl Drop for Dialling<'_> {
    fn drop(&mut self) {
        let mut links = self.0.links();
        links.dialling = links.dialling.saturating_sub(1);
        drop(links);
        self.0.dialled.notify_waiters();
    }
}

trait NextIfHeld {
    fn next_if_held(&mut self, held: bool) -> Option<Bytes>;
}

impl<I: Iterator<Item = Bytes>> NextIfHeld for I {
    fn next_if_held(&mut self, held: bool) -> Option<Bytes> {
        if held { self.next() } else { None }
    }
}

/// Parts whose bytes are each within one frame.
fn split(chunks: &[ChunkRef]) -> Vec<&[ChunkRef]> {
    let mut parts = Vec::new();
    let (mut from, mut bytes) = (0, 0);
    for (at, chunk) in chunks.iter().enumerate() {
        let length = chunk.length as usize;
        if bytes + length > PUT_BATCH_BYTES {
            parts.push(&chunks[from..at]);
            (from, bytes) = (at, 0);
        }
        bytes += length;
    }
    parts.push(&chunks[from..]);
    parts.retain(|part| !part.is_empty());
    parts
}
