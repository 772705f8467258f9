//! Nodes in one process, joined by a network in memory.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kv::Memory;
use objects::Objects;
use prometheus_client::registry::Registry;
use raft::memory::Network as RaftNetwork;
use runtime::{File, FileHooks, HookedFiles, MemoryFiles, Runtime, Survives};
use storage_node_api::map::{
    CLUSTER_GROUP, ClusterMap, MembersChange, Node as MapNode, SlotsChange, Standing,
};
use storage_node_api::node::Node;
use storage_node_api::order::{Command, Join, Refusal, Reply, Request};
use storage_node_api::{ClusterId, Incarnation, MapEpoch, NodeId, RequestId, Storage};
use storage_node_client::tier::{Client, Config as ClientConfig, Links, NoPeers};
use storage_node_server::StorageNode;
use storage_node_server::directory::NodeRecord;
use storage_node_server::start::{
    Addresses, Config, Membership, MetadataPlace, Network, StartError, Stores, start,
};
use storage_node_server::volumes::cold;

use crate::slow::SlowLog;

/// How long anything may take to come about.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Entries before a log is cut. The facts of these nodes are in memory: their log is all there is of them.
const WHOLE_LOG: u64 = 1_000_000;

/// Links to the nodes that run at the moment.
#[derive(Debug, Default)]
pub(crate) struct Local {
    nodes: Mutex<BTreeMap<NodeId, Arc<StorageNode>>>,
}

impl Local {
    fn set(&self, id: NodeId, node: Option<Arc<StorageNode>>) {
        let mut nodes = self.nodes.lock().unwrap();
        match node {
            Some(node) => nodes.insert(id, node),
            None => nodes.remove(&id),
        };
    }

    pub(crate) fn running(&self) -> Vec<Arc<StorageNode>> {
        self.nodes.lock().unwrap().values().cloned().collect()
    }
}

impl Links for Local {
    fn node(&self, node: &MapNode) -> Arc<dyn Node> {
        match self.nodes.lock().unwrap().get(&node.id) {
            Some(running) => Arc::clone(running) as Arc<dyn Node>,
            None => NoPeers.node(node),
        }
    }

    fn seeds(&self) -> Vec<Arc<dyn Node>> {
        self.running()
            .into_iter()
            .map(|node| node as Arc<dyn Node>)
            .collect()
    }

    fn is_local(&self, _node: NodeId) -> bool {
        true
    }
}

/// The disks of one node, which survive it as far as they were synced.
#[derive(Clone, Debug)]
pub(crate) struct Disks {
    pub(crate) files: MemoryFiles,
    pub(crate) volumes: MemoryFiles,
    pub(crate) log: Memory,
    pub(crate) state: Memory,
    /// How much longer a sync of its log takes than it should, in milliseconds.
    slow_log: Arc<AtomicU64>,
    /// Where its volumes go, if anywhere.
    pub(crate) bucket: Option<Arc<dyn Objects>>,
}

impl Disks {
    pub(crate) fn new() -> Self {
        Self {
            files: MemoryFiles::new(),
            volumes: MemoryFiles::new(),
            log: Memory::new(&raft::FAMILIES),
            state: Memory::new(&Stores::state_families()),
            slow_log: Arc::default(),
            bucket: None,
        }
    }

    fn stores(&self, lie: &Arc<AtomicBool>) -> Stores {
        Stores {
            files: Arc::new(self.files.clone()),
            volumes: Arc::new(HookedFiles::new(
                Arc::new(self.volumes.clone()),
                Arc::new(Lie(Arc::clone(lie))),
            )),
            log: Arc::new(SlowLog {
                log: self.log.clone(),
                millis: Arc::clone(&self.slow_log),
            }),
            state: Arc::new(self.state.clone()),
            metadata: MetadataPlace::Memory,
            cold: self.bucket.clone(),
        }
    }

    /// What a power failure leaves.
    pub(crate) fn crashed(&self, survives: Survives) -> Self {
        Self {
            files: self.files.crash(survives),
            volumes: self.volumes.crash(survives),
            log: self.log.crash(survives),
            state: self.state.crash(survives),
            slow_log: Arc::clone(&self.slow_log),
            bucket: self.bucket.clone(),
        }
    }
}

/// A cluster of nodes on twins.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) runtime: Runtime,
    pub(crate) links: Arc<Local>,
    network: Arc<RaftNetwork>,
    pub(crate) disks: BTreeMap<NodeId, Disks>,
    first: Option<ClusterMap>,
    volumes_lie: Arc<AtomicBool>,
    place: fn(NodeId) -> Place,
    bucket: Option<Arc<dyn Objects>>,
    snapshot_entries: u64,
}

/// Where a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) zone: String,
    pub(crate) region: String,
}

/// All in one place.
fn together(_: NodeId) -> Place {
    Place {
        zone: "default".into(),
        region: "default".into(),
    }
}

/// Syncs that may be told to do nothing: the fault that a test must see.
#[derive(Debug)]
struct Lie(Arc<AtomicBool>);

impl FileHooks for Lie {
    fn sync_data(&self, file: &dyn File) -> io::Result<()> {
        if self.0.load(Ordering::SeqCst) {
            return Ok(());
        }
        file.sync_data()
    }
}

fn config(place: Place, snapshot_entries: u64) -> Config {
    Config {
        zone: place.zone,
        region: place.region,
        groups: 2,
        reserve_bytes: 0,
        // Cycles are ordered by tests that want them.
        collect_interval_seconds: 0,
        volume_bytes: 8 << 20,
        cold: cold::Config {
            local_bytes: 0,
            after_seconds: 0,
            bytes_per_second: u64::MAX,
            cache_bytes: 4 << 20,
            ..cold::Config::default()
        },
        raft: raft::Config {
            snapshot_entries,
            ..raft::Config::for_testing()
        },
        ..Config::default()
    }
}

fn addresses(id: NodeId) -> Addresses {
    Addresses {
        control: format!("control-{id}"),
        bulk: format!("bulk-{id}"),
    }
}

impl World {
    /// As many nodes, all voters of all groups.
    pub(crate) async fn of(count: u64) -> Self {
        Self::spread(count, together).await
    }

    /// As many nodes that put every sealed volume into this bucket at once.
    pub(crate) async fn cold(count: u64, bucket: Arc<dyn Objects>) -> Self {
        Self::begin(count, together, WHOLE_LOG, Some(bucket)).await
    }

    /// As many nodes, each at a place of its own.
    pub(crate) async fn spread(count: u64, place: fn(NodeId) -> Place) -> Self {
        Self::begin(count, place, WHOLE_LOG, None).await
    }

    /// As many nodes that cut their logs soon: what one of them loses is not in its log any more.
    pub(crate) async fn with_short_logs(count: u64) -> Self {
        Self::begin(count, together, 50, None).await
    }

    async fn begin(
        count: u64,
        place: fn(NodeId) -> Place,
        snapshot_entries: u64,
        bucket: Option<Arc<dyn Objects>>,
    ) -> Self {
        let mut world = Self {
            runtime: Runtime::real(),
            links: Arc::default(),
            network: Arc::new(RaftNetwork::new(1)),
            disks: BTreeMap::new(),
            first: None,
            volumes_lie: Arc::default(),
            place,
            bucket,
            snapshot_entries,
        };
        let disks = world.new_disks();
        world.disks.insert(NodeId(1), disks);
        world.launch(NodeId(1)).await;
        for _ in 1..count {
            world.join().await;
        }
        world
            .wait_until("all nodes vote everywhere", |world| world.all_vote(count))
            .await;
        world
    }

    fn new_disks(&self) -> Disks {
        Disks {
            bucket: self.bucket.clone(),
            ..Disks::new()
        }
    }

    /// The tier as a client sees it.
    pub(crate) fn storage(&self) -> Arc<dyn Storage> {
        let links = Arc::clone(&self.links) as Arc<dyn Links>;
        Arc::new(Client::new(
            links,
            self.runtime.clone(),
            ClientConfig::default().validate().unwrap(),
        ))
    }

    /// From now on the volumes' syncs do nothing.
    pub(crate) fn forget_volume_syncs(&self) {
        self.volumes_lie.store(true, Ordering::SeqCst);
    }

    /// From now on each sync of a node's log takes so much longer.
    pub(crate) fn slow_log(&self, id: NodeId, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap();
        self.disks[&id].slow_log.store(millis, Ordering::SeqCst);
    }

    /// Ends a node as a power failure does.
    pub(crate) async fn crash(&mut self, id: NodeId, survives: Survives) {
        let node = self.links.nodes.lock().unwrap().get(&id).cloned().unwrap();
        self.network.disconnect(raft::NodeId(id.0));
        self.links.set(id, None);
        let disks = self.disks[&id].crashed(survives);
        self.disks.insert(id, disks);
        node.shutdown().await;
    }

    /// Starts a node on what is left of its disks.
    pub(crate) async fn launch(&mut self, id: NodeId) {
        let started = self.try_launch(id).await;
        started.unwrap_or_else(|error| panic!("start node {id}: {error:?}"));
    }

    /// A founder is started as the first node again.
    pub(crate) fn forget_map(&mut self) {
        self.first = None;
    }

    /// The stores on the disks of a node that does not run.
    pub(crate) fn stores(&self, id: NodeId) -> Stores {
        self.disks[&id].stores(&self.volumes_lie)
    }

    /// The same, unless it does not start.
    pub(crate) async fn try_launch(&mut self, id: NodeId) -> Result<(), StartError> {
        let newest = self.links.running();
        let newest = newest.iter().filter_map(|node| node.current_map());
        let newest = newest.max_by_key(|map| map.epoch).map(|map| (*map).clone());
        let membership = match newest.as_ref().or(self.first.as_ref()) {
            None => Membership::Founder {
                cluster: Some(ClusterId([1; 16])),
            },
            Some(map) => Membership::Joined {
                map: Box::new(map.clone()),
            },
        };
        let network = Network {
            peers: self.network.peers(raft::NodeId(id.0)),
            links: Arc::clone(&self.links) as Arc<dyn Links>,
        };
        let node = start(
            self.disks[&id].stores(&self.volumes_lie),
            membership,
            network,
            addresses(id),
            &config((self.place)(id), self.snapshot_entries)
                .validate()
                .unwrap(),
            self.runtime.clone(),
            &mut Registry::default(),
        )
        .await?;
        self.network.connect(node.raft());
        if self.first.is_none() {
            self.first = node.current_map().map(|map| (*map).clone());
        }
        self.links.set(id, Some(node));
        Ok(())
    }

    /// A new node joins and starts.
    pub(crate) async fn join(&mut self) -> NodeId {
        let place = (self.place)(NodeId(self.disks.len() as u64 + 1));
        let request = Request {
            id: RequestId::random(&*self.runtime.random),
            time: self.runtime.clock.now(),
            command: Command::Join(Join {
                control: "control-new".into(),
                bulk: "bulk-new".into(),
                zone: place.zone,
                region: place.region,
                capacity: 1,
            }),
        };
        let joined = self.ask(request).await;
        let Reply::Joined(id) = joined else {
            panic!("{joined:?}")
        };
        let disks = self.new_disks();
        let record = NodeRecord {
            cluster: ClusterId([1; 16]),
            node: Some(id),
            incarnation: Incarnation(0),
            join: RequestId([0; 16]),
        };
        record.save(&disks.files).unwrap();
        self.disks.insert(id, disks);
        self.launch(id).await;
        id
    }

    /// Proposes to whoever leads the cluster group.
    async fn ask(&self, request: Request) -> Reply {
        let began = self.runtime.clock.monotonic();
        loop {
            for node in self.links.running() {
                if let Ok(done) = node.propose(CLUSTER_GROUP, request.clone()).await {
                    return done.reply;
                }
            }
            let waited = self.runtime.clock.monotonic() - began;
            assert!(waited < PATIENCE, "nobody takes {request:?}");
            self.runtime.clock.sleep(Duration::from_millis(20)).await;
        }
    }

    /// Changes the members, for the map that was seen.
    pub(crate) async fn change_seen(&self, map: &ClusterMap, change: &MembersChange) -> Reply {
        let (seen, change) = (map.epoch, change.clone());
        self.order(Command::ChangeMembers { seen, change }).await
    }

    async fn order(&self, command: Command) -> Reply {
        let id = RequestId::random(&*self.runtime.random);
        let time = self.runtime.clock.now();
        self.ask(Request { id, time, command }).await
    }

    /// Changes the members, again while others change the map in between.
    pub(crate) async fn change(&self, change: MembersChange) -> Reply {
        self.order_for_map(|seen| Command::ChangeMembers {
            seen,
            change: change.clone(),
        })
        .await
    }

    /// Changes the slots, again while others change the map in between.
    pub(crate) async fn divide(&self, change: SlotsChange) -> Reply {
        self.order_for_map(|seen| Command::ChangeSlots {
            seen,
            change: change.clone(),
        })
        .await
    }

    async fn order_for_map(&self, command: impl Fn(MapEpoch) -> Command) -> Reply {
        for _ in 0..200 {
            match self.order(command(self.map().epoch)).await {
                Reply::Refused(Refusal::MapChanged { .. }) => {
                    self.runtime.clock.sleep(Duration::from_millis(20)).await;
                }
                reply => return reply,
            }
        }
        panic!("the map never rests");
    }

    /// The newest map that a running node has.
    pub(crate) fn map(&self) -> Arc<ClusterMap> {
        let maps = self.links.running().into_iter();
        let maps = maps.filter_map(|node| node.current_map());
        maps.max_by_key(|map| map.epoch).unwrap()
    }

    /// Waits until a node stands so by the newest map.
    pub(crate) async fn stands(&self, id: NodeId, standing: Standing) {
        self.wait_until("the node's standing", |world| {
            world.map().standing(id) == standing
        })
        .await;
    }

    /// Waits until each of these nodes lacks nothing by the newest map.
    pub(crate) async fn whole(&self, ids: &[NodeId]) {
        let began = self.runtime.clock.monotonic();
        loop {
            let mut whole = 0;
            for node in self.links.running() {
                let report = node.members().await.unwrap();
                let is_whole = report.whole_at >= Some(self.map().epoch);
                whole += usize::from(is_whole && ids.contains(&node.id()));
            }
            if whole == ids.len() {
                return;
            }
            let waited = self.runtime.clock.monotonic() - began;
            assert!(waited < PATIENCE, "nodes lack chunks");
            self.runtime.clock.sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until exactly these nodes vote in every group, as each of them knows.
    pub(crate) async fn voting(&self, ids: &[NodeId]) {
        self.wait_until("the voters", |world| {
            let nodes = world.links.running();
            let nodes = nodes.iter().filter(|node| ids.contains(&node.id()));
            nodes.clone().count() == ids.len()
                && nodes
                    .clone()
                    .all(|node| node.voters().iter().all(|voters| voters == ids))
        })
        .await;
    }

    fn all_vote(&self, count: u64) -> bool {
        self.links.running().iter().all(|node| {
            node.is_ready()
                && node
                    .voters()
                    .iter()
                    .all(|voters| voters.len() as u64 == count)
        })
    }

    /// Waits for something that comes about by itself.
    pub(crate) async fn wait_until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let began = self.runtime.clock.monotonic();
        while !holds(self) {
            let waited = self.runtime.clock.monotonic() - began;
            assert!(waited < PATIENCE, "{what}: not within {PATIENCE:?}");
            self.runtime.clock.sleep(Duration::from_millis(20)).await;
        }
    }
}
