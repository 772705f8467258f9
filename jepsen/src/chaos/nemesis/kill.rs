use rand::Rng;
use rand::rngs::StdRng;

use super::{Field, Nemesis};

/// `kill -9` to one process.
#[derive(Default)]
pub(super) struct Kill {
    node: Option<usize>,
    frontend: Option<usize>,
}

impl Nemesis for Kill {
    fn start(&mut self, field: &mut Field, random: &mut StdRng) -> anyhow::Result<String> {
        if random.random_ratio(1, 4) {
            let index = random.random_range(0..field.cluster.frontends.len());
            self.frontend = Some(index);
            field.cluster.frontends[index].kill()?;
            return Ok(format!("frontend{}", index + 1));
        }
        let node = field.choose_node(random);
        self.node = Some(node);
        field.kill(node)?;
        Ok(format!("node{}", node + 1))
    }

    fn heal(&mut self, field: &mut Field) -> anyhow::Result<()> {
        if let Some(index) = self.frontend.take() {
            field.cluster.frontends[index].restart()?;
        }
        match self.node.take() {
            Some(node) => field.start_again(node),
            None => Ok(()),
        }
    }
}
