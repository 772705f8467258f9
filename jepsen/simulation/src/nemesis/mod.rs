//! What goes wrong, and when.

mod fault;

use std::time::Duration;

use anyhow::Context;
use runtime::{Random, SeededRandom, Survives};
use storage_node_api::NodeId;
use storage_node_api::node::Node;

use crate::network::{Endpoint, Weather};
use crate::run::Plan;
use crate::world::World;
use fault::Kind;

/// How many times the nemesis does something in one run.
const STEPS: u64 = 10;

/// Does one bad thing after the other, as its seed says.
#[derive(Debug)]
pub struct Nemesis {
    random: SeededRandom,
    kinds: Vec<Kind>,
    clients: u64,
    /// Nodes whose disks have failed calls: they need a restart.
    failed: Vec<NodeId>,
}

impl Nemesis {
    /// A nemesis that uses some of the faults, chosen by the seed: a run with
    /// few kinds of fault goes further into each.
    pub fn new(plan: &Plan) -> Self {
        let random = SeededRandom::new(plan.shape.seed ^ 0x6e65_6d65);
        let mut kinds: Vec<Kind> = Kind::ALL
            .into_iter()
            .filter(|_| random.below(5) < 2)
            .collect();
        if kinds.is_empty() {
            kinds.push(Kind::Crash);
        }
        Self {
            random,
            kinds,
            clients: plan.clients,
            failed: Vec::new(),
        }
    }

    fn pause(&self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.random.below(to - from))
    }

    /// Works until its time is over, or a rule was broken.
    pub async fn run(&mut self, world: &mut World) -> anyhow::Result<()> {
        for _ in 0..STEPS {
            if !world.observer.faults().is_empty() {
                return Ok(());
            }
            tokio::time::sleep(self.pause(100, 1500)).await;
            let index = self.random.below(self.kinds.len() as u64);
            let kind = self.kinds[usize::try_from(index).unwrap_or(0)];
            self.strike(kind, world).await?;
            if self.random.below(3) == 0 {
                tokio::time::sleep(self.pause(100, 1500)).await;
                world.network.heal();
                world
                    .observer
                    .trace()
                    .event(format_args!("the network heals"));
            }
            self.repair(world).await?;
        }
        self.heal(world).await
    }

    /// Starts those that are down, and has failed disks mended, now and then.
    async fn repair(&mut self, world: &mut World) -> anyhow::Result<()> {
        for id in world.nodes() {
            let is_down = !world.running().contains(&id);
            if (is_down || self.failed.contains(&id)) && self.random.below(2) == 0 {
                self.restart(world, id).await?;
            }
        }
        Ok(())
    }

    async fn restart(&mut self, world: &mut World, id: NodeId) -> anyhow::Result<()> {
        let survives = self.survives();
        world.crash(id, survives);
        self.failed.retain(|failed| *failed != id);
        tokio::time::sleep(self.pause(0, 200)).await;
        world.launch(id).await
    }

    /// All faults off.
    async fn heal(&mut self, world: &mut World) -> anyhow::Result<()> {
        world.network.heal();
        world.observer.trace().event(format_args!("all faults end"));
        for id in world.nodes() {
            let machine = world.machines.get(&id).context("a node has a machine")?;
            machine.disks.heal();
            machine.slowness.heal();
            machine.clock.jump(0);
            let broke_down = match world.network.running().iter().find(|node| node.id() == id) {
                None => true,
                Some(node) => {
                    let raft = node.raft();
                    let groups = raft.groups_open();
                    let mut groups = groups.into_iter().filter_map(|group| raft.group(group));
                    groups.any(|group| group.status().fault.is_some())
                        || node.status().await.is_err()
                }
            };
            if broke_down || self.failed.contains(&id) {
                self.restart(world, id).await?;
            }
        }
        Ok(())
    }

    fn survives(&self) -> Survives {
        match self.random.below(4) {
            0 => Survives::Everything,
            1 => Survives::Nothing,
            _ => Survives::Random(self.random.u64()),
        }
    }

    fn node(&self, world: &World) -> NodeId {
        NodeId(self.random.below(world.machines.len() as u64) + 1)
    }

    /// All processes, in two groups drawn at random.
    fn sides(&self, world: &World) -> (Vec<Endpoint>, Vec<Endpoint>) {
        let alone = self.node(world);
        let nodes = world.nodes().into_iter().map(Endpoint::Node);
        let clients = (0..self.clients).map(Endpoint::Client);
        nodes.chain(clients).partition(|endpoint| match endpoint {
            Endpoint::Node(node) => *node == alone,
            Endpoint::Client(_) => self.random.below(3) == 0,
        })
    }

    fn storm(&self, world: &World) {
        let weather = Weather {
            delay: self.pause(10, 400),
            lost_permille: self.random.below(150),
            doubled_permille: self.random.below(150),
        };
        world.observer.trace().event(format_args!("{weather:?}"));
        world.network.weather(weather);
    }
}
