use std::time::Duration;

use anyhow::Context;
use rand::Rng;
use rand::rngs::StdRng;

use super::{Field, Nemesis};

/// A wall clock that is wrong.
#[derive(Default)]
pub(super) struct Clock {
    node: Option<usize>,
}

impl Nemesis for Clock {
    fn start(&mut self, field: &mut Field, random: &mut StdRng) -> anyhow::Result<String> {
        let node = field.choose_node(random);
        // As many small skews as large ones.
        let longest = [2, 60, 3600, 86_400][random.random_range(0..4)];
        let by = Duration::from_secs(random.random_range(1..=longest));
        let back = random.random_bool(0.5);
        let shim = field.shims.get(node).context("there is no shim")?;
        shim.skew(by, back)?;
        self.node = Some(node);
        let way = if back { "back" } else { "forward" };
        Ok(format!("node{}: {by:?} {way}", node + 1))
    }

    fn heal(&mut self, field: &mut Field) -> anyhow::Result<()> {
        match self.node.take().and_then(|node| field.shims.get(node)) {
            Some(shim) => shim.skew(Duration::ZERO, false),
            None => Ok(()),
        }
    }
}
