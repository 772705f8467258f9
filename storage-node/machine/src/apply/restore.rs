//! What a restore brings back, in bounded parts that may be repeated.

use std::ops::ControlFlow;

use storage_node_api::backup::{FeedBounds, HiddenRecord, NumberedPack, Restore};
use storage_node_api::event::Event;
use storage_node_api::map::CLUSTER_GROUP;
use storage_node_api::order::{Refusal, Reply};
use storage_node_api::refs::Ref;
use storage_node_api::repository::{Repository, State};
use storage_node_api::{BlobOwner, Generation, MapEpoch, RepositoryId, Slot};

use super::Stop;
use super::blob::{Admitted, own};
use super::cluster::{current_map, set_map};
use crate::fault::Fault;
use crate::keys::{
    BlobKey, EventKey, Feed, FeedKey, PackKey, PackNumberKey, Record, RefKey, RepositoryKey,
};
use crate::reader::{Reader, load};
use crate::txn::Txn;

pub(super) fn restore(txn: &mut Txn<'_>, part: Restore) -> Result<Reply, Stop> {
    match part {
        Restore::Generation(least) => generation(txn, least),
        Restore::Events(events) => put_events(txn, &events),
        Restore::Feed(bounds) => put_feed(txn, bounds),
        Restore::Repository { repository, hidden } => begin(txn, repository, hidden),
        Restore::Refs { repository, refs } => put_refs(txn, repository, refs),
        Restore::Packs { repository, packs } => put_packs(txn, repository, packs),
        Restore::Finish {
            repository,
            state,
            refs,
            packs,
        } => finish(txn, repository, state, (refs, packs)),
    }
}

fn generation(txn: &mut Txn<'_>, least: Generation) -> Result<Reply, Stop> {
    if txn.group != CLUSTER_GROUP {
        return Err(Refusal::WrongGroup.into());
    }
    let mut map = current_map(txn)?;
    if map.generation < least {
        map.generation = least;
        map.epoch = MapEpoch(map.epoch.0 + 1);
        set_map(txn, map)?;
    }
    Ok(Reply::Done)
}

fn put_events(txn: &mut Txn<'_>, events: &[Event]) -> Result<Reply, Stop> {
    for event in events {
        check_feed(txn, event.repository.slot())?;
    }
    for event in events {
        let key = EventKey {
            slot: event.repository.slot(),
            sequence: event.sequence,
        };
        txn.put(&key, event)?;
    }
    Ok(Reply::Done)
}

fn put_feed(txn: &mut Txn<'_>, bounds: FeedBounds) -> Result<Reply, Stop> {
    let feed = Feed {
        first_kept: bounds.first_kept,
        last: bounds.last,
    };
    txn.check_slot(bounds.slot)?;
    if load(txn, &FeedKey(bounds.slot))? != Some(feed) {
        check_feed(txn, bounds.slot)?;
        txn.put(&FeedKey(bounds.slot), &feed)?;
    }
    Ok(Reply::Done)
}

/// Refuses a slot with a feed of its own.
fn check_feed(txn: &Txn<'_>, slot: Slot) -> Result<(), Stop> {
    txn.check_slot(slot)?;
    match load(txn, &FeedKey(slot))? {
        None => Ok(()),
        Some(_) => Err(Refusal::FeedBegun(slot).into()),
    }
}

fn begin(txn: &mut Txn<'_>, repository: Repository, hidden: HiddenRecord) -> Result<Reply, Stop> {
    let id = repository.id;
    txn.check_slot(id.slot())?;
    match load(txn, &RepositoryKey(id))? {
        Some(record) if record.state == State::Restoring => return Ok(Reply::Done),
        Some(_) => return Err(Refusal::RepositoryExists(id).into()),
        None => {}
    }
    let record = Record {
        hash: repository.hash,
        head: repository.head,
        domain: repository.domain,
        state: State::Restoring,
        version: repository.version,
        packs: 0,
        next_pack: hidden.next_pack,
        bytes: repository.bytes,
        events: repository.events,
        changed: repository.changed,
        origin: hidden.origin,
    };
    txn.put(&RepositoryKey(id), &record)?;
    Ok(Reply::Done)
}

fn put_refs(txn: &mut Txn<'_>, id: RepositoryId, refs: Vec<Ref>) -> Result<Reply, Stop> {
    let record = begun(txn, id)?;
    for one in &refs {
        if !one.name.as_str().starts_with("refs/") {
            return Err(Refusal::NotAReference(one.name.clone()).into());
        }
        if one.target.id.kind() != record.hash {
            return Err(Refusal::OtherHash.into());
        }
    }
    for Ref { name, target } in refs {
        let key = RefKey {
            repository: id,
            name,
        };
        txn.put(&key, &target)?;
    }
    Ok(Reply::Done)
}

fn put_packs(txn: &mut Txn<'_>, id: RepositoryId, packs: Vec<NumberedPack>) -> Result<Reply, Stop> {
    let mut record = begun(txn, id)?;
    let key = |blob| BlobKey {
        slot: id.slot(),
        domain: record.domain,
        blob,
    };
    for NumberedPack { pack, .. } in &packs {
        for blob in [pack.pack, pack.index] {
            if load(txn, &key(blob))?.is_none() {
                return Err(Refusal::NoBlob(blob).into());
            }
        }
    }
    let key = |blob| BlobKey {
        slot: id.slot(),
        domain: record.domain,
        blob,
    };
    let mut added = 0;
    for NumberedPack { number, pack } in packs {
        let place = PackKey {
            repository: id,
            number,
        };
        if load(txn, &place)?.is_some() {
            continue;
        }
        for blob in [pack.pack, pack.index] {
            own(txn, key(blob), Admitted::Present, BlobOwner::Repository(id))?;
        }
        let by_checksum = PackNumberKey {
            repository: id,
            checksum: pack.checksum,
        };
        txn.put(&by_checksum, &number)?;
        txn.put(&place, &pack)?;
        added += 1;
    }
    record.packs += added;
    txn.put(&RepositoryKey(id), &record)?;
    Ok(Reply::Done)
}

fn finish(
    txn: &mut Txn<'_>,
    id: RepositoryId,
    state: State,
    (refs, packs): (u64, u32),
) -> Result<Reply, Stop> {
    let mut record = begun(txn, id)?;
    let found = count_refs(txn, id)?;
    if (found, record.packs) != (refs, packs) {
        return Err(Refusal::NotRestored {
            repository: id,
            refs: found,
            packs: record.packs,
        }
        .into());
    }
    record.state = state;
    txn.put(&RepositoryKey(id), &record)?;
    Ok(Reply::Done)
}

fn count_refs(txn: &Txn<'_>, id: RepositoryId) -> Result<u64, Fault> {
    let span = RefKey::of(id);
    let mut count = 0;
    txn.scan(&span.from, &span.to, &mut |_, _| {
        count += 1;
        ControlFlow::Continue(())
    })?;
    Ok(count)
}

fn begun(txn: &Txn<'_>, id: RepositoryId) -> Result<Record, Stop> {
    txn.check_slot(id.slot())?;
    match load(txn, &RepositoryKey(id))? {
        Some(record) if record.state == State::Restoring => Ok(record),
        Some(_) => Err(Refusal::NotRestoring(id).into()),
        None => Err(Refusal::NoRepository(id).into()),
    }
}
