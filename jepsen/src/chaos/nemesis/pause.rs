use rand::rngs::StdRng;
use rustix::process::Signal;

use super::{Field, Nemesis};

/// A process that does nothing for a while, and does not know it.
#[derive(Default)]
pub(super) struct Pause {
    node: Option<usize>,
}

impl Nemesis for Pause {
    fn start(&mut self, field: &mut Field, random: &mut StdRng) -> anyhow::Result<String> {
        let node = field.choose_node(random);
        field.cluster.nodes[node].signal(Signal::STOP)?;
        self.node = Some(node);
        Ok(format!("node{}", node + 1))
    }

    fn heal(&mut self, field: &mut Field) -> anyhow::Result<()> {
        match self.node.take() {
            Some(node) => field.cluster.nodes[node].signal(Signal::CONT),
            None => Ok(()),
        }
    }
}
