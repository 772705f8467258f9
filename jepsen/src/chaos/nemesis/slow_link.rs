use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;

use super::{Field, Nemesis};
use crate::network::Link;

/// All links of a node are slow, uneven and lossy.
pub(super) struct SlowLink;

impl Nemesis for SlowLink {
    fn start(&mut self, field: &mut Field, random: &mut StdRng) -> anyhow::Result<String> {
        let node = field.choose_node(random);
        let link = Link {
            cut: false,
            delay: Duration::from_millis(random.random_range(20..150)),
            jitter: Duration::from_millis(random.random_range(0..100)),
            loss_permille: random.random_range(0..50),
        };
        for other in (0..field.hosts()).filter(|other| *other != node) {
            field.set_link(node, other, link)?;
            field.set_link(other, node, link)?;
        }
        Ok(format!(
            "node{}: {:?} to {:?}, {} of 1000 lost",
            node + 1,
            link.delay,
            link.delay + link.jitter,
            link.loss_permille
        ))
    }

    fn heal(&mut self, field: &mut Field) -> anyhow::Result<()> {
        field.heal_network();
        Ok(())
    }
}
