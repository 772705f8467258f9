use std::vec;

use chunking::ChunkRef;
use storage_node_api::{DedupDomain, Generation};

use super::error::StoreError;
use super::index::{Entry, Index, Key};

/// One chunk that a store knows of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// In which domain.
    pub domain: DedupDomain,
    /// Which chunk.
    pub chunk: ChunkRef,
    /// When it was touched last.
    pub touched: Generation,
    /// Whether it can be served, as far as is known.
    pub intact: bool,
}

/// All chunks of a store in the order of domain and id. Chunks that come or go
/// meanwhile may or may not be among them.
#[derive(Debug)]
pub struct Entries {
    index: Index,
    after: Option<Key>,
    page: vec::IntoIter<(Key, Entry)>,
    ended: bool,
}

impl Entries {
    pub(super) fn new(index: Index, after: Option<Key>) -> Self {
        Self {
            index,
            after,
            page: Vec::new().into_iter(),
            ended: false,
        }
    }
}

impl Iterator for Entries {
    type Item = Result<Stored, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.as_slice().is_empty() && !self.ended {
            match self.index.page(self.after.as_ref()) {
                Ok(page) => self.page = page.into_iter(),
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error.into()));
                }
            }
        }
        let Some((key, entry)) = self.page.next() else {
            self.ended = true;
            return None;
        };
        self.after = Some(key);
        Some(Ok(Stored {
            domain: key.domain,
            chunk: ChunkRef {
                id: key.id,
                length: entry.place.length,
            },
            touched: entry.touched,
            intact: entry.is_intact(),
        }))
    }
}
