use serde::{Deserialize, Serialize};
use storage_node_api::collect::Cycle;
use storage_node_api::map::ClusterMap;

use super::{Family, Key, Parts};
use crate::head::Head;

/// Where the hash of all other pairs is kept. The only key that it leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seal;

/// The last index applied and the state hash after it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sealed {
    pub(crate) index: u64,
    pub(crate) hash: [u8; 32],
}

/// Where the group's own counters are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeadKey;

/// Where the map in force is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MapKey;

/// Where the cluster group keeps how far the collector's cycle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CycleKey;

impl Key for Seal {
    const FAMILY: Family = Family::Seal;
    type Value = Sealed;

    fn write(&self, _: &mut Vec<u8>) {}

    fn read(_: &mut Parts<'_>) -> Option<Self> {
        Some(Self)
    }
}

impl Key for HeadKey {
    const FAMILY: Family = Family::Head;
    type Value = Head;

    fn write(&self, _: &mut Vec<u8>) {}

    fn read(_: &mut Parts<'_>) -> Option<Self> {
        Some(Self)
    }
}

impl Key for MapKey {
    const FAMILY: Family = Family::Map;
    type Value = ClusterMap;

    fn write(&self, _: &mut Vec<u8>) {}

    fn read(_: &mut Parts<'_>) -> Option<Self> {
        Some(Self)
    }
}

impl Key for CycleKey {
    const FAMILY: Family = Family::Cycle;
    type Value = Cycle;

    fn write(&self, _: &mut Vec<u8>) {}

    fn read(_: &mut Parts<'_>) -> Option<Self> {
        Some(Self)
    }
}
