use std::time::Duration;

use runtime::Random;
use storage_node_api::NodeId;

use super::Nemesis;
use crate::network::Endpoint;
use crate::world::World;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One node and some clients are cut off from the others.
    Partition,
    /// One node is heard but hears nothing, or the reverse.
    OneWay,
    /// Two nodes do not reach each other, and both reach the others.
    Partial,
    /// Messages are late, overtake each other, are lost and doubled.
    Storm,
    /// A node loses power.
    Crash,
    /// A node's disk fails calls from some call on; then it loses power.
    CrashInCall,
    /// All nodes lose power at once.
    Blackout,
    /// A node's disk and processors are slow, or its network is.
    Slow,
    /// A node's disk is full.
    FullDisk,
    /// A node's wall clock jumps.
    ClockJump,
    /// A bit flips in a volume.
    BitFlip,
}

impl Kind {
    pub(super) const ALL: [Self; 11] = [
        Self::Partition,
        Self::OneWay,
        Self::Partial,
        Self::Storm,
        Self::Crash,
        Self::CrashInCall,
        Self::Blackout,
        Self::Slow,
        Self::FullDisk,
        Self::ClockJump,
        Self::BitFlip,
    ];
}

impl Nemesis {
    pub(super) async fn strike(&mut self, kind: Kind, world: &mut World) -> anyhow::Result<()> {
        let node = self.node(world);
        let trace = world.observer.trace().clone();
        trace.event(format_args!("nemesis: {kind:?}, node {node}"));
        match kind {
            Kind::Partition | Kind::OneWay | Kind::Partial => self.cut(kind, node, world),
            Kind::Storm => self.storm(world),
            Kind::Crash => world.crash(node, self.survives()),
            Kind::CrashInCall => self.crash_in_call(world, node).await,
            Kind::Blackout => return self.blackout(world).await,
            Kind::Slow => self.slow(world, node),
            Kind::FullDisk => {
                if let Some(machine) = world.machines.get(&node) {
                    if self.random.below(2) == 0 {
                        machine.disks.fill();
                    } else {
                        machine.disks.volumes.set_capacity(u64::MAX);
                    }
                }
            }
            Kind::ClockJump => {
                let day = 86_400_000_i64;
                let millis = i64::try_from(self.random.below(172_800_000)).unwrap_or(0) - day;
                trace.event(format_args!("by {millis} ms"));
                if let Some(machine) = world.machines.get(&node) {
                    machine.clock.jump(millis);
                }
            }
            Kind::BitFlip => {
                let rotten = *world.rotten.get_or_insert(node);
                if let Some(machine) = world.machines.get(&rotten) {
                    let flipped = machine.disks.flip_bit(&self.random);
                    trace.event(format_args!("node {rotten}: {flipped:?}"));
                }
            }
        }
        Ok(())
    }

    fn cut(&self, kind: Kind, node: NodeId, world: &World) {
        let network = &world.network;
        match kind {
            Kind::Partition => {
                let (one, other) = self.sides(world);
                for from in &one {
                    for to in &other {
                        network.cut(*from, *to);
                        network.cut(*to, *from);
                    }
                }
            }
            Kind::OneWay => {
                let deaf = self.random.below(2) == 0;
                for other in world.nodes().into_iter().filter(|other| *other != node) {
                    let (node, other) = (Endpoint::Node(node), Endpoint::Node(other));
                    let (from, to) = if deaf { (other, node) } else { (node, other) };
                    network.cut(from, to);
                }
            }
            _ => {
                let next = NodeId(node.0 % world.machines.len() as u64 + 1);
                let (node, next) = (Endpoint::Node(node), Endpoint::Node(next));
                network.cut(node, next);
                network.cut(next, node);
            }
        }
    }

    /// Lets some calls of one of the node's disks succeed and all later ones
    /// fail, waits for that to happen, and cuts the power.
    async fn crash_in_call(&mut self, world: &mut World, node: NodeId) {
        let Some(machine) = world.machines.get(&node) else {
            return;
        };
        if !world.running().contains(&node) {
            return;
        }
        let disks = &machine.disks;
        match self.random.below(3) {
            0 => disks.volumes.faults().fail_all_after(self.random.below(20)),
            1 => disks.log.faults().fail_all_after(self.random.below(40)),
            _ => disks.state.faults().fail_all_after(self.random.below(100)),
        }
        self.failed.push(node);
        tokio::time::sleep(self.pause(10, 800)).await;
        world.crash(node, self.survives());
    }

    async fn blackout(&mut self, world: &mut World) -> anyhow::Result<()> {
        let nodes = world.nodes();
        for node in &nodes {
            world.crash(*node, self.survives());
        }
        tokio::time::sleep(self.pause(10, 500)).await;
        self.failed.clear();
        for node in nodes {
            world.launch(node).await?;
        }
        Ok(())
    }

    fn slow(&self, world: &World, node: NodeId) {
        let Some(machine) = world.machines.get(&node) else {
            return;
        };
        match self.random.below(3) {
            0 => machine.slowness.heal(),
            1 => machine.slowness.set(20 + self.random.below(200)),
            _ => {
                let by = Duration::from_millis(50 + self.random.below(500));
                world.network.slow(Endpoint::Node(node), by);
            }
        }
    }
}
