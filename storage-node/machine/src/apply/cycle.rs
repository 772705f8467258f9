//! The collector's clock: it advances in the cluster group, and each data group
//! follows with a barrier.

use storage_node_api::map::{CLUSTER_GROUP, COLLECTION_VERSION};
use storage_node_api::order::{Refusal, Reply};
use storage_node_api::{Generation, GroupId, MapEpoch};

use super::cluster::{current_map, only_in_cluster_group, set_map};
use super::{Stop, removed};
use crate::keys::CycleKey;
use crate::reader::load;
use crate::txn::Txn;

/// One generation on, if the clock is where it was seen and every group has
/// passed the last barrier.
pub(super) fn advance(txn: &mut Txn<'_>, seen: Generation) -> Result<Reply, Stop> {
    only_in_cluster_group(txn)?;
    let mut map = current_map(txn)?;
    if map.machine_version < COLLECTION_VERSION {
        return Err(Refusal::TooEarly {
            needed: COLLECTION_VERSION,
            actual: map.machine_version,
        }
        .into());
    }
    if map.generation != seen {
        return Err(Refusal::GenerationMoved {
            seen,
            actual: map.generation,
        }
        .into());
    }
    let mut cycle = load(txn, &CycleKey)?.unwrap_or_default();
    for group in map.owners() {
        if cycle.barrier_of(group) < map.generation {
            return Err(Refusal::BarrierOutstanding {
                group,
                generation: map.generation,
            }
            .into());
        }
    }
    map.generation = Generation(map.generation.0 + 1);
    map.epoch = MapEpoch(map.epoch.0 + 1);
    cycle.began = Some(txn.head.time);
    txn.put(&CycleKey, &cycle)?;
    set_map(txn, map)?;
    Ok(Reply::Done)
}

/// A group tells of its barrier.
pub(super) fn passed(
    txn: &mut Txn<'_>,
    group: GroupId,
    generation: Generation,
) -> Result<Reply, Stop> {
    only_in_cluster_group(txn)?;
    let map = current_map(txn)?;
    let actual = map.generation;
    if generation > actual {
        let seen = generation;
        return Err(Refusal::GenerationMoved { seen, actual }.into());
    }
    let mut cycle = load(txn, &CycleKey)?.unwrap_or_default();
    let is_known = |group: GroupId| map.data_groups().contains(&group);
    if !is_known(group) || cycle.barrier_of(group) >= generation {
        return Ok(Reply::Done);
    }
    cycle
        .passed
        .retain(|(known, _)| *known != group && is_known(*known));
    cycle.passed.push((group, generation));
    cycle.passed.sort_unstable();
    txn.put(&CycleKey, &cycle)?;
    Ok(Reply::Done)
}

/// Sessions of earlier generations are refused from here on, and what was
/// removed before is no longer listed. Again: forgets more of it.
pub(super) fn barrier(txn: &mut Txn<'_>, generation: Generation) -> Result<Reply, Stop> {
    if txn.group == CLUSTER_GROUP {
        return Err(Refusal::WrongGroup.into());
    }
    txn.head.generation = txn.head.generation.max(generation);
    removed::forget(txn)?;
    Ok(Reply::Done)
}
