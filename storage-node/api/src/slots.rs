//! How the content of slots goes from one group to another; see
//! [`Moves`](crate::map::Moves) for when.
//!
//! The receiver's leader asks any replica of the giver for pages. A replica answers once its group has
//! adopted the map under which nobody writes to the slots, so that pages of different replicas fit
//! together. Each page becomes an [`Import`] entry of the receiver's group.

use serde::{Deserialize, Serialize};

use crate::backup::SlotSpan;
use crate::order::Reply;
use crate::{Generation, MapEpoch, RequestId, Timestamp};

/// A page of what a group has of some slots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotPage {
    /// Keys and values as the state has them.
    pub pairs: Vec<(Vec<u8>, Vec<u8>)>,
    /// What was answered lately, so that a retry that comes after the move is answered alike.
    pub replies: Vec<(RequestId, Reply)>,
    /// The giver's last barrier: the receiver's is not earlier.
    pub generation: Generation,
    /// The giver's least epoch of sessions.
    pub min_epoch: MapEpoch,
    /// The giver's time.
    pub time: Timestamp,
    /// Where the next page begins; nothing after the last.
    pub next: Option<Vec<u8>>,
}

/// One page on its way into the receiver's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// The number of the move.
    pub number: u64,
    /// Which page, from 0. One that was received already has no effect.
    pub part: u64,
    /// The page.
    pub page: SlotPage,
}

/// What a data group keeps of the slots that come and go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Borders {
    /// The slots that the group answers for.
    pub open: Vec<SlotSpan>,
    /// Slots that it owned and has yet to forget.
    pub leftover: Vec<SlotSpan>,
    /// What it has received of a move.
    pub received: Option<Received>,
}

/// How much a group has received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// Of the move of this number.
    pub number: u64,
    /// So many pages.
    pub parts: u64,
    /// Where the next page begins; nothing if it has them all.
    pub next: Option<Vec<u8>>,
}
