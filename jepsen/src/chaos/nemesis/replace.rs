use rand::rngs::StdRng;

use super::{Field, Nemesis};

/// A machine is lost with all that it had. Healing is what an operator does: a
/// new node joins under the same address and takes the old one's place.
#[derive(Default)]
pub(super) struct Replace {
    node: Option<usize>,
}

impl Nemesis for Replace {
    fn start(&mut self, field: &mut Field, random: &mut StdRng) -> anyhow::Result<String> {
        let node = field.choose_node(random);
        self.node = Some(node);
        field.kill(node)?;
        Ok(format!("node{} is lost and replaced", node + 1))
    }

    fn heal(&mut self, field: &mut Field) -> anyhow::Result<()> {
        match self.node.take() {
            Some(node) => field.replace(node),
            None => Ok(()),
        }
    }
}
