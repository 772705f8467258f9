//! Getting a write to the leader of its group, and an answer back.

use std::collections::BTreeMap;
use std::future::Future;
use std::ops::ControlFlow;
use std::sync::{Arc, MutexGuard, PoisonError};

use storage_node_api::map::{CLUSTER_GROUP, ClusterMap};
use storage_node_api::node::{Node, NodeFailure};
use storage_node_api::{GroupId, NodeId};

use super::attempts::{Attempts, Next, WriteError};
use super::calls::{Calls, Said};
use super::client::Client;
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
        let mut calls = Calls::new(&deadline, &self.config);
        // Until there is a map, it is the cluster group that cannot be read.
        let mut group = CLUSTER_GROUP;
        loop {
            if let Some(map) = self.maps.current(&deadline).await {
                group = group_of(&map);
                let round = self.round(&map, group, &send, &mut calls, &mut attempts);
                if let ControlFlow::Break(result) = round.await {
                    return result;
                }
            }
            let pause = match backoff.next(&deadline) {
                Some(pause) => pause,
                None if !calls.is_empty() && !calls.is_late() => deadline.left(),
                None => return Err(attempts.give_up(group)),
            };
            // Whoever was asked before may answer yet.
            if let Some(said) = calls.within(pause).await {
                attempts.others_out(!calls.is_empty());
                match self.hear(group, said, &mut attempts) {
                    ControlFlow::Break(result) => return result,
                    ControlFlow::Continue(_) => {}
                }
            }
        }
    }

    /// Asks each node that is not being asked already, the one that is thought
    /// to lead first.
    async fn round<'a, T, E, F>(
        &self,
        map: &ClusterMap,
        group: GroupId,
        send: &(impl Fn(Arc<dyn Node>, GroupId) -> F + Send + Sync),
        calls: &mut Calls<'a, T, E>,
        attempts: &mut Attempts<E>,
    ) -> ControlFlow<Result<T, E>>
    where
        E: WriteError + Send + 'a,
        F: Future<Output = Result<T, NodeFailure<E>>> + Send + 'a,
        T: Send + 'a,
    {
        let leader = self.leaders().get(&group).copied();
        let mut search = Search::new(self.nearest(map), leader).without(calls.nodes());
        while let Some(id) = search.next() {
            let Some(node) = self.link(map, id) else {
                continue;
            };
            if calls.is_late() {
                break;
            }
            calls.add(id, send(node, group));
            let said = calls.hedged().await;
            attempts.others_out(!calls.is_empty());
            let Some(said) = said else {
                self.does_not_lead(group, id);
                continue;
            };
            match self.hear(group, said, attempts) {
                ControlFlow::Break(result) => return ControlFlow::Break(result),
                ControlFlow::Continue(Next::Elsewhere(Some(leader))) => {
                    if map.node(leader).is_none() {
                        self.maps.outdated();
                    }
                    search.hint(leader);
                }
                ControlFlow::Continue(Next::Pause) => return ControlFlow::Continue(()),
                ControlFlow::Continue(_) => {}
            }
        }
        self.maps.doubt();
        ControlFlow::Continue(())
    }

    /// What an answer comes to: the end, or how to go on.
    fn hear<T, E: WriteError>(
        &self,
        group: GroupId,
        (id, said): Said<T, E>,
        attempts: &mut Attempts<E>,
    ) -> ControlFlow<Result<T, E>, Next<E>> {
        let failure = match said {
            Ok(answer) => {
                self.leaders().insert(group, id);
                return ControlFlow::Break(Ok(answer));
            }
            Err(failure) => failure,
        };
        tracing::debug!(group.id = group.0, node.id = id.0, error = %failure, "a write failed");
        if let NodeFailure::NotLeader { .. } | NodeFailure::Node(_) = failure {
            self.does_not_lead(group, id);
        }
        match attempts.failed(group, failure) {
            Next::End(error) => ControlFlow::Break(Err(error)),
            next => ControlFlow::Continue(next),
        }
    }

    /// Forgets that a node leads a group, if it is the one that is thought to.
    fn does_not_lead(&self, group: GroupId, id: NodeId) {
        let mut leaders = self.leaders();
        if leaders.get(&group) == Some(&id) {
            leaders.remove(&group);
        }
    }

    pub(super) fn leaders(&self) -> MutexGuard<'_, BTreeMap<GroupId, NodeId>> {
        self.leaders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
