use storage_node_api::backup::Hold;

use super::{Family, Key, Parts};

/// Where the last hold on the group is kept, also when it has ended: its number
/// is the base of the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HoldKey;

impl Key for HoldKey {
    const FAMILY: Family = Family::Hold;
    type Value = Hold;

    fn write(&self, _: &mut Vec<u8>) {}

    fn read(_: &mut Parts<'_>) -> Option<Self> {
        Some(Self)
    }
}
