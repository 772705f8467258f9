//! Getting a write to the leader of its group, and an answer back.

use std::collections::BTreeMap;
use std::future::Future;
use std::ops::ControlFlow;
use std::sync::{Arc, MutexGuard, PoisonError};

use storage_node_api::map::{CLUSTER_GROUP, ClusterMap};
use storage_node_api::node::{Node, NodeError, NodeFailure};
use storage_node_api::{GroupId, NodeId};

use super::attempts::{Attempts, Next, WriteError};
use super::client::Client;
use super::pace::Deadline;
use super::search::Search;

impl Client {
    /// Sends one write to the leader of its group, again and again until there
    /// is an answer or no time is left. `send` must carry the same id each
    /// time, so that the group answers a repetition with the first result.
    pub(super) async fn commit<T, E, F>(
        &self,
        group_of: impl Fn(&ClusterMap) -> GroupId + Send + Sync,
        send: impl Fn(Arc<dyn Node>, GroupId) -> F + Send + Sync,
    ) -> Result<T, E>
    where
        E: WriteError + Send,
        F: Future<Output = Result<T, NodeFailure<E>>> + Send,
        T: Send,
    {
        let deadline = self.deadline();
        let mut backoff = self.backoff();
        let mut attempts = Attempts::new();
        // Until there is a map, it is the cluster group that cannot be read.
        let mut group = CLUSTER_GROUP;
        loop {
            if let Some(map) = self.maps.current(&deadline).await {
                group = group_of(&map);
                let round = self.round(&map, group, &send, &deadline, &mut attempts);
                if let ControlFlow::Break(result) = round.await {
                    return result;
                }
            }
            if !backoff.pause(&deadline).await {
                return Err(attempts.give_up(group));
            }
        }
    }

    /// Asks each node once at most, the one that is thought to lead first.
    async fn round<T, E, F>(
        &self,
        map: &ClusterMap,
        group: GroupId,
        send: &(impl Fn(Arc<dyn Node>, GroupId) -> F + Send + Sync),
        deadline: &Deadline,
        attempts: &mut Attempts<E>,
    ) -> ControlFlow<Result<T, E>>
    where
        E: WriteError + Send,
        F: Future<Output = Result<T, NodeFailure<E>>> + Send,
        T: Send,
    {
        let leader = self.leaders().get(&group).copied();
        let mut search = Search::new(self.nearest(map), leader);
        while let Some(id) = search.next() {
            let Some(node) = self.link(map, id) else {
                continue;
            };
            if deadline.left().is_zero() {
                break;
            }
            let sent = deadline.within(self.config.patience, send(node, group));
            let failure = match sent.await {
                Some(Ok(answer)) => {
                    self.leaders().insert(group, id);
                    return ControlFlow::Break(Ok(answer));
                }
                Some(Err(failure)) => failure,
                None => NodeFailure::Node(NodeError::Silent { node: id }),
            };
            tracing::debug!(group.id = group.0, node.id = id.0, error = %failure, "a write failed");
            let does_not_lead = matches!(
                failure,
                NodeFailure::NotLeader { .. } | NodeFailure::Node(_)
            );
            if does_not_lead {
                let mut leaders = self.leaders();
                if leaders.get(&group) == Some(&id) {
                    leaders.remove(&group);
                }
            }
            match attempts.failed(group, failure) {
                Next::End(error) => return ControlFlow::Break(Err(error)),
                Next::Elsewhere(Some(leader)) => {
                    if map.node(leader).is_none() {
                        self.maps.outdated();
                    }
                    search.hint(leader);
                }
                Next::Elsewhere(None) => {}
                Next::Pause => return ControlFlow::Continue(()),
            }
        }
        self.maps.doubt();
        ControlFlow::Continue(())
    }

    pub(super) fn leaders(&self) -> MutexGuard<'_, BTreeMap<GroupId, NodeId>> {
        self.leaders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
