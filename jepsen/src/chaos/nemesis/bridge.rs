use rand::rngs::StdRng;

use super::{Field, Nemesis};
use crate::network::Link;

/// A partition that only some see: one node is the bridge between two others.
pub(super) struct Bridge;

impl Nemesis for Bridge {
    fn start(&mut self, field: &mut Field, random: &mut StdRng) -> anyhow::Result<String> {
        let nodes = field.cluster.nodes.len();
        let bridge = field.choose_node(random);
        let (one, other) = ((bridge + 1) % nodes, (bridge + 2) % nodes);
        field.set_link(one, other, Link::cut())?;
        field.set_link(other, one, Link::cut())?;
        Ok(format!("node{} | node{}", one + 1, other + 1))
    }

    fn heal(&mut self, field: &mut Field) -> anyhow::Result<()> {
        field.heal_network();
        Ok(())
    }
}
