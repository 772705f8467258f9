//! The ordered feed of a slot's changes.

use storage_node_api::event::{Event, Kind};
use storage_node_api::limits::MAX_SLOT_EVENTS;
use storage_node_api::order::Reply;
use storage_node_api::{RepositoryId, RequestId, Slot};

use super::Stop;
use crate::fault::Fault;
use crate::keys::{EventKey, Feed, FeedKey, Record};
use crate::reader::load;
use crate::txn::Txn;

/// Appends an event of a repository, whose record counts it. The caller stores
/// the record.
pub(super) fn append(
    txn: &mut Txn<'_>,
    request: RequestId,
    repository: RepositoryId,
    record: &mut Record,
    kind: Kind,
) -> Result<(), Fault> {
    let slot = repository.slot();
    let mut feed = load(txn, &FeedKey(slot))?.unwrap_or_default();
    feed.last += 1;
    record.events += 1;
    record.changed = txn.head.time;
    let event = Event {
        sequence: feed.last,
        repository,
        number: record.events,
        time: txn.head.time,
        request,
        kind,
    };
    let sequence = event.sequence;
    txn.put_new(&EventKey { slot, sequence }, &event)?;
    let keep_from = (feed.last + 1).saturating_sub(MAX_SLOT_EVENTS);
    drop_before(txn, slot, &mut feed, keep_from)?;
    txn.put(&FeedKey(slot), &feed)
}

/// Drops the events before `keep_from`.
pub(super) fn truncate(txn: &mut Txn<'_>, slot: Slot, keep_from: u64) -> Result<Reply, Stop> {
    txn.check_slot(slot)?;
    if let Some(mut feed) = load(txn, &FeedKey(slot))? {
        let end = feed.last + 1;
        drop_before(txn, slot, &mut feed, keep_from.min(end))?;
        txn.put(&FeedKey(slot), &feed)?;
    }
    Ok(Reply::Done)
}

fn drop_before(
    txn: &mut Txn<'_>,
    slot: Slot,
    feed: &mut Feed,
    keep_from: u64,
) -> Result<(), Fault> {
    while feed.first_kept < keep_from {
        let sequence = feed.first_kept;
        txn.remove(&EventKey { slot, sequence })?;
        feed.first_kept += 1;
    }
    Ok(())
}
