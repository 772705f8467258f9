use std::time::Duration;

use anyhow::Context;
use rand::Rng;
use rand::rngs::StdRng;

use super::{Field, Nemesis};

/// A disk that takes its time.
#[derive(Default)]
pub(super) struct SlowDisk {
    node: Option<usize>,
}

impl Nemesis for SlowDisk {
    fn start(&mut self, field: &mut Field, random: &mut StdRng) -> anyhow::Result<String> {
        let node = field.choose_node(random);
        let by = Duration::from_millis(random.random_range(20..300));
        let shim = field.shims.get(node).context("there is no shim")?;
        shim.slow_syncs(by)?;
        self.node = Some(node);
        Ok(format!("node{}: {by:?} a sync", node + 1))
    }

    fn heal(&mut self, field: &mut Field) -> anyhow::Result<()> {
        match self.node.take().and_then(|node| field.shims.get(node)) {
            Some(shim) => shim.slow_syncs(Duration::ZERO),
            None => Ok(()),
        }
    }
}
