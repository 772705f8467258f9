//! Nodes in one process, on disks and a network that are simulated.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use prometheus_client::registry::Registry;
use runtime::{Random, Runtime, SeededRandom, Survives};
use storage_node_api::map::{CLUSTER_GROUP, ClusterMap};
use storage_node_api::node::Node;
use storage_node_api::order::{Command, Join, Reply, Request};
use storage_node_api::{ClusterId, Incarnation, NodeId, RequestId, Storage};
use storage_node_client::tier::{Client, Config as ClientConfig};
use storage_node_server::directory::NodeRecord;
use storage_node_server::start::{self, Addresses, Config, Membership, start};

use crate::clock::SimulatedClock;
use crate::disks::Disks;
use crate::mutation::Mutation;
use crate::network::{Endpoint, Network, SimulatedLinks, SimulatedPeers};
use crate::observer::Observer;
use crate::tasks::{Slowness, simulated};

const CLUSTER: ClusterId = ClusterId([1; 16]);

/// How long anything may take to come about while nothing is wrong.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether something has come about.
const LOOK: Duration = Duration::from_millis(20);

/// Where a node runs: what outlives its process.
#[derive(Debug)]
pub struct Machine {
    /// What it keeps.
    pub disks: Disks,
    /// Its time.
    pub clock: SimulatedClock,
    /// How slow it is.
    pub slowness: Slowness,
}

/// A cluster.
#[derive(Debug)]
pub struct World {
    /// Between all processes.
    pub network: Network,
    /// Who watches.
    pub observer: Observer,
    /// What the nodes run on.
    pub machines: BTreeMap<NodeId, Machine>,
    /// The one node that has lost bits, if any has: with two, all copies of a
    /// chunk could be gone.
    pub rotten: Option<NodeId>,
    random: SeededRandom,
    config: start::Checked,
    first: Option<ClusterMap>,
    broken: Option<Mutation>,
}

/// How a world is made.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// What all chance follows.
    pub seed: u64,
    /// How many nodes, all of them voters of all groups.
    pub nodes: u64,
    /// Applied entries after which a group's log is cut.
    pub snapshot_entries: u64,
    /// How long nothing must be asked of a group before it sleeps.
    pub hibernate_after: Duration,
    /// A rule that is broken.
    pub broken: Option<Mutation>,
    /// When leaders count as lost: as in production, or soon.
    pub timing: Option<raft::Profile>,
}

fn config(shape: &Shape) -> anyhow::Result<start::Checked> {
    let timing = match shape.timing {
        None => raft::Config::for_testing(),
        Some(profile) => raft::Config {
            profile,
            ..raft::Config::default()
        },
    };
    let config = Config {
        groups: 2,
        reserve_bytes: 0,
        // Cycles are begun by the nemesis.
        collect_interval_seconds: 0,
        volume_bytes: 8 << 20,
        raft: raft::Config {
            snapshot_entries: shape.snapshot_entries,
            hibernate_after: shape.hibernate_after,
            ..timing
        },
        ..Config::default()
    };
    Ok(config.validate()?)
}

fn addresses(id: NodeId) -> Addresses {
    Addresses {
        control: format!("control-{id}"),
        bulk: format!("bulk-{id}"),
    }
}

impl World {
    /// A cluster whose nodes all vote.
    pub async fn new(shape: &Shape, observer: Observer) -> anyhow::Result<Self> {
        let random = SeededRandom::new(shape.seed);
        let trace = observer.trace().clone();
        let mut world = Self {
            network: Network::new(random.u64(), trace),
            observer,
            machines: BTreeMap::new(),
            rotten: None,
            random,
            config: config(shape)?,
            first: None,
            broken: shape.broken,
        };
        world.machines.insert(NodeId(1), Machine::new());
        world.launch(NodeId(1)).await?;
        for _ in 1..shape.nodes {
            world.join().await?;
        }
        world
            .wait_until("all nodes vote everywhere", |world| {
                world.all_vote(shape.nodes)
            })
            .await?;
        Ok(world)
    }

    /// All nodes.
    pub fn nodes(&self) -> Vec<NodeId> {
        self.machines.keys().copied().collect()
    }

    /// The nodes that run.
    pub fn running(&self) -> Vec<NodeId> {
        self.network
            .running()
            .iter()
            .map(|node| node.id())
            .collect()
    }

    /// The runtime of a process that is no node, and the tier as it sees it.
    pub fn client(
        &self,
        number: u64,
        near: Option<NodeId>,
    ) -> anyhow::Result<(Runtime, Arc<dyn Storage>)> {
        let runtime = simulated(
            self.random.u64(),
            &SimulatedClock::right(),
            &Slowness::default(),
        );
        let from = self.network.begin(Endpoint::Client(number));
        let map = self
            .network
            .running()
            .first()
            .and_then(|node| node.current_map());
        let links = SimulatedLinks::new(self.network.clone(), from, map.as_deref());
        let config = ClientConfig {
            deadline: Duration::from_secs(5),
            patience: Duration::from_secs(1),
            near,
            ..ClientConfig::default()
        };
        let client = Client::new(Arc::new(links), runtime.clone(), config.validate()?);
        Ok((runtime, Arc::new(client)))
    }

    /// Ends a node as a power failure does.
    pub fn crash(&mut self, id: NodeId, survives: Survives) {
        let Some(node) = self.network.disconnect(id) else {
            return;
        };
        self.observer
            .trace()
            .event(format_args!("node {id} loses power, {survives:?} survives"));
        if let Some(machine) = self.machines.get_mut(&id) {
            machine.disks = machine.disks.crashed(survives);
        }
        // What is left of the process can reach neither disks nor network.
        tokio::spawn(async move { node.shutdown().await });
    }

    /// Starts a node on what is left of its disks.
    pub async fn launch(&mut self, id: NodeId) -> anyhow::Result<()> {
        let membership = match &self.first {
            None => Membership::Founder {
                cluster: Some(CLUSTER),
            },
            Some(map) => Membership::Joined {
                map: Box::new(map.clone()),
            },
        };
        self.observer
            .trace()
            .event(format_args!("node {id} starts"));
        let machine = self.machines.get(&id).context("no such node")?;
        let from = self.network.begin(Endpoint::Node(id));
        let network = start::Network {
            peers: Arc::new(SimulatedPeers::new(self.network.clone(), from)),
            links: Arc::new(SimulatedLinks::new(self.network.clone(), from, None)),
        };
        let mut registry = Registry::default();
        let starting = start(
            machine.disks.stores(id, &self.observer, self.broken),
            membership,
            network,
            addresses(id),
            &self.config,
            simulated(self.random.u64(), &machine.clock, &machine.slowness),
            &mut registry,
        );
        let node = Box::pin(starting)
            .await
            .with_context(|| format!("start node {id}"))?;
        if self.first.is_none() {
            self.first = node.current_map().map(|map| (*map).clone());
        }
        self.network.connect(&node);
        Ok(())
    }

    async fn join(&mut self) -> anyhow::Result<()> {
        let request = Request {
            id: RequestId::random(&self.random),
            time: runtime::Timestamp(0),
            command: Command::Join(Join {
                control: "control-new".into(),
                bulk: "bulk-new".into(),
                zone: "default".into(),
                region: "default".into(),
                capacity: 1,
            }),
        };
        let founder = self
            .network
            .running()
            .into_iter()
            .next()
            .context("no node runs")?;
        let joined = founder.propose(CLUSTER_GROUP, request).await?;
        let Reply::Joined(id) = joined.reply else {
            bail!("a node could not join: {joined:?}")
        };
        let machine = Machine::new();
        let record = NodeRecord {
            cluster: CLUSTER,
            node: Some(id),
            incarnation: Incarnation(0),
            join: RequestId([0; 16]),
        };
        record.save(&machine.disks.files)?;
        self.machines.insert(id, machine);
        self.launch(id).await
    }

    fn all_vote(&self, count: u64) -> bool {
        self.network.running().iter().all(|node| {
            let voters = node.voters();
            node.is_ready() && voters.iter().all(|voters| voters.len() as u64 == count)
        })
    }

    /// Waits for something that comes about by itself.
    pub async fn wait_until(
        &self,
        what: &str,
        holds: impl Fn(&Self) -> bool,
    ) -> anyhow::Result<()> {
        let began = tokio::time::Instant::now();
        while !holds(self) {
            ensure!(
                began.elapsed() < PATIENCE,
                "{what}: not within {PATIENCE:?}"
            );
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }
}

impl Machine {
    fn new() -> Self {
        Self {
            disks: Disks::new(),
            clock: SimulatedClock::right(),
            slowness: Slowness::default(),
        }
    }
}
