//! Reading from the nearest replica that can answer.

use std::error::Error;
use std::future::Future;
use std::ops::ControlFlow;
use std::sync::Arc;

use storage_node_api::map::{CLUSTER_GROUP, ClusterMap};
use storage_node_api::node::{Node, NodeFailure};
use storage_node_api::{GroupId, NodeId};

use super::calls::Calls;
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

impl<E: ReplicaError> Round<E> {
    /// Takes a replica's failure, which may be the end.
    fn failed(&mut self, failure: NodeFailure<E>, search: &mut Search) -> ControlFlow<E> {
        match failure {
            NodeFailure::Failed(error) => match error.replied() {
                Replied::Answer => return ControlFlow::Break(error),
                Replied::NotFresh => self.only_broken = false,
                Replied::Broken => self.broken = Some(error),
            },
            NodeFailure::NotLeader { leader } => {
                self.only_broken = false;
                if let Some(leader) = leader {
                    search.hint(leader);
                }
            }
            NodeFailure::Node(_) => self.only_broken = false,
        }
        ControlFlow::Continue(())
    }
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
        let mut calls = Calls::new(deadline, &self.config);
        let mut search = Search::new(self.nearest(map), None);
        loop {
            let asked = search.next();
            match asked.and_then(|id| Some((id, self.link(map, id)?))) {
                _ if calls.is_late() => break,
                Some((id, node)) => {
                    let asked = ask(node, group);
                    calls.add(id, self.timed(id, asked));
                }
                None if asked.is_some() => continue,
                // Those that are late may yet answer.
                None if calls.is_empty() => break,
                None => {}
            }
            let Some((id, said)) = calls.hedged().await else {
                round.only_broken = false;
                if let Some(id) = asked {
                    self.replicas.failed(id, clock.monotonic());
                }
                continue;
            };
            let failure = match said {
                Ok(answer) => return ControlFlow::Break(Ok(answer)),
                Err(failure) => failure,
            };
            tracing::debug!(group.id = group.0, node.id = id.0, error = %failure, "a read failed");
            self.replicas.failed(id, clock.monotonic());
            if let ControlFlow::Break(error) = round.failed(failure, &mut search) {
                return ControlFlow::Break(Err(error));
            }
        }
        self.maps.doubt();
        ControlFlow::Continue(round)
    }

    /// A read whose time is remembered once it was answered.
    async fn timed<T, E: Error + 'static>(
        &self,
        id: NodeId,
        asked: impl Future<Output = Result<T, NodeFailure<E>>>,
    ) -> Result<T, NodeFailure<E>> {
        let clock = &self.runtime.clock;
        let began = clock.monotonic();
        let said = asked.await;
        if said.is_ok() {
            let now = clock.monotonic();
            self.replicas.answered(id, now.saturating_sub(began), now);
        }
        said
    }

    /// The nodes of the map, those that are likely to answer soonest first.
    pub(super) fn nearest(&self, map: &ClusterMap) -> Vec<NodeId> {
        let ranks = self.ranks(map, &self.replicas);
        let mut nodes: Vec<NodeId> = map.nodes.iter().map(|node| node.id).collect();
        nodes.sort_by_key(|node| ranks.get(node));
        nodes
    }
}
