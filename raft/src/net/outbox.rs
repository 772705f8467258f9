//! Messages waiting for a peer.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use runtime::{Runtime, TaskHandle};
use tokio::sync::{mpsc, oneshot};

use super::message::{Answer, Message};
use super::peers::{PeerError, PeerRequest, Peers};
use crate::limits::{FLIGHTS_PER_LANE, MAX_FLIGHT_BYTES, MAX_FLIGHT_MESSAGES, PEER_QUEUE_MESSAGES};
use crate::{GroupId, Metrics, NodeId};

/// Messages that may wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    /// Beats of the node, which wait for nothing.
    Beats,
    /// Heartbeats and votes: answered at once.
    Signals,
    /// Entries: answered when they are synced.
    Entries,
    /// Questions for a read point: answered after a round to a quorum.
    Reads,
    /// Snapshots: answered when a part, or all of it, is on disk.
    Snapshots,
}

/// A message that got no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum SendFailed {
    #[error(transparent)]
    Peer(#[from] PeerError),
    #[error("reach {to}: too many messages are waiting for it")]
    Full { to: NodeId },
    #[error("reach {to}: this node is shutting down")]
    Closed { to: NodeId },
}

/// How long a peer may take to respond.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    pub(crate) signal: Duration,
    pub(crate) exchange: Duration,
    pub(crate) snapshot: Duration,
}

/// The outboxes of all peers.
pub(crate) struct Outboxes {
    from: NodeId,
    peers: Arc<dyn Peers>,
    runtime: Runtime,
    timeouts: Timeouts,
    metrics: Metrics,
    open: Mutex<Option<BTreeMap<(NodeId, Lane), Outbox>>>,
    /// A peer has answered that this node was removed from the cluster.
    removed: AtomicBool,
}

struct Outbox {
    queue: mpsc::Sender<Envelope>,
    task: TaskHandle,
}

struct Envelope {
    group: GroupId,
    address: Arc<str>,
    message: Message,
    reply: oneshot::Sender<Result<Answer, SendFailed>>,
}

impl fmt::Debug for Outboxes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outboxes({})", self.from)
    }
}

impl Outboxes {
    pub(crate) fn new(
        from: NodeId,
        peers: Arc<dyn Peers>,
        runtime: Runtime,
        timeouts: Timeouts,
        metrics: Metrics,
    ) -> Self {
        Self {
            from,
            peers,
            runtime,
            timeouts,
            metrics,
            open: Mutex::new(Some(BTreeMap::new())),
            removed: AtomicBool::new(false),
        }
    }

    /// Whether a peer has answered that this node was removed from the cluster.
    pub(crate) fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Relaxed)
    }

    /// Sends one message and waits for its answer, for a bounded time.
    pub(crate) async fn send(
        &self,
        to: NodeId,
        address: &Arc<str>,
        lane: Lane,
        group: GroupId,
        message: Message,
    ) -> Result<Answer, SendFailed> {
        let (reply, answer) = oneshot::channel();
        let envelope = Envelope {
            group,
            address: address.clone(),
            message,
            reply,
        };
        let queue = self.queue(to, lane).ok_or(SendFailed::Closed { to })?;
        self.metrics.messages.inc();
        let sent = queue.try_send(envelope).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SendFailed::Full { to },
            mpsc::error::TrySendError::Closed(_) => SendFailed::Closed { to },
        });
        let result = match sent {
            Ok(()) => answer.await.unwrap_or(Err(SendFailed::Closed { to })),
            Err(failed) => Err(failed),
        };
        match &result {
            Ok(Answer::Removed) => self.removed.store(true, Ordering::Relaxed),
            Ok(_) => {}
            Err(_) => {
                self.metrics.messages_failed.inc();
            }
        }
        result
    }

    /// Stops sending; what waits gets no answer.
    pub(crate) fn close(&self) {
        let open = self.lock().take();
        for outbox in open.into_iter().flat_map(BTreeMap::into_values) {
            outbox.task.abort();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<BTreeMap<(NodeId, Lane), Outbox>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self, to: NodeId, lane: Lane) -> Option<mpsc::Sender<Envelope>> {
        let mut open = self.lock();
        let outbox = open.as_mut()?.entry((to, lane)).or_insert_with(|| {
            let (queue, waiting) = mpsc::channel(PEER_QUEUE_MESSAGES);
            let courier = Courier {
                from: self.from,
                to,
                waiting,
                peers: self.peers.clone(),
                runtime: self.runtime.clone(),
                timeout: match lane {
                    Lane::Beats | Lane::Signals => self.timeouts.signal,
                    Lane::Entries | Lane::Reads => self.timeouts.exchange,
                    Lane::Snapshots => self.timeouts.snapshot,
                },
                metrics: self.metrics.clone(),
            };
            let task = self
                .runtime
                .tasks
                .spawn("raft-outbox", Box::pin(courier.run()));
            Outbox { queue, task }
        });
        Some(outbox.queue.clone())
    }
}

/// Takes what is waiting and sends it.
struct Courier {
    from: NodeId,
    to: NodeId,
    waiting: mpsc::Receiver<Envelope>,
    peers: Arc<dyn Peers>,
    runtime: Runtime,
    timeout: Duration,
    metrics: Metrics,
}

impl Courier {
    /// Everything happens in this one task, so that a flight costs no task of its own.
    async fn run(mut self) {
        let mut flights = FuturesUnordered::new();
        loop {
            // With all flights under way, messages gather and leave together.
            if flights.len() >= FLIGHTS_PER_LANE {
                flights.next().await;
                continue;
            }
            let first = if flights.is_empty() {
                self.waiting.recv().await
            } else {
                match select(pin!(self.waiting.recv()), flights.next()).await {
                    Either::Left((first, _)) => first,
                    Either::Right(_) => continue,
                }
            };
            let Some(first) = first else {
                return;
            };
            let flight = self.fill(first);
            flights.push(self.fly(flight));
        }
    }

    fn fill(&mut self, first: Envelope) -> Vec<Envelope> {
        let mut bytes = first.message.size_bytes();
        let mut flight = vec![first];
        while flight.len() < MAX_FLIGHT_MESSAGES
            && bytes < MAX_FLIGHT_BYTES
            && let Ok(next) = self.waiting.try_recv()
        {
            bytes += next.message.size_bytes();
            flight.push(next);
        }
        flight
    }

    fn fly(&self, flight: Vec<Envelope>) -> impl Future<Output = ()> + Send + use<> {
        let (to, after) = (self.to, self.timeout);
        let peers = self.peers.clone();
        let clock = self.runtime.clock.clone();
        let address = flight.last().map(|last| last.address.clone());
        let mut messages = Vec::with_capacity(flight.len());
        let mut replies = Vec::with_capacity(flight.len());
        for envelope in flight {
            messages.push((envelope.group, envelope.message));
            replies.push(envelope.reply);
        }
        let request = PeerRequest {
            from: self.from,
            to,
            messages,
        };
        self.metrics.flights.inc();
        async move {
            let address = address.unwrap_or_default();
            let sending = peers.send(to, &address, request);
            let response = match select(sending, clock.sleep(after)).await {
                Either::Left((response, _)) => response,
                Either::Right(((), _)) => Err(PeerError::Timeout { to, after }),
            };
            let answers = response.and_then(|response| {
                let (found, asked) = (response.answers.len(), replies.len());
                if found == asked {
                    return Ok(response.answers);
                }
                let reason = format!("{found} answers to {asked} messages");
                Err(PeerError::BadResponse { to, reason })
            });
            // Whoever does not wait any more has dropped its receiver.
            match answers {
                Ok(answers) => {
                    for (reply, answer) in replies.into_iter().zip(answers) {
                        let _ = reply.send(Ok(answer));
                    }
                }
                Err(error) => {
                    for reply in replies {
                        let _ = reply.send(Err(error.clone().into()));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use async_trait::async_trait;
    use futures_util::future::join_all;

    use super::*;
    use crate::PeerResponse;

    /// Answers every message with its group's number, slowly; or wrongly; or never.
    #[derive(Debug, Default)]
    struct Slow {
        flights: AtomicUsize,
    }

    #[async_trait]
    impl Peers for Slow {
        async fn send(
            &self,
            to: NodeId,
            _address: &str,
            request: PeerRequest,
        ) -> Result<PeerResponse, PeerError> {
            self.flights.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(20)).await;
            match to {
                NodeId(8) => std::future::pending().await,
                NodeId(9) => Ok(PeerResponse { answers: vec![] }),
                _ => Ok(PeerResponse {
                    answers: request
                        .messages
                        .iter()
                        .map(|(group, _)| Answer::ReadIndex(group.0))
                        .collect(),
                }),
            }
        }
    }

    fn outboxes() -> (Arc<Slow>, Outboxes) {
        let slow = Arc::new(Slow::default());
        let timeouts = Timeouts {
            signal: Duration::from_millis(100),
            exchange: Duration::from_millis(100),
            snapshot: Duration::from_millis(100),
        };
        let (runtime, metrics) = (Runtime::real(), Metrics::default());
        let outboxes = Outboxes::new(NodeId(1), slow.clone(), runtime, timeouts, metrics);
        (slow, outboxes)
    }

    async fn ask(outboxes: &Outboxes, to: u64, group: u64) -> Result<Answer, SendFailed> {
        let address = Arc::from("somewhere");
        let message = Message::ReadIndex;
        outboxes
            .send(NodeId(to), &address, Lane::Reads, GroupId(group), message)
            .await
    }

    #[tokio::test]
    async fn messages_of_many_groups_share_flights_and_find_their_answers() {
        let (slow, outboxes) = outboxes();
        let answers = join_all((0..500).map(|group| ask(&outboxes, 2, group))).await;
        for (group, answer) in (0..).zip(answers) {
            assert_eq!(answer.unwrap(), Answer::ReadIndex(group));
        }
        let flights = slow.flights.load(Ordering::Relaxed);
        assert!((2..=10).contains(&flights), "{flights} flights");
    }

    #[tokio::test]
    async fn silent_and_confused_peers_are_errors_and_closing_is_final() {
        let (_, outboxes) = outboxes();
        let silent = ask(&outboxes, 8, 1).await;
        assert!(matches!(
            silent,
            Err(SendFailed::Peer(PeerError::Timeout { .. }))
        ));
        let confused = ask(&outboxes, 9, 1).await;
        assert!(matches!(
            confused,
            Err(SendFailed::Peer(PeerError::BadResponse { .. }))
        ));
        outboxes.close();
        let closed = ask(&outboxes, 2, 1).await;
        assert!(matches!(closed, Err(SendFailed::Closed { .. })));
    }

    #[tokio::test]
    async fn a_queue_that_is_full_refuses_at_once() {
        let (_, outboxes) = outboxes();
        let many = PEER_QUEUE_MESSAGES + FLIGHTS_PER_LANE * MAX_FLIGHT_MESSAGES + 10;
        let answers = join_all((0..many as u64).map(|group| ask(&outboxes, 8, group))).await;
        let full = |answer: &Result<_, _>| matches!(answer, Err(SendFailed::Full { .. }));
        assert!(answers.iter().any(full));
        assert!(answers.iter().all(Result::is_err));
    }
}
