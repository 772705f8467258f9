//! The calls of one operation that have had no answer yet.

use std::collections::BTreeSet;
use std::error::Error;
use std::future::Future;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use storage_node_api::NodeId;
use storage_node_api::node::{NodeError, NodeFailure};

use super::config::Checked;
use super::pace::Deadline;

/// What a node said.
pub(super) type Said<T, E> = (NodeId, Result<T, NodeFailure<E>>);

/// At most one call to each node.
///
/// A node that takes long is not given up: others are asked as well, and
/// whoever answers first is right. So a node that is slow costs no second
/// attempt, and one that is silent costs no more than `storage.hedge`.
pub(super) struct Calls<'a, T, E: Error + 'static> {
    out: FuturesUnordered<BoxFuture<'a, Said<T, E>>>,
    nodes: BTreeSet<NodeId>,
    deadline: &'a Deadline,
    /// How long each call may take.
    patience: Duration,
    /// How long the newest call may take before another node is asked as well.
    hedge: Duration,
}

impl<'a, T: Send + 'a, E: Error + Send> Calls<'a, T, E> {
    /// No calls yet, of an operation that ends by the deadline.
    pub(super) fn new(deadline: &'a Deadline, config: &Checked) -> Self {
        Self {
            out: FuturesUnordered::new(),
            nodes: BTreeSet::new(),
            deadline,
            patience: config.patience,
            hedge: config.hedge.min(config.patience),
        }
    }

    /// Calls a node. One that takes longer than the patience says
    /// [`NodeError::Silent`].
    pub(super) fn add(
        &mut self,
        node: NodeId,
        call: impl Future<Output = Result<T, NodeFailure<E>>> + Send + 'a,
    ) {
        let (deadline, patience) = (self.deadline, self.patience);
        self.nodes.insert(node);
        let call = async move {
            let silent = NodeFailure::Node(NodeError::Silent { node });
            let said = deadline.within(patience, call).await;
            (node, said.unwrap_or(Err(silent)))
        };
        self.out.push(call.boxed());
    }

    /// What the next node to answer says; nothing once it is time to ask another.
    pub(super) async fn hedged(&mut self) -> Option<Said<T, E>> {
        self.within(self.hedge).await
    }

    /// What the next node to answer says; nothing if none does in this time, all
    /// of which is waited for also when no call is out.
    pub(super) async fn within(&mut self, time: Duration) -> Option<Said<T, E>> {
        let next = async {
            match self.out.next().await {
                Some(said) => said,
                None => std::future::pending().await,
            }
        };
        let (node, said) = self.deadline.within(time, next).await?;
        self.nodes.remove(&node);
        Some((node, said))
    }

    /// The nodes that have not answered.
    pub(super) fn nodes(&self) -> &BTreeSet<NodeId> {
        &self.nodes
    }

    /// Whether the deadline has passed.
    pub(super) fn is_late(&self) -> bool {
        self.deadline.left().is_zero()
    }

    /// Whether every call was answered.
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}
