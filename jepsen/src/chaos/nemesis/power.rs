use rand::Rng;
use rand::rngs::StdRng;

use super::{Field, Nemesis};

/// The power fails: one node, or every node at one moment.
#[derive(Default)]
pub(super) struct Power {
    nodes: Vec<usize>,
}

impl Nemesis for Power {
    fn start(&mut self, field: &mut Field, random: &mut StdRng) -> anyhow::Result<String> {
        let all = random.random_bool(0.5);
        self.nodes = match all {
            true => (0..field.cluster.nodes.len()).collect(),
            false => vec![field.choose_node(random)],
        };
        // None may go on while another is down already.
        for &node in &self.nodes {
            field.cluster.nodes[node].signal(rustix::process::Signal::STOP)?;
        }
        let mut lost = 0;
        for &node in &self.nodes {
            field.kill(node)?;
            lost += field.lose_unsynced(node)?;
        }
        let who = match self.nodes[..] {
            [node] => format!("node{}", node + 1),
            _ => "all nodes".to_owned(),
        };
        Ok(format!("{who}: {lost} unsynced writes lost"))
    }

    fn heal(&mut self, field: &mut Field) -> anyhow::Result<()> {
        for node in self.nodes.drain(..) {
            field.start_again(node)?;
        }
        Ok(())
    }
}
