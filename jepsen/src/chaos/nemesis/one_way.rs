use rand::Rng;
use rand::rngs::StdRng;

use super::{Field, Nemesis};
use crate::network::Link;

/// One direction of all links of a node is cut.
pub(super) struct OneWay;

impl Nemesis for OneWay {
    fn start(&mut self, field: &mut Field, random: &mut StdRng) -> anyhow::Result<String> {
        let node = field.choose_node(random);
        let hears = random.random_bool(0.5);
        for other in (0..field.hosts()).filter(|other| *other != node) {
            let (from, to) = if hears { (node, other) } else { (other, node) };
            field.set_link(from, to, Link::cut())?;
        }
        let what = if hears {
            "is not heard"
        } else {
            "hears nothing"
        };
        Ok(format!("node{} {what}", node + 1))
    }

    fn heal(&mut self, field: &mut Field) -> anyhow::Result<()> {
        field.heal_network();
        Ok(())
    }
}
