use std::io;
use std::sync::Arc;

use bytes::Bytes;
use chunking::{Chunk, ChunkRef};
use runtime::Runtime;
use storage_node_api::limits::{CHUNK_BATCH, PUT_BATCH_BYTES};
use storage_node_api::node::{Node, NodeError};
use storage_node_api::{DedupDomain, NodeId};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::deadline::within;
use super::frame::{self, Frame, FrameError};
use super::metrics::Metrics;
use super::transport::{Listener, Stream};
use super::wire::{self, Answer, Ask};
use super::{FRAME_DEADLINE, IDLE, MAX_PIPELINED, MAX_SERVED, REDIAL_PAUSE};

/// Answers for a node, whose id is `id`, whoever connects to a listener, until it
/// is told to stop. Requests that are then under way are finished.
pub async fn serve(
    mut listener: Box<dyn Listener>,
    id: NodeId,
    node: Arc<dyn Node>,
    runtime: Runtime,
    metrics: Metrics,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(MAX_SERVED));
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            let place = place.map_err(io::Error::other)?;
            listener.accept().await.map(|stream| (stream, place))
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((stream, place)) => {
                let connection = Connection {
                    id,
                    node: Arc::clone(&node),
                    runtime: runtime.clone(),
                    metrics: metrics.clone(),
                    stop: stop.clone(),
                };
                let serve = async move {
                    connection.serve(stream).await;
                    drop(place);
                };
                runtime.tasks.spawn("serve bulk", Box::pin(serve));
            }
            Err(error) => {
                tracing::warn!(%error, "a bulk connection could not be accepted");
                runtime.clock.sleep(REDIAL_PAUSE).await;
            }
        }
    }
    drop(listener);
    // Each connection gives its place back when it has ended.
    drop(places.acquire_many(MAX_SERVED as u32).await);
}

#[derive(Clone)]
struct Connection {
    id: NodeId,
    node: Arc<dyn Node>,
    runtime: Runtime,
    metrics: Metrics,
    stop: CancellationToken,
}

/// An answer, and its place among the requests under way until it is written.
type Reply = (Frame, OwnedSemaphorePermit);

impl Connection {
    async fn serve(self, stream: Stream) {
        self.metrics.connections.inc();
        let (replies, queue) = mpsc::channel(MAX_PIPELINED);
        let broken = CancellationToken::new();
        let write = write(stream.writer, queue, self.runtime.clone(), broken.clone());
        let writing = self.runtime.tasks.spawn("bulk replies", Box::pin(write));
        let read = self.read(stream.reader, replies);
        let ended = tokio::select! {
            ended = read => ended,
            () = broken.cancelled() => Ok(()),
        };
        if let Err(error) = ended {
            self.metrics.connection_errors.inc();
            tracing::debug!(peer = %stream.peer, error = &error as &dyn std::error::Error,
                "a bulk connection ended");
        }
        // Ends once the last request under way has been answered.
        drop(writing.join().await);
        self.metrics.connections.dec();
    }

    /// Takes requests one after the other, each answered on its own.
    async fn read(
        &self,
        mut reader: Box<dyn AsyncRead + Send + Unpin>,
        replies: mpsc::Sender<Reply>,
    ) -> Result<(), FrameError> {
        let turns = Arc::new(Semaphore::new(MAX_PIPELINED));
        let late = || FrameError::Io(io::ErrorKind::TimedOut.into());
        loop {
            let turn = Arc::clone(&turns).acquire_owned().await;
            let turn = turn.map_err(|error| FrameError::Io(io::Error::other(error)))?;
            let begin = within(&self.runtime, IDLE, frame::read_prefix(&mut reader));
            let prefix = tokio::select! {
                () = self.stop.cancelled() => return Ok(()),
                prefix = begin => prefix,
            };
            let Some(Some(prefix)) = prefix.transpose()? else {
                return Ok(());
            };
            let rest = frame::read_rest(&mut reader, prefix);
            let frame = within(&self.runtime, FRAME_DEADLINE, rest).await;
            let frame = frame.ok_or_else(late)??;
            let number = wire::number(&frame.message).map_err(|_| FrameError::NotAFrame)?;
            let (connection, replies) = (self.clone(), replies.clone());
            let answer = async move {
                let reply = connection.answer(number, frame).await;
                // Nobody writes once the connection is broken.
                drop(replies.send((reply, turn)).await);
            };
            self.runtime.tasks.spawn("bulk request", Box::pin(answer));
        }
    }

    async fn answer(&self, number: u64, frame: Frame) -> Frame {
        self.metrics.requests.inc();
        self.metrics.in_flight.inc();
        self.metrics
            .received_bytes
            .inc_by(frame.payload_bytes() as u64);
        let (answer, payload) = self.ask(frame).await;
        let message = wire::encode(number, &answer).unwrap_or_default();
        let reply = Frame { message, payload };
        self.metrics.sent_bytes.inc_by(reply.payload_bytes() as u64);
        self.metrics.in_flight.dec();
        reply
    }

    async fn ask(&self, frame: Frame) -> (Answer, Vec<Bytes>) {
        let node = self.id;
        let malformed = NodeError::Malformed { node };
        match wire::decode(&frame.message) {
            Ok(Ask::Presence { session, chunks }) => {
                let presence = if chunks.len() <= CHUNK_BATCH {
                    self.node.presence(&session, &chunks).await
                } else {
                    Err(malformed)
                };
                (Answer::Presence(presence), Vec::new())
            }
            Ok(Ask::Store { session, chunks }) => {
                let receipt = match take(&chunks, frame.payload) {
                    Some(chunks) => self.node.store(&session, chunks).await,
                    None => Err(malformed),
                };
                (Answer::Store(receipt), Vec::new())
            }
            Ok(Ask::Fetch { domain, chunks }) => self.fetch(domain, &chunks).await,
            // The kind of request is not known, so that of the answer is not either.
            Err(_) => (Answer::Fetch(Err(malformed)), Vec::new()),
        }
    }

    async fn fetch(&self, domain: DedupDomain, chunks: &[ChunkRef]) -> (Answer, Vec<Bytes>) {
        let node = self.id;
        let bytes: u64 = chunks.iter().map(|chunk| u64::from(chunk.length)).sum();
        if chunks.len() > CHUNK_BATCH || bytes > PUT_BATCH_BYTES as u64 {
            let malformed = NodeError::Malformed { node };
            return (Answer::Fetch(Err(malformed)), Vec::new());
        }
        match self.node.fetch(domain, chunks).await {
            Ok(mut fetched) => {
                fetched.resize(chunks.len(), None);
                let right = |(bytes, chunk): (Option<Bytes>, &ChunkRef)| {
                    bytes.filter(|bytes| bytes.len() == chunk.length as usize)
                };
                let fetched: Vec<Option<Bytes>> =
                    fetched.into_iter().zip(chunks).map(right).collect();
                let held = fetched.iter().map(Option::is_some).collect();
                (
                    Answer::Fetch(Ok(held)),
                    fetched.into_iter().flatten().collect(),
                )
            }
            Err(error) => (Answer::Fetch(Err(error)), Vec::new()),
        }
    }
}

/// The chunks in a payload, if it consists of exactly those.
fn take(chunks: &[ChunkRef], payload: Vec<Bytes>) -> Option<Vec<Chunk>> {
    if chunks.len() > CHUNK_BATCH {
        return None;
    }
    let payload = payload.into_iter().next().unwrap_or_default();
    let pieces = wire::cut(payload, chunks.iter().map(|chunk| chunk.length)).ok()?;
    let chunks = chunks.iter().zip(pieces);
    Some(
        chunks
            .map(|(chunk, bytes)| Chunk {
                id: chunk.id,
                bytes,
            })
            .collect(),
    )
}

async fn write(
    mut writer: Box<dyn AsyncWrite + Send + Unpin>,
    mut replies: mpsc::Receiver<Reply>,
    runtime: Runtime,
    broken: CancellationToken,
) {
    while let Some((frame, turn)) = replies.recv().await {
        let written = within(&runtime, FRAME_DEADLINE, frame::write(&mut writer, &frame)).await;
        if !matches!(written, Some(Ok(()))) {
            tracing::debug!("a bulk answer could not be written");
            break;
        }
        drop(turn);
    }
    broken.cancel();
}
