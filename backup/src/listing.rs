//! What the groups list, page by page.

use storage_node_api::RepositoryId;
use storage_node_api::backup::{FeedBounds, OwnedBlob, SlotSpan};
use storage_node_api::limits::LISTING_PAGE;
use storage_node_api::order::{Answer, Query};

use crate::order::{GroupError, Tier};

impl Tier {
    /// The repositories after one.
    pub(crate) async fn repositories(
        &self,
        slots: SlotSpan,
        after: Option<RepositoryId>,
    ) -> Result<Vec<RepositoryId>, GroupError> {
        let query = Query::Repositories { slots, after };
        match self.ask(slots.first, query).await? {
            Answer::Repositories(ids) => Ok(ids),
            _ => Err(GroupError::Unexpected),
        }
    }

    /// The owners after one.
    pub(crate) async fn owners(
        &self,
        slots: SlotSpan,
        after: Option<OwnedBlob>,
    ) -> Result<Vec<OwnedBlob>, GroupError> {
        let query = Query::Owners { slots, after };
        match self.ask(slots.first, query).await? {
            Answer::Owners(owned) => Ok(owned),
            _ => Err(GroupError::Unexpected),
        }
    }

    /// All feeds.
    pub(crate) async fn feeds(&self, slots: SlotSpan) -> Result<Vec<FeedBounds>, GroupError> {
        match self.ask(slots.first, Query::Feeds(slots)).await? {
            Answer::Feeds(feeds) => Ok(feeds),
            _ => Err(GroupError::Unexpected),
        }
    }
}

/// Whether a page of so many may be followed by another.
pub(crate) fn is_full(page: usize) -> bool {
    page >= LISTING_PAGE
}
