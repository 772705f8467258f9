use std::fmt::Debug;

use serde::{Deserialize, Serialize};

use crate::{Content, GroupId, Metadata, Order};

/// The whole storage tier: content, order and facts.
pub trait Storage: Content + Order + Metadata + Debug + Send + Sync {}

impl<T: Content + Order + Metadata + Debug + Send + Sync> Storage for T {}

/// Proof of having seen a write: a read at this token shows the write and all
/// before it in its group, through any frontend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The group that the write went to.
    pub group: GroupId,
    /// The log index at which it was applied.
    pub index: u64,
}

/// How fresh a read must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReadPoint {
    /// At least as new as everything acknowledged before the read began.
    #[default]
    Linearizable,
    /// At least as new as the write that returned this token.
    AtLeast(Token),
    /// Whatever the nearest replica has.
    Stale,
}
