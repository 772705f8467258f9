//! Reading from the nearest replica that can answer.

use std::error::Error;
use std::future::Future;
use std::ops::ControlFlow;
use std::sync::Arc;

use storage_node_api::map::{CLUSTER_GROUP, ClusterMap};
use storage_node_api::node::{Node, NodeError, NodeFailure};
use storage_node_api::{GroupId, NodeId};

use super::client::Client;
use super::pace::Deadline;
use super::search::Search;

/// What a replica's error says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replied {
    /// It is what every replica would say.
    Answer,
    /// It cannot show that it is fresh enough; another may, or it may later.
    NotFresh,
    /// Something is wrong with this replica; another may do.
    Broken,
}

/// An error of a read from a replica.
pub(super) trait ReplicaError: Error + Sized + 'static {
    fn replied(&self) -> Replied;
    /// No replica answered.
    fn unavailable(group: GroupId) -> Self;
}

/// What went wrong in a round that gave no answer.
#[derive(Debug)]
struct Round<E> {
    /// The last error of a broken replica.
    broken: Option<E>,
    /// Whether nothing but broken replicas was met, so that waiting is no use.
    only_broken: bool,
}

impl Client {
    /// Asks the nearest node, then the others, round after round, until one
    /// answers or no time is left. Every node of the map has a replica of every
    /// group.
    pub(super) async fn read_nearest<T, E, F>(
        &self,
        group_of: impl Fn(&ClusterMap) -> GroupId + Send + Sync,
        ask: impl Fn(Arc<dyn Node>, GroupId) -> F + Send + Sync,
    ) -> Result<T, E>
    where
        E: ReplicaError + Send,
        F: Future<Output = Result<T, NodeFailure<E>>> + Send,
        T: Send,
    {
        let deadline = self.deadline();
        let mut backoff = self.backoff();
        let mut broken = None;
        let mut group = CLUSTER_GROUP;
        loop {
            if let Some(map) = self.maps.current(&deadline).await {
                group = group_of(&map);
                match self.ask_each(&map, group, &ask, &deadline).await {
                    ControlFlow::Break(result) => return result,
                    ControlFlow::Continue(round) => match round.broken {
                        Some(error) if round.only_broken => return Err(error),
                        error => broken = error.or(broken),
                    },
                }
            }
            if !backoff.pause(&deadline).await {
                return Err(broken.unwrap_or_else(|| E::unavailable(group)));
            }
        }
    }

    async fn ask_each<T, E, F>(
        &self,
        map: &ClusterMap,
        group: GroupId,
        ask: &(impl Fn(Arc<dyn Node>, GroupId) -> F + Send + Sync),
        deadline: &Deadline,
    ) -> ControlFlow<Result<T, E>, Round<E>>
    where
        E: ReplicaError + Send,
        F: Future<Output = Result<T, NodeFailure<E>>> + Send,
        T: Send,
    {
        let clock = &self.runtime.clock;
        let mut round = Round {
            broken: None,
            only_broken: true,
        };
        let mut search = Search::new(self.nearest(map), None);
        while let Some(id) = search.next() {
            let Some(node) = self.link(map, id) else {
                continue;
            };
            if deadline.left().is_zero() {
                break;
            }
            let began = clock.monotonic();
            let asked = deadline.within(self.config.patience, ask(node, group));
            let failure = match asked.await {
                Some(Ok(answer)) => {
                    let now = clock.monotonic();
                    self.replicas.answered(id, now.saturating_sub(began), now);
                    return ControlFlow::Break(Ok(answer));
                }
                Some(Err(failure)) => failure,
                None => NodeFailure::Node(NodeError::Silent { node: id }),
            };
            tracing::debug!(group.id = group.0, node.id = id.0, error = %failure, "a read failed");
            match failure {
                NodeFailure::Failed(error) => match error.replied() {
                    Replied::Answer => return ControlFlow::Break(Err(error)),
                    Replied::NotFresh => round.only_broken = false,
                    Replied::Broken => round.broken = Some(error),
                },
                NodeFailure::NotLeader { leader } => {
                    round.only_broken = false;
                    if let Some(leader) = leader {
                        search.hint(leader);
                    }
                }
                NodeFailure::Node(_) => round.only_broken = false,
            }
            self.replicas.failed(id, clock.monotonic());
        }
        self.maps.doubt();
        ControlFlow::Continue(round)
    }

    /// The nodes of the map, those that are likely to answer soonest first.
    pub(super) fn nearest(&self, map: &ClusterMap) -> Vec<NodeId> {
        let ranks = self.ranks(map, &self.replicas);
        let mut nodes: Vec<NodeId> = map.nodes.iter().map(|node| node.id).collect();
        nodes.sort_by_key(|node| ranks.get(node));
        nodes
    }
}
