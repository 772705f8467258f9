use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use chunking::{Chunk, ChunkId, ChunkRef};
use futures_util::poll;
use runtime::{Clock, ManualClock, Runtime};
use storage_node_api::content::Session;
use storage_node_api::map::{self, ClusterMap, Policies};
use storage_node_api::node::Node;
use storage_node_api::{
    ClusterId, Content, DedupDomain, Generation, Incarnation, MapEpoch, NodeId, placement,
};

use super::fake::{Agreed, Fake};
use crate::tier::put::UNASKED_BYTES;
use crate::tier::{Client, Config, Links};

pub(super) const DOMAIN: DedupDomain = DedupDomain(3);
/// How patient the client of a [`World`] is.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
pub(super) const HEDGE: Duration = Duration::from_millis(500);
/// How long it tries.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// A client, its nodes and its time.
pub(super) struct World {
    pub(super) runtime: Runtime,
    pub(super) clock: ManualClock,
    pub(super) nodes: Vec<Arc<Fake>>,
    pub(super) agreed: Arc<Mutex<Agreed>>,
    pub(super) links: Arc<FakeLinks>,
    pub(super) client: Client,
}

#[derive(Debug)]
pub(super) struct FakeLinks {
    nodes: Vec<Arc<Fake>>,
    /// How many of the nodes are seeds.
    pub(super) seeds: usize,
}

impl Links for FakeLinks {
    fn node(&self, node: &map::Node) -> Arc<dyn Node> {
        let found = self.nodes.iter().find(|fake| fake.id == node.id);
        Arc::clone(found.unwrap()) as Arc<dyn Node>
    }

    fn seeds(&self) -> Vec<Arc<dyn Node>> {
        let seeds = self.nodes.iter().take(self.seeds);
        seeds
            .map(|fake| Arc::clone(fake) as Arc<dyn Node>)
            .collect()
    }
}

pub(super) fn map_of(nodes: u64) -> ClusterMap {
    ClusterMap {
        cluster: ClusterId([1; 16]),
        epoch: MapEpoch(5),
        generation: Generation(2),
        machine_version: 1,
        policies: Policies::default(),
        nodes: (1..=nodes).map(|id| described(NodeId(id))).collect(),
        groups: ClusterMap::divide_slots(4),
        members: Box::default(),
        moves: Box::default(),
    }
}

fn described(id: NodeId) -> map::Node {
    map::Node {
        id,
        control: String::new(),
        bulk: String::new(),
        zone: String::new(),
        region: String::new(),
        capacity: 1,
        incarnation: Incarnation(7),
        draining: false,
    }
}

impl World {
    pub(super) fn new(nodes: u64) -> Self {
        Self::with(nodes, Config::default())
    }

    pub(super) fn near(nodes: u64, near: u64) -> Self {
        let near = Some(NodeId(near));
        Self::with(
            nodes,
            Config {
                near,
                ..Config::default()
            },
        )
    }

    pub(super) fn in_region(nodes: u64, region: &str) -> Self {
        let region = Some(region.to_owned());
        Self::with(
            nodes,
            Config {
                region,
                ..Config::default()
            },
        )
    }

    fn with(count: u64, config: Config) -> Self {
        let (runtime, clock) = Runtime::simulated(9);
        let map = map_of(count);
        let agreed = Arc::new(Mutex::new(Agreed {
            leader: Some(NodeId(1)),
            ..Agreed::default()
        }));
        let nodes: Vec<Arc<Fake>> = map
            .nodes
            .iter()
            .map(|node| {
                let clock = Arc::clone(&runtime.clock);
                Fake::new(node.id, clock, map.clone(), Arc::clone(&agreed))
            })
            .collect();
        let links = Arc::new(FakeLinks {
            nodes: nodes.clone(),
            seeds: nodes.len(),
        });
        let config = Config {
            deadline: DEADLINE,
            patience: PATIENCE,
            hedge: HEDGE,
            ..config
        };
        let client = Client::new(
            Arc::clone(&links) as Arc<dyn Links>,
            runtime.clone(),
            config.validate().unwrap(),
        );
        Self {
            runtime,
            clock,
            nodes,
            agreed,
            links,
            client,
        }
    }

    pub(super) fn node(&self, id: u64) -> &Fake {
        self.nodes
            .iter()
            .find(|node| node.id == NodeId(id))
            .unwrap()
    }

    /// The nodes in the order in which they are asked to hold the chunk.
    pub(super) fn order(&self, chunk: ChunkId) -> Vec<&Fake> {
        let order = placement::order(&chunk, DOMAIN, &map_of(self.nodes.len() as u64));
        order.into_iter().map(|id| self.node(id.0)).collect()
    }

    /// Gives all nodes another map.
    pub(super) fn remap(&self, change: impl Fn(&mut ClusterMap)) {
        for node in &self.nodes {
            let mut map = node.map.lock().unwrap();
            change(map.as_mut().unwrap());
        }
    }

    pub(super) async fn session(&self) -> Session {
        self.run(self.client.begin(DOMAIN)).await.0.unwrap()
    }

    /// Runs to the end, moving time on whenever nothing else can happen.
    /// Returns how much time passed as well.
    pub(super) async fn run<F: Future>(&self, future: F) -> (F::Output, Duration) {
        let began = self.clock.monotonic();
        let mut future = pin!(future);
        for _ in 0..10_000 {
            for _ in 0..30 {
                if let Poll::Ready(output) = poll!(future.as_mut()) {
                    return (output, self.clock.monotonic() - began);
                }
                tokio::task::yield_now().await;
            }
            self.clock.advance_to_next();
        }
        panic!("the future does not end");
    }

    /// Lets what is in the background go on for this long.
    pub(super) async fn pass(&self, time: Duration) {
        self.run(self.runtime.clock.sleep(time)).await;
        for _ in 0..30 {
            tokio::task::yield_now().await;
        }
    }
}

/// A chunk of these bytes.
pub(super) fn chunk(text: &str) -> Chunk {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    Chunk {
        id: ChunkId::of(&bytes),
        bytes,
    }
}

/// A chunk of these bytes and many more, which is not sent unasked.
pub(super) fn large(text: &str) -> Chunk {
    let mut bytes = vec![0; UNASKED_BYTES + 1];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    let bytes = Bytes::from(bytes);
    Chunk {
        id: ChunkId::of(&bytes),
        bytes,
    }
}

pub(super) fn reference(chunk: &Chunk) -> ChunkRef {
    ChunkRef {
        id: chunk.id,
        length: u32::try_from(chunk.bytes.len()).unwrap(),
    }
}
