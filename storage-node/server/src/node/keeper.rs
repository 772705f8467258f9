//! Keeps the groups in line with the cluster map: each data group adopts the
//! newest map, and every node of the map becomes a voter of every group.
//!
//! All of it is idempotent and done by whoever leads, so that a crash at any
//! point is finished by the next leader.

use std::sync::{Arc, Weak};
use std::time::Duration;

use raft::{Group, Peer};
use storage_node_api::map::{CLUSTER_GROUP, ClusterMap, METADATA_GROUP};
use storage_node_api::node::Node;
use storage_node_api::order::{Answer, Command, Query, Reply, Request};
use storage_node_api::{GroupId, NodeId, RequestId};
use storage_node_machine::query;

use super::StorageNode;
use crate::start::Addresses;

/// How often the groups are held against the map when nothing calls for it.
const LOOK: Duration = Duration::from_millis(500);

/// How long the first commits of a new cluster may take.
const FOUND_DEADLINE: Duration = Duration::from_secs(30);
/// The pause before a new group is asked again.
const ELECTION_POLL: Duration = Duration::from_millis(20);

/// Why the first node of a cluster could not found it.
#[derive(Debug, thiserror::Error)]
pub enum FoundError {
    /// A group could not be initialised.
    #[error("found the cluster")]
    Initialize(#[from] raft::InitializeError),
    /// The first map could not be committed.
    #[error("found the cluster: its first map was not committed")]
    Commit,
}

impl StorageNode {
    /// Makes this node the only voter of all groups and commits the first map.
    /// Repeated after a crash, it goes on where it was.
    pub(crate) async fn found(&self, map: ClusterMap) -> Result<(), FoundError> {
        let own = map
            .node(self.id())
            .map(|node| node.control.clone())
            .unwrap_or_default();
        let voters = [(raft::NodeId(self.id().0), Peer { address: own })];
        let ids = [CLUSTER_GROUP, METADATA_GROUP]
            .into_iter()
            .chain(map.groups.iter().map(|range| range.group));
        for id in ids {
            if let Some(group) = self.group(id) {
                group.initialize(voters.clone().into()).await?;
            }
        }
        let groups: Vec<GroupId> = map.groups.iter().map(|range| range.group).collect();
        self.commit_first(CLUSTER_GROUP, Command::Found(map.clone()))
            .await?;
        for id in groups {
            self.commit_first(id, Command::AdoptMap(map.clone()))
                .await?;
        }
        Ok(())
    }

    /// Commits to a group that has yet to elect its only voter.
    async fn commit_first(&self, group: GroupId, command: Command) -> Result<(), FoundError> {
        let clock = &self.parts.runtime.clock;
        let began = clock.monotonic();
        loop {
            match self.commit(group, command.clone()).await {
                Some(Reply::Done) => return Ok(()),
                Some(_) => return Err(FoundError::Commit),
                None if clock.monotonic() - began > FOUND_DEADLINE => {
                    return Err(FoundError::Commit);
                }
                None => clock.sleep(ELECTION_POLL).await,
            }
        }
    }

    pub(super) async fn commit(&self, group: GroupId, command: Command) -> Option<Reply> {
        let request = self.request(command);
        self.propose(group, request)
            .await
            .ok()
            .map(|committed| committed.reply)
    }

    pub(super) fn request(&self, command: Command) -> Request {
        Request {
            id: RequestId::random(&*self.parts.runtime.random),
            time: self.parts.runtime.clock.now(),
            command,
        }
    }
}

/// Looks at every change of the map, and from time to time.
pub(super) async fn run(node: Weak<StorageNode>) {
    loop {
        let Some(strong) = node.upgrade() else { return };
        strong.keep().await;
        let mut map = strong.parts.map.subscribe();
        let clock = Arc::clone(&strong.parts.runtime.clock);
        drop(strong);
        tokio::select! {
            _ = map.changed() => {}
            () = clock.sleep(LOOK) => {}
        }
    }
}

impl StorageNode {
    async fn keep(&self) {
        let Some(map) = self.current_map() else {
            return;
        };
        self.announce(&map).await;
        let own = Some(raft::NodeId(self.id().0));
        let led: Vec<_> = self
            .groups()
            .into_iter()
            .filter(|(_, group)| group.leader() == own)
            .collect();
        for (id, _) in &led {
            if *id != CLUSTER_GROUP && *id != METADATA_GROUP {
                self.keep_map(*id, &map).await;
                self.keep_barrier(*id, &map).await;
            }
        }
        // Last, because it waits for nodes that may not be there.
        for (_, group) in &led {
            self.keep_voters(group, &map).await;
        }
        if led.iter().any(|(id, _)| *id == CLUSTER_GROUP) {
            self.keep_version(&map).await;
            self.drive_cycles(&map).await;
        }
    }

    /// Tells the cluster of this start, until the map shows it.
    async fn announce(&self, map: &ClusterMap) {
        let Some(known) = map.node(self.id()) else {
            return;
        };
        let own = (self.parts.incarnation, &self.parts.addresses);
        let addresses = Addresses {
            control: known.control.clone(),
            bulk: known.bulk.clone(),
        };
        if (known.incarnation, &addresses) == own {
            return;
        }
        let started = Command::Started {
            node: self.id(),
            incarnation: self.parts.incarnation,
            control: self.parts.addresses.control.clone(),
            bulk: self.parts.addresses.bulk.clone(),
        };
        let leader = self.group(CLUSTER_GROUP).and_then(|group| group.leader());
        match leader.and_then(|leader| map.node(NodeId(leader.0))) {
            Some(leader) if leader.id == self.id() => {
                // A failure is taken up again at the next look.
                let _ = self.commit(CLUSTER_GROUP, started).await;
            }
            Some(leader) => {
                let request = self.request(started);
                let _ = self
                    .parts
                    .peers
                    .node(leader)
                    .propose(CLUSTER_GROUP, request)
                    .await;
            }
            // A replica that is not a member yet knows no leader: one of the others may lead.
            None => {
                let request = self.request(started);
                for node in map.nodes.iter().filter(|node| is_peer(self.id(), node)) {
                    let _ = self
                        .parts
                        .peers
                        .node(node)
                        .propose(CLUSTER_GROUP, request.clone())
                        .await;
                }
            }
        }
    }

    async fn keep_map(&self, id: GroupId, map: &ClusterMap) {
        let adopted = self.view(id).and_then(|view| query(&view, &Query::Map));
        let current = match adopted {
            Ok(Answer::Map(adopted)) => adopted.is_some_and(|adopted| adopted.epoch >= map.epoch),
            _ => return,
        };
        if !current {
            // A failure is taken up again at the next look.
            let _ = self.commit(id, Command::AdoptMap(map.clone())).await;
        }
    }

    async fn keep_voters(&self, group: &Group, map: &ClusterMap) {
        let voters = group.status().voters;
        for node in &map.nodes {
            let id = raft::NodeId(node.id.0);
            if voters.contains_key(&id) || node.control.is_empty() {
                continue;
            }
            let peer = Peer {
                address: node.control.clone(),
            };
            match group.add_voter(id, peer).await {
                Ok(()) => tracing::info!(
                    node.id = node.id.0,
                    group.id = group.id().0,
                    "added a voter"
                ),
                Err(error) => {
                    tracing::info!(node.id = node.id.0, group.id = group.id().0, %error, "a voter is not added yet");
                    return;
                }
            }
        }
    }
}

/// The node that a map names for an id, if it is another than this one.
pub(super) fn is_peer(own: NodeId, node: &storage_node_api::map::Node) -> bool {
    node.id != own && !node.bulk.is_empty()
}
