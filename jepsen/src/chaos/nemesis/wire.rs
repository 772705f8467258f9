use rand::rngs::StdRng;

use super::{Field, Nemesis};
use crate::harness::Operator;

/// What an operator can order of any cluster over the wire, be it ours or not.
/// Says what it was. There is nothing to heal.
pub(in crate::chaos) type Order = fn(&Operator, &mut StdRng) -> anyhow::Result<String>;

/// Such an order as a fault.
pub(super) struct Wire(pub(super) Order);

impl Nemesis for Wire {
    fn start(&mut self, field: &mut Field, random: &mut StdRng) -> anyhow::Result<String> {
        (self.0)(&field.cluster.operator(), random)
    }

    fn heal(&mut self, _: &mut Field) -> anyhow::Result<()> {
        Ok(())
    }
}
