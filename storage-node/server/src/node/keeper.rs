//! Keeps the groups in line with the cluster map: each data group adopts the
//! newest map, gets the replicas that the map wants ([`super::replicas`]), and nodes
//! that leave come to an end ([`super::members`]).
//!
//! All of it is idempotent and done by whoever leads, so that a crash at any
//! point is finished by the next leader.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use raft::{Group, Peer};
use storage_node_api::map::{CLUSTER_GROUP, ClusterMap, HIBERNATION_VERSION, METADATA_GROUP};
use storage_node_api::node::Node;
use storage_node_api::order::{Answer, Command, Committed, Query, Refusal, Reply, Request};
use storage_node_api::{Generation, GroupId, MapEpoch, NodeId, RequestId};
use storage_node_machine::query;

use super::StorageNode;
use super::refuse::rolled_back;
use crate::start::Addresses;

/// How often the groups are held against the map when nothing calls for it.
const LOOK: Duration = Duration::from_millis(500);

/// After so many looks the others are asked for the map, even if nothing calls for it.
const LOOKS_PER_QUESTION: u64 = 16;

/// The pause after a step that another may follow at once.
const STEP_PAUSE: Duration = Duration::from_millis(20);

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

/// What a look at a group has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// It is as the map wants it, until either changes.
    InLine,
    /// Something is to be tried again, or cannot be told.
    NotYet,
    /// More is to be done soon.
    More,
}

/// The map's epoch and generation, and how far a group was, when it was in line.
pub(super) type Seen = (MapEpoch, Generation, Option<u64>);

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
    for look in 0_u64.. {
        let Some(strong) = node.upgrade() else { return };
        let stepped = strong.keep(look).await;
        let mut map = strong.parts.map.subscribe();
        let clock = Arc::clone(&strong.parts.runtime.clock);
        if strong.has_ended() {
            return;
        }
        drop(strong);
        let pause = if stepped { STEP_PAUSE } else { LOOK };
        tokio::select! {
            _ = map.changed() => {}
            () = clock.sleep(pause) => {}
        }
    }
}

impl StorageNode {
    /// One look; whether more is to be done soon.
    async fn keep(&self, look: u64) -> bool {
        let Some(map) = self.current_map() else {
            return false;
        };
        if map.machine_version >= HIBERNATION_VERSION {
            self.parts.raft.allow_hibernation();
        }
        self.fence(&map);
        self.keep_format(&map);
        self.check_own(&map).await;
        if self.has_ended() {
            return false;
        }
        let own = Some(raft::NodeId(self.id().0));
        let cluster = self.group(CLUSTER_GROUP);
        // Who was removed as a learner is told nothing by a log any more, nor does it ask.
        let is_alone = cluster.is_none_or(|group| group.leader().is_none());
        let is_going = map.node(self.id()).is_none_or(|node| node.draining);
        let doubts = is_alone || is_going || self.parts.raft.is_removed();
        if doubts || look % LOOKS_PER_QUESTION == LOOKS_PER_QUESTION - 1 {
            self.ask_for_map(&map).await;
        }
        self.announce(&map).await;
        self.keep_groups(&map).await;
        let led: Vec<_> = self
            .groups()
            .into_iter()
            .filter(|(_, group)| group.leader() == own)
            .collect();
        let mut stepped = false;
        for (id, group) in &led {
            if *id != CLUSTER_GROUP && *id != METADATA_GROUP {
                stepped |= self.keep_data_group(*id, group, &map).await == Kept::More;
            }
        }
        for (id, group) in &led {
            stepped |= self.keep_replicas(*id, group, &map).await;
        }
        if led.iter().any(|(id, _)| *id == CLUSTER_GROUP) {
            self.keep_version(&map).await;
            self.drive_moves(&map).await;
            self.drive_cycles(&map).await;
            self.keep_members(&map).await;
        }
        stepped
    }

    /// What a data group has to do with the map. It is looked at again when either has changed,
    /// or when something was left to be done.
    async fn keep_data_group(&self, id: GroupId, group: &Group, map: &ClusterMap) -> Kept {
        let seen = (map.epoch, map.generation, group.status().applied);
        if self.in_line().get(&id) == Some(&seen) {
            return Kept::InLine;
        }
        let is_current = self.keep_map(id, map).await;
        let has_told = self.keep_barrier(id, map).await;
        let kept = match self.keep_slots(id, map).await {
            Kept::InLine if !is_current || !has_told => Kept::NotYet,
            kept => kept,
        };
        if kept == Kept::InLine {
            self.in_line().insert(id, seen);
        }
        kept
    }

    fn in_line(&self) -> MutexGuard<'_, BTreeMap<GroupId, Seen>> {
        let in_line = self.in_line.lock();
        in_line.unwrap_or_else(PoisonError::into_inner)
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
        let request = self.request(started);
        let leader = leader.and_then(|leader| map.node(NodeId(leader.0)));
        // A failure is taken up again at the next look.
        let reply = match leader {
            Some(leader) if leader.id == self.id() => {
                self.propose(CLUSTER_GROUP, request).await.ok()
            }
            Some(leader) => self.announce_to(leader, request).await,
            // A replica that is not a member yet knows no leader: one of the others may lead.
            None => {
                let mut reply = None;
                for node in map.nodes.iter().filter(|node| is_peer(self.id(), node)) {
                    reply = self.announce_to(node, request.clone()).await.or(reply);
                }
                reply
            }
        };
        if let Some(Reply::Refused(Refusal::RolledBack {
            node,
            known,
            claimed,
        })) = reply.map(|committed| committed.reply)
        {
            self.refuse(rolled_back(node, known.0, claimed.0)).await;
        }
    }

    async fn announce_to(
        &self,
        node: &storage_node_api::map::Node,
        request: Request,
    ) -> Option<Committed> {
        let link = self.parts.peers.node(node);
        link.propose(CLUSTER_GROUP, request).await.ok()
    }

    /// Whether the group had adopted the map already.
    async fn keep_map(&self, id: GroupId, map: &ClusterMap) -> bool {
        let adopted = self.view(id).and_then(|view| query(&view, &Query::Map));
        let current = match adopted {
            Ok(Answer::Map(adopted)) => adopted.is_some_and(|adopted| adopted.epoch >= map.epoch),
            _ => return false,
        };
        if !current {
            // A failure is taken up again at the next look.
            let _ = self.commit(id, Command::AdoptMap(map.clone())).await;
        }
        current
    }
}

/// The node that a map names for an id, if it is another than this one.
pub(super) fn is_peer(own: NodeId, node: &storage_node_api::map::Node) -> bool {
    node.id != own && !node.bulk.is_empty()
}
