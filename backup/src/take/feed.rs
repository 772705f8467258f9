use std::collections::BTreeMap;

use storage_node_api::RepositoryId;
use storage_node_api::backup::FeedBounds;
use storage_node_api::event::Event;
use storage_node_api::limits::EVENT_PAGE;
use storage_node_api::order::{Answer, Query};

use super::{TakeError, Taking};
use crate::format::GroupsRecord;
use crate::order::GroupError;
use crate::stream::StreamWriter;

impl Taking<'_> {
    /// The feed of a slot, as far as the copies of its repositories go: what
    /// happened to a repository after it was copied is not in the backup, and
    /// neither are its events. Those after such a hole move up, so that
    /// sequences stay without holes; no cursor in the facts is that far, since
    /// the facts were read before.
    pub(super) async fn feed(
        &mut self,
        feed: FeedBounds,
        begun: u64,
        counted: &BTreeMap<RepositoryId, u64>,
        to: &mut StreamWriter,
    ) -> Result<(), TakeError> {
        let slot = feed.slot;
        let mut after = feed.first_kept.saturating_sub(1);
        let (mut first_kept, mut last) = (feed.first_kept, after);
        loop {
            let query = Query::Events {
                slot,
                after,
                limit: EVENT_PAGE,
            };
            let page = match self.tier.ask(slot, query).await? {
                Answer::Events(page) => page,
                _ => return Err(GroupError::Unexpected.into()),
            };
            if page.events.first().is_some_and(|e| e.sequence > after + 1) {
                // The feed was truncated meanwhile, of what was read or of the rest.
                if last >= first_kept {
                    return Err(TakeError::FeedTruncated(slot.0));
                }
                first_kept = page.first_kept;
                last = page.first_kept - 1;
            }
            let Some(end) = page.events.last().map(|event| event.sequence) else {
                break;
            };
            after = end;
            let mut kept: Vec<Event> = Vec::new();
            for mut event in page.events {
                let is_in = match counted.get(&event.repository) {
                    Some(events) => event.number <= *events,
                    // Deleted long ago, or made after the listing.
                    None => event.sequence <= begun,
                };
                if is_in {
                    last += 1;
                    event.sequence = last;
                    kept.push(event);
                }
            }
            self.totals.events += kept.len() as u64;
            if !kept.is_empty() {
                to.add(&GroupsRecord::Events(kept), &mut self.packs).await?;
            }
        }
        let bounds = FeedBounds {
            slot,
            first_kept,
            last,
        };
        to.add(&GroupsRecord::Feed(bounds), &mut self.packs).await?;
        Ok(())
    }
}
