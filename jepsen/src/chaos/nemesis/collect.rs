use rand::rngs::StdRng;

use super::{Field, Nemesis};

/// A cycle of the collector at full speed while clients push and delete.
pub(super) struct Collect;

impl Nemesis for Collect {
    fn start(&mut self, field: &mut Field, _: &mut StdRng) -> anyhow::Result<String> {
        let said = field.cluster.collect(false)?;
        let last = said.trim().lines().next_back().unwrap_or_default();
        Ok(format!("a cycle: {}", last.trim()))
    }

    fn heal(&mut self, _: &mut Field) -> anyhow::Result<()> {
        Ok(())
    }
}
