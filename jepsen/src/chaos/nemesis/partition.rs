use rand::rngs::StdRng;

use super::{Field, Nemesis};
use crate::network::Link;

/// A node alone on its side of the cut.
pub(super) struct Partition;

impl Nemesis for Partition {
    fn start(&mut self, field: &mut Field, random: &mut StdRng) -> anyhow::Result<String> {
        let node = field.choose_node(random);
        for other in (0..field.hosts()).filter(|other| *other != node) {
            field.set_link(node, other, Link::cut())?;
            field.set_link(other, node, Link::cut())?;
        }
        Ok(format!("node{} | all others", node + 1))
    }

    fn heal(&mut self, field: &mut Field) -> anyhow::Result<()> {
        field.heal_network();
        Ok(())
    }
}
