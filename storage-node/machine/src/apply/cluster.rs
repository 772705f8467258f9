//! The cluster map: made and changed in the cluster group, adopted by all.

use std::sync::Arc;

use storage_node_api::limits::{MAX_COMMAND_BYTES, MAX_NODES};
use storage_node_api::map::{
    CLUSTER_GROUP, ClusterMap, MACHINE_VERSION, MEMBERS_VERSION, MembersChange, POLICIES_VERSION,
    Policies,
};
use storage_node_api::order::{Join, Refusal, Reply};
use storage_node_api::{Incarnation, MapEpoch, NodeId};

use super::{Stop, slots};
use crate::fault::Fault;
use crate::keys::MapKey;
use crate::txn::Txn;
use crate::value;

/// The most bytes of a map with new policies, so that it fits into an entry with
/// room for nodes that join later.
const MAX_MAP_BYTES: usize = MAX_COMMAND_BYTES / 4 * 3;

/// The first map. Again with the same map: no effect.
pub(super) fn found(txn: &mut Txn<'_>, map: ClusterMap) -> Result<Reply, Stop> {
    only_in_cluster_group(txn)?;
    if let Some(current) = &txn.map {
        return match **current == map {
            true => Ok(Reply::Done),
            false => Err(Refusal::StaleMap.into()),
        };
    }
    if map.nodes.len() > MAX_NODES {
        return Err(Refusal::TooManyNodes.into());
    }
    let last = map.nodes.iter().map(|node| node.id.0).max();
    txn.head.next_node = last.unwrap_or(0) + 1;
    set_map(txn, map)?;
    Ok(Reply::Done)
}

/// A new node, under a number that no node ever had.
pub(super) fn join(txn: &mut Txn<'_>, join: Join) -> Result<Reply, Stop> {
    only_in_cluster_group(txn)?;
    let mut map = current_map(txn)?;
    if map.nodes.len() >= MAX_NODES {
        return Err(Refusal::TooManyNodes.into());
    }
    let id = NodeId(txn.head.next_node);
    txn.head.next_node += 1;
    map.nodes.push(join.into_node(id));
    map.epoch = MapEpoch(map.epoch.0 + 1);
    set_map(txn, map)?;
    Ok(Reply::Joined(id))
}

/// A node has started: its incarnation and where it listens.
pub(super) fn started(
    txn: &mut Txn<'_>,
    id: NodeId,
    incarnation: Incarnation,
    (control, bulk): (String, String),
) -> Result<Reply, Stop> {
    only_in_cluster_group(txn)?;
    let mut map = current_map(txn)?;
    let node = map.nodes.iter_mut().find(|node| node.id == id);
    let node = node.ok_or(Refusal::NoNode(id))?;
    if incarnation == node.incarnation && (&control, &bulk) == (&node.control, &node.bulk) {
        return Ok(Reply::Done);
    }
    if incarnation <= node.incarnation {
        return Err(Refusal::RolledBack {
            node: id,
            known: node.incarnation,
            claimed: incarnation,
        }
        .into());
    }
    (node.incarnation, node.control, node.bulk) = (incarnation, control, bulk);
    map.epoch = MapEpoch(map.epoch.0 + 1);
    set_map(txn, map)?;
    Ok(Reply::Done)
}

/// Other policies, if the map is still the one that they were made for.
pub(super) fn set_policies(
    txn: &mut Txn<'_>,
    seen: MapEpoch,
    policies: Policies,
) -> Result<Reply, Stop> {
    only_in_cluster_group(txn)?;
    let mut map = current_map(txn)?;
    if map.machine_version < POLICIES_VERSION {
        return Err(Refusal::TooEarly {
            needed: POLICIES_VERSION,
            actual: map.machine_version,
        }
        .into());
    }
    if map.epoch != seen {
        return Err(Refusal::MapChanged {
            seen,
            actual: map.epoch,
        }
        .into());
    }
    policies
        .check(&map.policies, &map.nodes)
        .map_err(Refusal::Policy)?;
    map.policies = policies;
    map.epoch = MapEpoch(map.epoch.0 + 1);
    let bytes = value::encode::<MapKey>(&map)?.len();
    if bytes > MAX_MAP_BYTES {
        return Err(Refusal::MapTooLarge(u32::try_from(bytes).unwrap_or(u32::MAX)).into());
    }
    set_map(txn, map)?;
    Ok(Reply::Done)
}

/// Nodes come, move and go, if the map is still the one that the change was made for. A recovery
/// is made for whatever map its survivor comes to.
pub(super) fn change_members(
    txn: &mut Txn<'_>,
    seen: MapEpoch,
    change: &MembersChange,
) -> Result<Reply, Stop> {
    only_in_cluster_group(txn)?;
    let map = current_map(txn)?;
    if map.machine_version < MEMBERS_VERSION {
        return Err(Refusal::TooEarly {
            needed: MEMBERS_VERSION,
            actual: map.machine_version,
        }
        .into());
    }
    let is_recovery = matches!(change, MembersChange::Recovered(_));
    if map.epoch != seen && !is_recovery {
        return Err(Refusal::MapChanged {
            seen,
            actual: map.epoch,
        }
        .into());
    }
    let map = map.changed(change).map_err(Refusal::Members)?;
    txn.head.next_node = txn.head.next_node.max(map.members.next_node);
    let bytes = value::encode::<MapKey>(&map)?.len();
    if bytes > MAX_MAP_BYTES {
        return Err(Refusal::MapTooLarge(u32::try_from(bytes).unwrap_or(u32::MAX)).into());
    }
    set_map(txn, map)?;
    Ok(Reply::Done)
}

/// Every replica understands more than the map says.
pub(super) fn raise_version(txn: &mut Txn<'_>, version: u32) -> Result<Reply, Stop> {
    only_in_cluster_group(txn)?;
    let mut map = current_map(txn)?;
    if version > map.machine_version {
        map.machine_version = version;
        map.epoch = MapEpoch(map.epoch.0 + 1);
        set_map(txn, map)?;
    }
    Ok(Reply::Done)
}

/// A data group takes a newer map. From a map that has lost a node on, sessions
/// of earlier epochs are refused.
pub(super) fn adopt(txn: &mut Txn<'_>, map: ClusterMap) -> Result<Reply, Stop> {
    if txn.group == CLUSTER_GROUP {
        return Err(Refusal::WrongGroup.into());
    }
    match &txn.map {
        Some(current) if current.cluster != map.cluster => return Err(Refusal::WrongGroup.into()),
        Some(current) if **current == map => return Ok(Reply::Done),
        Some(current) if current.epoch >= map.epoch => return Err(Refusal::StaleMap.into()),
        Some(current) => {
            if current.nodes.iter().any(|node| map.node(node.id).is_none()) {
                txn.head.min_epoch = map.epoch;
            }
        }
        None => txn.head.generation = txn.head.generation.max(map.generation),
    }
    slots::follow(txn, &map)?;
    set_map(txn, map)?;
    Ok(Reply::Done)
}

pub(super) fn only_in_cluster_group(txn: &Txn<'_>) -> Result<(), Refusal> {
    match txn.group {
        CLUSTER_GROUP => Ok(()),
        _ => Err(Refusal::WrongGroup),
    }
}

pub(super) fn current_map(txn: &Txn<'_>) -> Result<ClusterMap, Refusal> {
    let map = txn.map.as_deref();
    map.cloned().ok_or(Refusal::WrongGroup)
}

pub(super) fn set_map(txn: &mut Txn<'_>, mut map: ClusterMap) -> Result<(), Fault> {
    if txn.group == CLUSTER_GROUP && map.machine_version >= MEMBERS_VERSION {
        map.members.next_node = txn.head.next_node;
    }
    if map.machine_version > MACHINE_VERSION {
        return Err(Fault::MachineVersion {
            found: map.machine_version,
        });
    }
    txn.put(&MapKey, &map)?;
    txn.map = Some(Arc::new(map));
    Ok(())
}
