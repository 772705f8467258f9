//! Answers to reads.

use std::ops::ControlFlow;

use chunking::{BlobId, Manifest};
use storage_node_api::event::Events;
use storage_node_api::limits::{EVENT_PAGE, EVENT_PAGE_BYTES, LIVE_PAGE_CHUNKS};
use storage_node_api::order::{Answer, Query};
use storage_node_api::refs::{Ref, RefList};
use storage_node_api::repository::PackList;
use storage_node_api::{DedupDomain, Generation, MapEpoch, RepositoryId, Slot};

use crate::apply::closed;
use crate::copy;
use crate::fault::Fault;
use crate::keys::{
    BlobKey, BlobPartKey, CycleKey, EventKey, FeedKey, HeadKey, MapKey, PackKey, RefKey,
    RepositoryKey, Seal,
};
use crate::live::{listed_chunks, live_chunks};
use crate::reader::{Reader, list, load};
use crate::slots;
use crate::value;

/// Answers a query from a view of the group's state. How fresh the view is, is
/// the caller's business.
pub fn query(state: &dyn Reader, query: &Query) -> Result<Answer, Fault> {
    if slots::is_elsewhere(state, query)? {
        return Ok(Answer::Elsewhere);
    }
    Ok(match query {
        Query::Repository(id) => Answer::Repository(
            load(state, &RepositoryKey(*id))?.map(|record| record.into_repository(*id)),
        ),
        Query::Refs { repository, known } => refs(state, *repository, *known)?,
        Query::Packs { repository, known } => packs(state, *repository, *known)?,
        Query::Manifest { slot, domain, blob } => {
            Answer::Manifest(manifest(state, *slot, *domain, *blob)?)
        }
        Query::Events { slot, after, limit } => {
            Answer::Events(events(state, *slot, *after, *limit)?)
        }
        Query::Map => Answer::Map(load(state, &MapKey)?),
        Query::StateHash => {
            let sealed = load(state, &Seal)?.unwrap_or_default();
            Answer::StateHash {
                index: sealed.index,
                hash: sealed.hash,
            }
        }
        Query::LiveChunks { after } => live(state, after)?,
        Query::Listing { after, removed } => listing(state, after, *removed)?,
        Query::Cycle => cycle(state)?,
        Query::Repositories { slots, after } => copy::repositories(state, *slots, *after)?,
        Query::RepositoryCopy(id) => copy::repository(state, *id)?,
        Query::Owners { slots, after } => copy::owners(state, *slots, *after)?,
        Query::Feeds(slots) => copy::feeds(state, *slots)?,
        Query::Hold => copy::hold(state)?,
        Query::SlotPage { number, after } => {
            Answer::SlotPage(slots::page(state, *number, after)?.map(Box::new))
        }
        Query::Borders => Answer::Borders(slots::borders(state)?),
    })
}

fn live(state: &dyn Reader, after: &[u8]) -> Result<Answer, Fault> {
    let mut chunks = Vec::new();
    let next = live_chunks(state, after, &mut |domain, part| {
        chunks.extend(part.iter().map(|chunk| (domain, *chunk)));
        if chunks.len() >= LIVE_PAGE_CHUNKS {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    Ok(Answer::LiveChunks { chunks, next })
}

fn listing(state: &dyn Reader, after: &[u8], removed: bool) -> Result<Answer, Fault> {
    let mut chunks = Vec::new();
    let next = listed_chunks(state, after, removed, &mut |domain, part| {
        chunks.extend(part.iter().map(|chunk| (domain, *chunk)));
        if chunks.len() >= LIVE_PAGE_CHUNKS {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    Ok(Answer::Listing {
        generation: load(state, &HeadKey)?.unwrap_or_default().generation,
        epoch: load(state, &MapKey)?.map_or(MapEpoch(0), |map| map.epoch),
        chunks,
        next,
    })
}

fn cycle(state: &dyn Reader) -> Result<Answer, Fault> {
    let head = load(state, &HeadKey)?.unwrap_or_default();
    let generation = match load(state, &MapKey)? {
        // A data group's is that of its barrier, which it takes over with its first map.
        _ if head.generation > Generation(0) => head.generation,
        map => map.map_or(Generation(0), |map| map.generation),
    };
    Ok(Answer::Cycle {
        generation,
        cycle: load(state, &CycleKey)?.unwrap_or_default(),
        forgets: !closed(state, head.generation, 1)?.is_empty(),
    })
}

fn refs(state: &dyn Reader, id: RepositoryId, known: Option<u64>) -> Result<Answer, Fault> {
    let Some(record) = load(state, &RepositoryKey(id))? else {
        return Ok(Answer::Refs(None));
    };
    if known == Some(record.version) {
        return Ok(Answer::Unchanged);
    }
    let refs = list::<RefKey>(state, &RefKey::of(id))?
        .into_iter()
        .map(|(key, target)| Ref {
            name: key.name,
            target,
        })
        .collect();
    Ok(Answer::Refs(Some(RefList {
        version: record.version,
        head: record.head,
        refs,
    })))
}

fn packs(state: &dyn Reader, id: RepositoryId, known: Option<u64>) -> Result<Answer, Fault> {
    let Some(record) = load(state, &RepositoryKey(id))? else {
        return Ok(Answer::Packs(None));
    };
    if known == Some(record.version) {
        return Ok(Answer::Unchanged);
    }
    let packs = list::<PackKey>(state, &PackKey::of(id))?
        .into_iter()
        .map(|(_, pack)| pack)
        .collect();
    Ok(Answer::Packs(Some(PackList {
        version: record.version,
        packs,
    })))
}

fn manifest(
    state: &dyn Reader,
    slot: Slot,
    domain: DedupDomain,
    blob: BlobId,
) -> Result<Option<Manifest>, Fault> {
    let key = BlobKey { slot, domain, blob };
    let Some(header) = load(state, &key)?.filter(|header| header.owners > 0) else {
        return Ok(None);
    };
    let chunks = list::<BlobPartKey>(state, &BlobPartKey::of(key))?
        .into_iter()
        .flat_map(|(_, chunks)| chunks)
        .collect();
    Ok(Some(Manifest {
        profile: header.profile,
        blob,
        length: header.length,
        chunks,
    }))
}

fn events(state: &dyn Reader, slot: Slot, after: u64, limit: u32) -> Result<Events, Fault> {
    let feed = load(state, &FeedKey(slot))?.unwrap_or_default();
    let from = after.saturating_add(1).max(feed.first_kept);
    let to = from
        .saturating_add(u64::from(limit.min(EVENT_PAGE)))
        .min(feed.last.saturating_add(1));
    let span = EventKey::between(slot, from, to);
    let (mut events, mut bytes, mut fault) = (Vec::new(), 0, None);
    state.scan(&span.from, &span.to, &mut |_, stored| {
        bytes += stored.len();
        if bytes > EVENT_PAGE_BYTES && !events.is_empty() {
            return ControlFlow::Break(());
        }
        match value::decode::<EventKey>(stored) {
            Ok(event) => events.push(event),
            Err(error) => {
                fault = Some(error);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    })?;
    match fault {
        Some(fault) => Err(fault),
        None => Ok(Events {
            events,
            first_kept: feed.first_kept,
            last: feed.last,
        }),
    }
}
