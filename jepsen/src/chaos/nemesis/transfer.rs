use anyhow::Context;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::{Field, Nemesis};

/// Leaders that an operator moves, one group after the other.
pub(super) struct Transfer;

impl Nemesis for Transfer {
    fn start(&mut self, field: &mut Field, random: &mut StdRng) -> anyhow::Result<String> {
        let status = field.cluster.status()?;
        let nodes: Vec<u64> = status.nodes.iter().map(|node| node.id).collect();
        let groups = &status.nodes.first().context("no nodes")?.groups;
        let mut moved = 0;
        for group in groups {
            let to = nodes.choose(random).context("no nodes")?;
            // One that has just lost or got a leader may refuse.
            moved += usize::from(field.cluster.transfer(group.group, *to).is_ok());
        }
        Ok(format!(
            "{moved} of {} groups have a new leader",
            groups.len()
        ))
    }

    fn heal(&mut self, _: &mut Field) -> anyhow::Result<()> {
        Ok(())
    }
}
