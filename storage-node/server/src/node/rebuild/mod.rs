//! Builds replicas anew whose state was found wrong, was lost, or whose machine has stopped.
//!
//! The state comes whole from another node's replica, beside the old one, and takes its place in
//! one step; the log and the vote stay where they are. So the replica needs not leave the group
//! for it: it is silent meanwhile, like a node that is away, and when it speaks again it knows all
//! that it has promised. What was committed after the copy was made is in its log or comes from
//! the leader. A crash at any point leaves the old state, which is still distrusted, or the new
//! one, which is then copied once more.
//!
//! A store whose files are damaged is beyond this, since what is damaged comes up again when the
//! store moves it: the node ends, and its next start sets the store aside and begins with an
//! empty one. So is a damaged log, which no other node can give back: such a node is replaced.

mod copies;
mod metrics;
mod order;
mod state;

use std::sync::{Arc, Weak};
use std::time::Duration;

use raft::{Fault, SnapshotWrite};
use runtime::run_blocking;
use storage_node_api::map::{ClusterMap, METADATA_GROUP, Node as Peer};
use storage_node_api::node::NodeFailure;
use storage_node_api::rebuild::{ReplicaError, ReplicaOrder, ReplicaPart, Stage};
use storage_node_api::{GroupId, NodeId};

use super::StorageNode;
use super::keeper::is_peer;
use super::scrub::chain;
use crate::directory::{Distrusted, SetAside};

pub(crate) use copies::Copies;
pub(crate) use metrics::Metrics;
pub(crate) use state::Rebuilds;

/// How often it looks for replicas that have stopped.
const LOOK: Duration = Duration::from_secs(1);

/// Why a replica was not rebuilt now. The old state is as it was, or the new one is there and not
/// served yet.
#[derive(Debug, thiserror::Error)]
enum RebuildFailure {
    /// Nobody can be asked.
    #[error(
        "no other node has a replica that can be copied: bring one back, or restore from a backup"
    )]
    NoSource,
    /// The other node gave up.
    #[error("copy from node {from}: {error}")]
    Copy {
        from: NodeId,
        error: NodeFailure<ReplicaError>,
    },
    /// It answered something else.
    #[error("copy from node {from}: it answered out of order")]
    Order { from: NodeId },
    /// The own store failed.
    #[error("write the copied state")]
    Write(#[from] Fault),
    /// The copy is wrong too.
    #[error("the copy from node {from}: {reason}")]
    Wrong { from: NodeId, reason: String },
    /// The copy does not fit the log.
    #[error("open the copied replica")]
    Open(#[from] raft::OpenError),
    /// The node is ending.
    #[error("the node is shutting down")]
    Ending,
}

pub(super) async fn run(node: Weak<StorageNode>) {
    loop {
        let Some(strong) = node.upgrade() else { return };
        if strong.has_ended() {
            return;
        }
        strong.find_stopped().await;
        strong.check_store().await;
        let clock = Arc::clone(&strong.parts.runtime.clock);
        let rebuilds = Arc::clone(&strong.parts.rebuilds);
        if let Some(group) = rebuilds.next(clock.monotonic()) {
            if let Err(failure) = strong.rebuild(group).await {
                let why = chain(&failure);
                tracing::warn!(group.id = group.0, %why, "a replica is not rebuilt yet");
                rebuilds.failed(group, why, clock.monotonic());
            }
            continue;
        }
        drop(strong);
        tokio::select! {
            () = clock.sleep(LOOK) => {}
            () = rebuilds.woken() => {}
        }
    }
}

impl StorageNode {
    /// Takes a replica out of service until it is rebuilt.
    pub(super) async fn take_out(&self, group: GroupId, reason: String) {
        // Before it is closed, so that nobody opens it again.
        self.parts.rebuilds.add(group, reason);
        self.parts.raft.close(raft::GroupId(group.0)).await;
    }

    /// Replicas that have stopped by themselves do not start again: what made them stop is in
    /// their state, or in what they know of it.
    async fn find_stopped(&self) {
        for (id, group) in self.groups() {
            if let Some(fault) = group.status().fault
                && !self.parts.raft.is_shut_down()
            {
                tracing::error!(group.id = id.0, %fault, "a replica has stopped");
                self.take_out(id, format!("it has stopped: {fault}")).await;
            }
        }
    }

    /// Ends the node if its store of states is damaged and others have what is in it.
    async fn check_store(&self) {
        let map = self.current_map();
        let others = map.is_some_and(|map| map.nodes.iter().any(|node| is_peer(self.id(), node)));
        if !self.parts.state.is_damaged() || !others {
            return;
        }
        if let Err(error) = SetAside::State.order(&*self.parts.files) {
            tracing::error!(%error, "cannot remember that the store of states is damaged");
            return;
        }
        self.end_damaged().await;
    }

    async fn rebuild(self: &Arc<Self>, group: GroupId) -> Result<(), RebuildFailure> {
        let map = self.current_map().ok_or(RebuildFailure::NoSource)?;
        let mut failure = RebuildFailure::NoSource;
        for peer in self.sources(group, &map).await {
            match self.rebuild_from(group, &peer).await {
                Ok(()) => return Ok(()),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// The other nodes that answer: the group's leader first, then whoever says to have the group.
    async fn sources(&self, group: GroupId, map: &ClusterMap) -> Vec<Peer> {
        let mut sources = Vec::new();
        let mut leader = None;
        for peer in map.nodes.iter().filter(|node| is_peer(self.id(), node)) {
            if let Ok(report) = self.parts.peers.node(peer).members().await {
                let found = report.groups.iter().find(|found| found.group == group);
                leader = found.and_then(|found| found.leader).or(leader);
                sources.push((found.is_none(), peer.clone()));
            }
        }
        sources.sort_by_key(|(lacks, peer)| (Some(peer.id) != leader, *lacks));
        sources.into_iter().map(|(_, peer)| peer).collect()
    }

    async fn rebuild_from(
        self: &Arc<Self>,
        group: GroupId,
        peer: &Peer,
    ) -> Result<(), RebuildFailure> {
        let from = peer.id;
        let rebuilds = &self.parts.rebuilds;
        rebuilds.at(group, Stage::Copying { from, bytes: 0 });
        self.copy_from(group, peer).await?;
        rebuilds.at(group, Stage::Opening);
        let checked = if group == METADATA_GROUP {
            self.check_facts().await
        } else {
            self.check_state(group).await
        };
        checked.map_err(|reason| RebuildFailure::Wrong { from, reason })?;
        let machine = self.parts.machines.of(group);
        self.parts
            .raft
            .open(raft::GroupId(group.0), machine)
            .await?;
        self.trust(group).await;
        tracing::info!(group.id = group.0, node.id = from.0, "rebuilt a replica");
        rebuilds.done(group);
        Ok(())
    }

    /// Puts a copy of the other node's state in the place of this node's.
    async fn copy_from(&self, group: GroupId, peer: &Peer) -> Result<(), RebuildFailure> {
        let from = peer.id;
        let link = self.parts.peers.node(peer);
        let failed = |error| RebuildFailure::Copy { from, error };
        let opened = link.replica(ReplicaOrder::Open(group)).await;
        let ReplicaPart::Opened { copy, marker } = opened.map_err(failed)? else {
            return Err(RebuildFailure::Order { from });
        };
        let machines = self.parts.machines.clone();
        let begin = move || machines.of(group).begin_install();
        let mut writing = self.blocking("begin to copy a replica", begin).await?;
        let mut bytes = 0;
        loop {
            let part = link.replica(ReplicaOrder::Next(copy)).await;
            let part = match part.map_err(failed)? {
                ReplicaPart::Bytes(part) => part,
                ReplicaPart::End => break,
                ReplicaPart::Opened { .. } => return Err(RebuildFailure::Order { from }),
            };
            bytes += part.len() as u64;
            self.parts.rebuilds.copied(part.len() as u64);
            let rebuilds = &self.parts.rebuilds;
            rebuilds.at(group, Stage::Copying { from, bytes });
            let write = move || writing.part(part).map(|()| writing);
            writing = self.blocking("copy a replica", write).await?;
        }
        let finish = move || SnapshotWrite::finish(writing, marker);
        self.blocking("finish the copy of a replica", finish).await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, RebuildFailure> {
        let done = run_blocking(&*self.parts.runtime.tasks, what, work).await;
        Ok(done.map_err(|_| RebuildFailure::Ending)??)
    }

    /// The replica is not among those any more that a later start leaves closed.
    async fn trust(&self, group: GroupId) {
        let files = Arc::clone(&self.parts.files);
        let keep = move || {
            let mut list = Distrusted::load(&*files)?;
            let before = list.0.len();
            list.0.retain(|known| known.group != group);
            if list.0.len() == before {
                return Ok(());
            }
            list.save(&*files)
        };
        let kept = run_blocking(&*self.parts.runtime.tasks, "trust a replica", keep).await;
        if let Ok(Err(error)) = kept {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "the next start will rebuild the replica once more");
        }
        self.parts.scrubbing.trust(group);
    }
}
