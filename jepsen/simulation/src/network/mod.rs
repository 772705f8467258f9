//! The network between nodes and clients, and what goes wrong in it.
//!
//! Each message goes its own way: it takes its own time, so that messages
//! overtake each other, and is lost or doubled by chance, or for certain where
//! the way is cut. What a process sends or is sent after its end is nothing.

mod links;
mod peers;
mod remote;
mod state;

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use runtime::{Random, SeededRandom};
use storage_node_api::NodeId;
use storage_node_server::StorageNode;
use tokio::sync::oneshot;

use crate::mutation::Mutation;
use crate::trace::Trace;

pub use links::SimulatedLinks;
pub use peers::SimulatedPeers;
use state::State;
pub use state::{Endpoint, Weather};

/// After how long a caller that got no answer gives up by itself.
const CALL_TIMEOUT: Duration = Duration::from_secs(6);

/// The network. Clones share it.
#[derive(Clone)]
pub struct Network {
    state: Arc<Mutex<State>>,
    random: Arc<SeededRandom>,
    trace: Trace,
}

/// A process as the sender of messages: nothing of it travels after its end.
#[derive(Clone, Copy, Debug)]
pub struct Sender {
    endpoint: Endpoint,
    life: u64,
}

/// A call without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// It was certainly not delivered.
    Unsent,
    /// It may have been.
    Silent,
}

impl Network {
    /// A network without processes, on which all goes well.
    pub fn new(seed: u64, trace: Trace) -> Self {
        Self {
            state: Arc::default(),
            random: Arc::new(SeededRandom::new(seed)),
            trace,
        }
    }

    /// From now on this rule is broken here, if it is one of the network's.
    pub fn break_rule(&self, mutation: Option<Mutation>) {
        self.state().broken = mutation;
    }

    fn broken(&self) -> Option<Mutation> {
        self.state().broken
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next process at an endpoint: what an earlier one sends is lost.
    pub fn begin(&self, endpoint: Endpoint) -> Sender {
        let life = self.state().begin(endpoint);
        Sender { endpoint, life }
    }

    /// A node takes messages from now on.
    pub fn connect(&self, node: &Arc<StorageNode>) {
        self.state().nodes.insert(node.id(), Arc::clone(node));
    }

    /// Ends a node's process; returns what it was.
    pub fn disconnect(&self, node: NodeId) -> Option<Arc<StorageNode>> {
        let mut state = self.state();
        state.begin(Endpoint::Node(node));
        state.nodes.remove(&node)
    }

    /// The nodes that run.
    pub fn running(&self) -> Vec<Arc<StorageNode>> {
        self.state().nodes.values().cloned().collect()
    }

    /// Sets how messages fare on all ways.
    pub fn weather(&self, weather: Weather) {
        self.state().weather = weather;
    }

    /// Lets nothing pass from one endpoint to another; the other direction is
    /// not touched.
    pub fn cut(&self, from: Endpoint, to: Endpoint) {
        self.state().cut.insert((from, to));
    }

    /// All that one endpoint sends, or is sent, takes up to so much longer.
    pub fn slow(&self, endpoint: Endpoint, by: Duration) {
        self.state().slow.insert(endpoint, by);
    }

    /// All ways are open and quick.
    pub fn heal(&self) {
        let mut state = self.state();
        state.cut.clear();
        state.slow.clear();
        state.weather = Weather::default();
    }

    /// How long a message takes on its way, or nothing if it does not arrive.
    fn passage(&self, from: Endpoint, to: Endpoint) -> Option<Duration> {
        self.state().passage(from, to, &*self.random)
    }

    fn lives(&self, sender: Sender) -> bool {
        self.state().lives.get(&sender.endpoint) == Some(&sender.life)
    }

    /// Brings a call to a node and its answer back. `run` may run twice, and
    /// may run although the caller is told that nothing came back, or has gone
    /// away.
    async fn call<T, F>(
        &self,
        from: Sender,
        to: NodeId,
        what: String,
        run: impl Fn(Arc<StorageNode>) -> F + Clone + Send + 'static,
    ) -> Result<T, Lost>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send,
    {
        if !self.lives(from) {
            return Err(Lost::Unsent);
        }
        let way = self.passage(from.endpoint, Endpoint::Node(to));
        self.trace.event(format_args!(
            "{} to node {to}: {what}{}",
            from.endpoint,
            if way.is_some() { "" } else { ", lost" }
        ));
        let Some(way) = way else {
            // A connection may be refused at once, or a message vanish.
            if self.random.below(2) == 0 {
                tokio::time::sleep(Duration::from_millis(self.random.below(10))).await;
                return Err(Lost::Unsent);
            }
            tokio::time::sleep(CALL_TIMEOUT).await;
            return Err(Lost::Silent);
        };
        if self.state().is_doubled(&*self.random) {
            let way = way + Duration::from_millis(self.random.below(200));
            let again = self.deliver(from, to, way, run.clone());
            tokio::spawn(async move { drop(again.await) });
        }
        let (answer, answered) = oneshot::channel();
        let delivered = self.deliver(from, to, way, run);
        // It goes on when the caller has gone away, as a message does.
        tokio::spawn(async move { drop(answer.send(delivered.await)) });
        match tokio::time::timeout(CALL_TIMEOUT, answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(Lost::Silent),
        }
    }

    fn deliver<T, F>(
        &self,
        from: Sender,
        to: NodeId,
        way: Duration,
        run: impl Fn(Arc<StorageNode>) -> F + Send + 'static,
    ) -> impl Future<Output = Result<T, Lost>> + Send + 'static
    where
        T: Send + 'static,
        F: Future<Output = T> + Send,
    {
        let network = self.clone();
        async move {
            tokio::time::sleep(way).await;
            let (node, life) = network.state().node(to);
            let Some(node) = node else {
                return Err(Lost::Unsent);
            };
            let answer = run(node).await;
            let back = network.passage(Endpoint::Node(to), from.endpoint);
            let Some(back) = back else {
                tokio::time::sleep(CALL_TIMEOUT).await;
                return Err(Lost::Silent);
            };
            if network.state().node(to).1 != life {
                return Err(Lost::Silent);
            }
            tokio::time::sleep(back).await;
            if network.lives(from) {
                Ok(answer)
            } else {
                Err(Lost::Silent)
            }
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").finish_non_exhaustive()
    }
}
