use rand::Rng;
use rand::rngs::StdRng;

use super::corruption::flip;
use super::{Field, Nemesis};

/// Where a node keeps its logs, its replicas' state and the facts.
const PARTS: [&str; 3] = ["raft", "state", "metadata"];

/// Bit rot in what a node knows, not in what it stores. The node may refuse to
/// start, stop, or go on where nothing that is read was hit; it may not spread
/// what is wrong. Healing replaces it.
#[derive(Default)]
pub(super) struct Rot {
    node: Option<usize>,
}

impl Nemesis for Rot {
    fn start(&mut self, field: &mut Field, random: &mut StdRng) -> anyhow::Result<String> {
        let node = field.choose_node(random);
        self.node = Some(node);
        field.kill(node)?;
        let (seed, part) = (random.random(), PARTS[random.random_range(0..PARTS.len())]);
        let flipped = field.at_data(node, move |data| flip(data.join(part), seed, 0))?;
        let started = match field.start_again(node) {
            Ok(()) => "starts",
            Err(_) => "refuses to start",
        };
        Ok(format!(
            "node{} {started} with {flipped} other bytes in {part}/, and is replaced",
            node + 1
        ))
    }

    fn heal(&mut self, field: &mut Field) -> anyhow::Result<()> {
        match self.node.take() {
            Some(node) => field.replace(node),
            None => Ok(()),
        }
    }
}
