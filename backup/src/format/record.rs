use chunking::Manifest;
use serde::{Deserialize, Serialize};
use storage_node_api::backup::{FeedBounds, HiddenRecord, NumberedPack, OwnedBlob};
use storage_node_api::dump::TableRows;
use storage_node_api::event::Event;
use storage_node_api::refs::Ref;
use storage_node_api::repository::Repository;
use storage_node_api::{DedupDomain, Slot};

/// One record of the facts. Variants are only ever added at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FactsRecord {
    /// Some rows; tables come in the order in which they can be filled.
    Rows(TableRows),
}

/// One record of what groups have. Variants are only ever added at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum GroupsRecord {
    /// A blob, before whatever names it.
    Blob {
        slot: Slot,
        domain: DedupDomain,
        manifest: Manifest,
    },
    /// A repository. Its references and packs follow.
    Repository {
        repository: Repository,
        hidden: HiddenRecord,
        refs: u64,
        packs: u32,
    },
    /// References of the last repository.
    Refs(Vec<Ref>),
    /// Packs of the last repository.
    Packs(Vec<NumberedPack>),
    /// An owner that the application names, after its blob.
    Owner(OwnedBlob),
    /// Events of one slot, before its feed.
    Events(Vec<Event>),
    /// The bounds of a slot's feed.
    Feed(FeedBounds),
}
