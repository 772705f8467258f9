//! What a group has of slots, as it goes to another group.

use std::ops::ControlFlow;

use storage_node_api::Slot;
use storage_node_api::backup::SlotSpan;
use storage_node_api::limits::{CARRIED_REPLIES, SLOT_PAGE_BYTES};
use storage_node_api::map::{MOVE_SLOTS, Moving};
use storage_node_api::order::Query;
use storage_node_api::slots::{Borders, SlotPage};

use crate::fault::Fault;
use crate::keys::{
    BordersKey, HeadKey, Key, MapKey, RequestKey, RequestOrderKey, SLOT_FAMILIES, of_slots,
};
use crate::reader::{Reader, Span, load, visit};

/// Whether a question is about a slot that the group does not answer for. A group that has not
/// adopted a map with moves answers for whatever it is asked.
pub(crate) fn is_elsewhere(state: &dyn Reader, query: &Query) -> Result<bool, Fault> {
    let Some(first) = query.slot() else {
        return Ok(false);
    };
    let last = match query {
        Query::Repositories { slots, .. } | Query::Owners { slots, .. } | Query::Feeds(slots) => {
            Slot(slots.last.0.min(Slot::COUNT - 1))
        }
        _ => first,
    };
    let Some(Borders { open, .. }) = load(state, &BordersKey)? else {
        return Ok(false);
    };
    let holds = |span: &SlotSpan| span.first <= first && last <= span.last;
    Ok(!open.iter().any(holds))
}

/// A page for the group that receives the slots, once nobody writes to them any more.
pub(crate) fn page(
    state: &dyn Reader,
    number: u64,
    after: &[u8],
) -> Result<Option<SlotPage>, Fault> {
    let map = load(state, &MapKey)?;
    let moving = map.and_then(|map| map.moves.moving);
    let Some(moving) = moving.filter(|moving| moving.number == number) else {
        return Ok(None);
    };
    let head = load(state, &HeadKey)?.unwrap_or_default();
    let mut page = SlotPage {
        pairs: Vec::new(),
        replies: Vec::new(),
        generation: head.generation,
        min_epoch: head.min_epoch,
        time: head.time,
        next: None,
    };
    let mut bytes = 0;
    for span in spans(&moving) {
        if after.first() <= span.from.first() {
            page.next = pairs(state, span, after, (&mut page, &mut bytes))?;
        }
        if page.next.is_some() {
            return Ok(Some(page));
        }
    }
    replies(state, after, &mut page, bytes)?;
    Ok(Some(page))
}

/// The keys of the slots of a move, family by family in the order of their tags.
fn spans(moving: &Moving) -> impl Iterator<Item = Span> {
    let of = |family| of_slots(family, moving.first, moving.last);
    SLOT_FAMILIES.into_iter().map(of)
}

/// Adds the pairs of a family; where the next page begins if there are more.
fn pairs(
    state: &dyn Reader,
    mut span: Span,
    after: &[u8],
    (page, bytes): (&mut SlotPage, &mut usize),
) -> Result<Option<Vec<u8>>, Fault> {
    if after.first() == span.from.first() {
        span.from = after.to_vec();
    }
    let mut next = None;
    state.scan(&span.from, &span.to, &mut |key, value| {
        let size = key.len() + value.len();
        if *bytes > 0 && *bytes + size > SLOT_PAGE_BYTES {
            next = Some(key.to_vec());
            return ControlFlow::Break(());
        }
        *bytes += size;
        page.pairs.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    })?;
    Ok(next)
}

/// The tag of the cursor of what comes after all pairs.
const REPLIES: u8 = 0xfe;

fn replies(
    state: &dyn Reader,
    after: &[u8],
    page: &mut SlotPage,
    mut bytes: usize,
) -> Result<(), Fault> {
    let head = load(state, &HeadKey)?.unwrap_or_default();
    let oldest = head.next_request.saturating_sub(CARRIED_REPLIES);
    let mut from = oldest.max(head.first_request);
    if let Some((&REPLIES, order)) = after.split_first()
        && let Some((order, [])) = order.split_first_chunk()
    {
        from = from.max(u64::from_be_bytes(*order));
    }
    let span = Span {
        from: RequestOrderKey(from).encode(),
        to: RequestOrderKey(u64::MAX).encode(),
    };
    let mut ids = Vec::new();
    visit(state, &span, |RequestOrderKey(order), id| {
        ids.push((order, id));
        match ids.len() < usize::from(MOVE_SLOTS) * 8 {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    })?;
    let cursor = |order: u64| [&[REPLIES][..], &order.to_be_bytes()].concat();
    let full = ids.len() == usize::from(MOVE_SLOTS) * 8;
    let last = ids.last().map(|(order, _)| *order);
    for (order, id) in ids {
        let stored = state.get(&RequestKey(id).encode())?;
        bytes += stored.map_or(0, |stored| stored.len() + id.0.len());
        if bytes > SLOT_PAGE_BYTES && !(page.pairs.is_empty() && page.replies.is_empty()) {
            page.next = Some(cursor(order));
            return Ok(());
        }
        if let Some(remembered) = load(state, &RequestKey(id))? {
            page.replies.push((id, remembered.reply));
        }
    }
    page.next = last.filter(|_| full).map(|order| cursor(order + 1));
    Ok(())
}

/// Whether a key is of one of these slots.
pub(crate) fn is_of(key: &[u8], moving: &Moving) -> bool {
    spans(moving).any(|span| span.from.as_slice() <= key && key < span.to.as_slice())
}

/// The first keys that are there of some slots.
pub(crate) fn first_keys(
    state: &dyn Reader,
    slots: SlotSpan,
    limit: usize,
) -> Result<Vec<Vec<u8>>, Fault> {
    let mut keys = Vec::new();
    for family in SLOT_FAMILIES {
        let span = of_slots(family, slots.first, slots.last);
        if keys.len() < limit {
            state.scan(&span.from, &span.to, &mut |key, _| {
                keys.push(key.to_vec());
                match keys.len() < limit {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                }
            })?;
        }
    }
    Ok(keys)
}

/// What the group keeps of slots that come and go.
pub(crate) fn borders(state: &dyn Reader) -> Result<Borders, Fault> {
    Ok(load(state, &BordersKey)?.unwrap_or_default())
}
