use anyhow::Context;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::harness::Operator;

/// Leaders that an operator moves, one group after the other.
pub(super) fn transfer(operator: &Operator, random: &mut StdRng) -> anyhow::Result<String> {
    let status = operator.status()?;
    let nodes: Vec<u64> = status.nodes.iter().map(|node| node.id).collect();
    let groups = &status.nodes.first().context("no nodes")?.groups;
    let mut moved = 0;
    for group in groups {
        let to = nodes.choose(random).context("no nodes")?;
        // One that has just lost or got a leader may refuse.
        moved += usize::from(operator.transfer(group.group, *to).is_ok());
    }
    Ok(format!(
        "{moved} of {} groups have a new leader",
        groups.len()
    ))
}
