//! Answers to the questions of a backup.

use std::ops::ControlFlow;

use storage_node_api::backup::{
    FeedBounds, HiddenRecord, NumberedPack, OwnedBlob, RepositoryCopy, SlotSpan,
};
use storage_node_api::limits::LISTING_PAGE;
use storage_node_api::order::Answer;
use storage_node_api::refs::Ref;
use storage_node_api::{BlobOwner, RepositoryId, Slot};

use crate::apply::in_force;
use crate::fault::Fault;
use crate::keys::{
    Feed, FeedKey, HeadKey, Key, OwnerKey, PackKey, Record, RefKey, RepositoryKey, of_slots,
};
use crate::reader::{Reader, Span, list, load, visit};

/// The hold that is in force at the group's own time.
pub(crate) fn hold(state: &dyn Reader) -> Result<Answer, Fault> {
    let now = load(state, &HeadKey)?.unwrap_or_default().time;
    in_force(state, now).map(Answer::Hold)
}

/// Everything of one repository.
pub(crate) fn repository(state: &dyn Reader, id: RepositoryId) -> Result<Answer, Fault> {
    let Some(record) = load(state, &RepositoryKey(id))? else {
        return Ok(Answer::RepositoryCopy(None));
    };
    let hidden = HiddenRecord {
        next_pack: record.next_pack,
        origin: record.origin,
    };
    let refs = list::<RefKey>(state, &RefKey::of(id))?.into_iter();
    let packs = list::<PackKey>(state, &PackKey::of(id))?.into_iter();
    Ok(Answer::RepositoryCopy(Some(Box::new(RepositoryCopy {
        repository: record.into_repository(id),
        hidden,
        refs: refs
            .map(|(RefKey { name, .. }, target)| Ref { name, target })
            .collect(),
        packs: packs
            .map(|(PackKey { number, .. }, pack)| NumberedPack { number, pack })
            .collect(),
    }))))
}

/// The ids of the next repositories.
pub(crate) fn repositories(
    state: &dyn Reader,
    slots: SlotSpan,
    after: Option<RepositoryId>,
) -> Result<Answer, Fault> {
    let span = span::<RepositoryKey>(slots, after.map(RepositoryKey));
    let mut ids = Vec::new();
    visit(state, &span, |RepositoryKey(id), _: Record| {
        ids.push(id);
        flow(ids.len())
    })?;
    Ok(Answer::Repositories(ids))
}

/// The next owners that the application named.
pub(crate) fn owners(
    state: &dyn Reader,
    slots: SlotSpan,
    after: Option<OwnedBlob>,
) -> Result<Answer, Fault> {
    let after = after.map(|last| OwnerKey {
        slot: last.slot,
        blob: last.blob,
        owner: BlobOwner::Named(last.owner),
    });
    let mut owned = Vec::new();
    visit(state, &span(slots, after), |key: OwnerKey, domain| {
        if let BlobOwner::Named(owner) = key.owner {
            owned.push(OwnedBlob {
                slot: key.slot,
                blob: key.blob,
                owner,
                domain,
            });
        }
        flow(owned.len())
    })?;
    Ok(Answer::Owners(owned))
}

/// All feeds; there is one per slot at most.
pub(crate) fn feeds(state: &dyn Reader, slots: SlotSpan) -> Result<Answer, Fault> {
    let span = span::<FeedKey>(slots, None);
    let feeds = list::<FeedKey>(state, &span)?.into_iter();
    let bounds = feeds.map(|(FeedKey(slot), Feed { first_kept, last })| FeedBounds {
        slot,
        first_kept,
        last,
    });
    Ok(Answer::Feeds(bounds.collect()))
}

fn flow(collected: usize) -> ControlFlow<()> {
    match collected < LISTING_PAGE {
        true => ControlFlow::Continue(()),
        false => ControlFlow::Break(()),
    }
}

/// The keys of a family in these slots, after the given one.
fn span<K: Key>(slots: SlotSpan, after: Option<K>) -> Span {
    let last = slots.last.0.min(Slot::COUNT - 1);
    let mut span = of_slots(K::FAMILY, slots.first, Slot(last));
    if let Some(after) = after {
        let mut key = after.encode();
        key.push(0);
        span.from = span.from.max(key);
        span.to = span.to.max(span.from.clone());
    }
    span
}
