use rand::rngs::StdRng;

use crate::harness::Operator;

/// A cycle of the collector at full speed while clients push and delete.
pub(super) fn collect(operator: &Operator, _: &mut StdRng) -> anyhow::Result<String> {
    let said = operator.collect(false)?;
    let last = said.trim().lines().next_back().unwrap_or_default();
    Ok(format!("a cycle: {}", last.trim()))
}
