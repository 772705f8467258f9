use storage_node_api::slots::Borders;

use super::{Family, Key, Parts};

/// Where a data group keeps which slots come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BordersKey;

impl Key for BordersKey {
    const FAMILY: Family = Family::Borders;
    type Value = Borders;

    fn write(&self, _: &mut Vec<u8>) {}

    fn read(_: &mut Parts<'_>) -> Option<Self> {
        Some(Self)
    }
}
