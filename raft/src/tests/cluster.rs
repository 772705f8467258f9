//! Nodes in one process, over the network in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kv::{KeyValue, Memory};
use runtime::{Runtime, Survives};

use super::machine::{self, Journal};
use crate::memory::Network;
use crate::{Config, Effect, Group, GroupId, Metrics, NodeId, Peer, ProposeError, Raft};

/// The group that most tests use.
pub(crate) const GROUP: GroupId = GroupId(1);

/// Longest that a test waits for something to come about.
const PATIENCE: Duration = Duration::from_secs(20);

/// One node, its disks, and what it runs.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) log: Memory,
    pub(crate) states: BTreeMap<GroupId, Memory>,
    pub(crate) raft: Arc<Raft>,
    pub(crate) metrics: Metrics,
    pub(crate) journals: BTreeMap<GroupId, Journal>,
}

pub(crate) struct Cluster {
    pub(crate) network: Network,
    pub(crate) nodes: BTreeMap<NodeId, Node>,
    pub(crate) config: Config,
    pub(crate) hibernates: bool,
}

pub(crate) fn peer(node: NodeId) -> Peer {
    Peer {
        address: format!("memory-{}", node.0),
    }
}

pub(crate) fn members(nodes: impl IntoIterator<Item = u64>) -> BTreeMap<NodeId, Peer> {
    nodes
        .into_iter()
        .map(|node| (NodeId(node), peer(NodeId(node))))
        .collect()
}

impl Cluster {
    pub(crate) fn empty(config: Config) -> Self {
        Self {
            network: Network::new(1),
            nodes: BTreeMap::new(),
            config,
            hibernates: true,
        }
    }

    /// Nodes `1..=count`, all voters of [`GROUP`].
    pub(crate) async fn of(count: u64) -> Self {
        let mut cluster = Self::empty(Config::for_testing());
        for node in 1..=count {
            cluster.add_node(node, &[GROUP]).await;
        }
        cluster.initialize(GROUP, 1..=count).await;
        cluster
    }

    /// Starts a node with empty disks and lets it open groups.
    pub(crate) async fn add_node(&mut self, node: u64, groups: &[GroupId]) {
        let log = Memory::new(&crate::FAMILIES);
        let states = groups
            .iter()
            .map(|group| (*group, Memory::new(&machine::FAMILIES)))
            .collect();
        self.start(NodeId(node), log, states).await;
    }

    async fn start(&mut self, id: NodeId, log: Memory, states: BTreeMap<GroupId, Memory>) {
        let metrics = Metrics::default();
        let store: Arc<dyn KeyValue> = Arc::new(log.clone());
        let raft = Raft::start(
            self.config.clone().validate().unwrap(),
            id,
            store,
            self.network.peers(id),
            Runtime::real(),
            metrics.clone(),
        )
        .await
        .unwrap();
        if self.hibernates {
            raft.allow_hibernation();
        }
        let mut journals = BTreeMap::new();
        for (group, state) in &states {
            let journal = Journal::new(Arc::new(state.clone()));
            raft.open(*group, Box::new(journal.clone())).await.unwrap();
            journals.insert(*group, journal);
        }
        self.network.connect(&raft);
        let node = Node {
            id,
            log,
            states,
            raft,
            metrics,
            journals,
        };
        self.nodes.insert(id, node);
    }

    pub(crate) async fn initialize(&self, group: GroupId, voters: impl IntoIterator<Item = u64>) {
        let voters = members(voters);
        let first = *voters.keys().next().unwrap();
        self.group(first, group).initialize(voters).await.unwrap();
    }

    pub(crate) fn group(&self, node: NodeId, group: GroupId) -> Group {
        self.nodes[&node].raft.group(group).unwrap()
    }

    pub(crate) fn journal(&self, node: NodeId) -> &Journal {
        &self.nodes[&node].journals[&GROUP]
    }

    /// Ends a node properly. Its disks are returned.
    pub(crate) async fn stop(&mut self, node: NodeId) -> Node {
        self.network.disconnect(node);
        let node = self.nodes.remove(&node).unwrap();
        node.raft.shutdown().await;
        node
    }

    /// Starts a node on the disks that [`stop`](Self::stop) returned.
    pub(crate) async fn restart(&mut self, node: Node) {
        self.start(node.id, node.log, node.states).await;
    }

    /// Takes a node's power away, and starts it on what its disks have kept.
    pub(crate) async fn crash(&mut self, node: NodeId, survives: Survives) {
        self.network.disconnect(node);
        let node = self.nodes.remove(&node).unwrap();
        let log = node.log.crash(survives);
        let states = node.states.iter();
        let states = states.map(|(group, state)| (*group, state.crash(survives)));
        let states = states.collect();
        node.raft.shutdown().await;
        self.start(node.id, log, states).await;
    }

    /// The node that leads, once one of `among` says so of itself and has committed something.
    pub(crate) async fn leader_among(&self, group: GroupId, among: &[NodeId]) -> NodeId {
        eventually("a leader", || {
            among.iter().copied().find(|node| {
                let status = self.group(*node, group).status();
                status.leader == Some(*node) && status.committed == status.last_log
            })
        })
        .await
    }

    pub(crate) async fn leader(&self) -> NodeId {
        let nodes: Vec<NodeId> = self.nodes.keys().copied().collect();
        self.leader_among(GROUP, &nodes).await
    }

    /// Proposes to whoever leads among `nodes` until it is acknowledged.
    pub(crate) async fn propose_among(&self, nodes: &[NodeId], command: &str) -> NodeId {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            for node in nodes {
                match self
                    .group(*node, GROUP)
                    .propose(Bytes::from(command.to_owned()))
                    .await
                {
                    Ok(answer) => {
                        assert_eq!(answer, command.len().to_string());
                        return *node;
                    }
                    Err(error) => assert_ne!(
                        (
                            error.effect(),
                            matches!(error, ProposeError::TooLarge { .. })
                        ),
                        (Effect::None, true)
                    ),
                }
            }
            assert!(tokio::time::Instant::now() < deadline, "propose {command}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn propose(&self, command: &str) -> NodeId {
        let nodes: Vec<NodeId> = self.nodes.keys().copied().collect();
        self.propose_among(&nodes, command).await
    }

    /// Waits until all nodes have applied the same commands, and returns them.
    pub(crate) async fn converged(&self) -> Vec<Bytes> {
        eventually("all nodes alike", || {
            let mut all = self
                .nodes
                .values()
                .map(|node| node.journals[&GROUP].commands());
            let first = all.next()?;
            let applied = self
                .nodes
                .keys()
                .map(|node| self.group(*node, GROUP).status());
            let applied: Vec<_> = applied
                .map(|status| (status.applied, status.last_log))
                .collect();
            let settled = applied
                .iter()
                .all(|pair| *pair == applied[0] && pair.0 == pair.1);
            (settled && all.all(|commands| commands == first)).then_some(first)
        })
        .await
        .into_values()
        .collect()
    }
}

/// Waits until `found` finds something.
pub(crate) async fn eventually<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(value) = found() {
            return value;
        }
        assert!(tokio::time::Instant::now() < deadline, "no {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
