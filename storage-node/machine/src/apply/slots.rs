//! Slots that come and go: which the group answers for, what it receives, what it forgets.

use storage_node_api::backup::SlotSpan;
use storage_node_api::limits::{FORGOTTEN_KEYS, MAX_COMMAND_BYTES};
use storage_node_api::map::{CLUSTER_GROUP, ClusterMap, Moving, Phase, SLOTS_VERSION, SlotsChange};
use storage_node_api::order::{Refusal, Reply};
use storage_node_api::slots::{Borders, Import, Received, SlotPage};
use storage_node_api::{GroupId, MapEpoch};

use super::cluster::{current_map, only_in_cluster_group, set_map};
use super::{Stop, requests};
use crate::fault::Fault;
use crate::keys::{BordersKey, MapKey};
use crate::slots::{borders, first_keys, is_of};
use crate::txn::Txn;
use crate::value;

/// The most bytes that a map may come to, as with other changes of it.
const MAX_MAP_BYTES: usize = MAX_COMMAND_BYTES / 4 * 3;

/// Another division, or a step towards it.
pub(super) fn change(
    txn: &mut Txn<'_>,
    seen: MapEpoch,
    change: &SlotsChange,
) -> Result<Reply, Stop> {
    only_in_cluster_group(txn)?;
    let map = current_map(txn)?;
    if map.machine_version < SLOTS_VERSION {
        let (needed, actual) = (SLOTS_VERSION, map.machine_version);
        return Err(Refusal::TooEarly { needed, actual }.into());
    }
    if change.is_ordered() && map.epoch != seen {
        let actual = map.epoch;
        return Err(Refusal::MapChanged { seen, actual }.into());
    }
    let map = map.moved(change).map_err(Refusal::Slots)?;
    let bytes = value::encode::<MapKey>(&map)?.len();
    if bytes > MAX_MAP_BYTES {
        return Err(Refusal::MapTooLarge(u32::try_from(bytes).unwrap_or(u32::MAX)).into());
    }
    set_map(txn, map)?;
    Ok(Reply::Done)
}

/// Called before a data group takes `map` in place of its own: from then on it answers for the slots
/// that the map gives it, unless they are being closed, and has to forget those that it has lost.
pub(super) fn follow(txn: &mut Txn<'_>, map: &ClusterMap) -> Result<(), Fault> {
    if map.machine_version < SLOTS_VERSION {
        return Ok(());
    }
    let before = borders(txn)?;
    let had = txn
        .map
        .as_deref()
        .map_or(Vec::new(), |had| owned(had, txn.group));
    let has = owned(map, txn.group);
    let lost = had.into_iter().flat_map(|span| without(span, &has));
    let moving = map.moves.moving.as_ref();
    let closing = moving.filter(|moving| moving.phase == Phase::Closing);
    let closed: Vec<SlotSpan> = closing.map(span).into_iter().collect();
    let after = Borders {
        open: has
            .iter()
            .flat_map(|span| without(*span, &closed))
            .collect(),
        leftover: before.leftover.into_iter().chain(lost).collect(),
        received: before
            .received
            .filter(|received| moving.is_some_and(|moving| moving.number == received.number)),
    };
    txn.put(&BordersKey, &after)
}

/// A page of the slots that the group receives.
pub(super) fn import(txn: &mut Txn<'_>, import: Import) -> Result<Reply, Stop> {
    let Import { number, part, page } = import;
    let moving = txn.map.as_ref().and_then(|map| map.moves.moving);
    let is_due = |moving: &Moving| moving.number == number && moving.to == txn.group;
    let moving = moving.filter(is_due).ok_or(Refusal::NotImporting)?;
    let mut borders = borders(txn)?;
    let received = borders.received.take().filter(|had| had.number == number);
    let parts = received.as_ref().map_or(0, |received| received.parts);
    if part < parts {
        return Ok(Reply::Done);
    }
    let follows = received.is_none_or(|received| received.next.is_some());
    let is_clear = !borders
        .leftover
        .iter()
        .any(|left| overlap(*left, span(&moving)));
    let fits = page.pairs.iter().all(|(key, _)| is_of(key, &moving));
    if part > parts || !follows || !is_clear || !fits || moving.phase != Phase::Copying {
        return Err(Refusal::NotImporting.into());
    }
    borders.received = Some(Received {
        number,
        parts: parts + 1,
        next: page.next.clone(),
    });
    txn.put(&BordersKey, &borders)?;
    take(txn, page)?;
    Ok(Reply::Done)
}

fn take(txn: &mut Txn<'_>, page: SlotPage) -> Result<(), Fault> {
    for (key, value) in page.pairs {
        txn.change(key, Some(value.into()))?;
    }
    for (id, reply) in page.replies {
        if requests::recall(txn, id)?.is_none() {
            requests::remember(txn, id, &reply)?;
        }
    }
    let head = &mut txn.head;
    head.generation = head.generation.max(page.generation);
    head.min_epoch = head.min_epoch.max(page.min_epoch);
    head.time = head.time.max(page.time);
    Ok(())
}

/// Forgets some of what is left of slots that the group owns no more.
pub(super) fn forget(txn: &mut Txn<'_>) -> Result<Reply, Stop> {
    if txn.group == CLUSTER_GROUP {
        return Err(Refusal::WrongGroup.into());
    }
    let mut borders = borders(txn)?;
    let Some(first) = borders.leftover.first().copied() else {
        return Ok(Reply::Done);
    };
    let keys = first_keys(txn, first, FORGOTTEN_KEYS)?;
    if keys.len() < FORGOTTEN_KEYS {
        borders.leftover.remove(0);
        txn.put(&BordersKey, &borders)?;
    }
    for key in keys {
        txn.change(key, None)?;
    }
    Ok(Reply::Done)
}

/// The slots of a group by a map.
fn owned(map: &ClusterMap, group: GroupId) -> Vec<SlotSpan> {
    let ranges = map.groups.iter().filter(|range| range.group == group);
    let span = ranges.map(|range| SlotSpan {
        first: range.first,
        last: range.last,
    });
    span.collect()
}

fn span(moving: &Moving) -> SlotSpan {
    SlotSpan {
        first: moving.first,
        last: moving.last,
    }
}

fn overlap(one: SlotSpan, other: SlotSpan) -> bool {
    one.first <= other.last && other.first <= one.last
}

/// What is left of some slots without others.
fn without(span: SlotSpan, others: &[SlotSpan]) -> Vec<SlotSpan> {
    let mut left = vec![span];
    for other in others {
        left = left
            .into_iter()
            .flat_map(|span| cut(span, *other))
            .collect();
    }
    left
}

fn cut(span: SlotSpan, other: SlotSpan) -> Vec<SlotSpan> {
    if !overlap(span, other) {
        return vec![span];
    }
    let mut left = Vec::new();
    if span.first < other.first {
        left.push(SlotSpan {
            first: span.first,
            last: storage_node_api::Slot(other.first.0 - 1),
        });
    }
    if other.last < span.last {
        left.push(SlotSpan {
            first: storage_node_api::Slot(other.last.0 + 1),
            last: span.last,
        });
    }
    left
}
