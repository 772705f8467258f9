//! The ordered change feed of a slot.

use git_id::RefName;
use serde::{Deserialize, Serialize};

use crate::refs::RefCommand;
use crate::repository::Actor;
use crate::{RepositoryId, RequestId, Timestamp};

/// One change, in the order of the slot's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its place in the slot, from 1 without holes.
    pub sequence: u64,
    /// Whose change.
    pub repository: RepositoryId,
    /// The repository's own count, from 1 without holes.
    pub number: u64,
    /// The proposer's clock, monotone.
    pub time: Timestamp,
    /// The write that made it; several events of one push share it.
    pub request: RequestId,
    /// What happened.
    pub kind: Kind,
}

/// What happened to a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// It was created.
    Created,
    /// It was created as a fork.
    Forked {
        /// Of this repository.
        from: RepositoryId,
    },
    /// Refs moved.
    Pushed {
        /// By whom.
        actor: Actor,
        /// Those commands that took effect.
        changes: Vec<RefCommand>,
        /// The push options; of several events of one push only the first has
        /// them.
        options: Vec<String>,
    },
    /// HEAD names another branch.
    HeadMoved {
        /// The branch.
        to: RefName,
    },
    /// It was sealed, to be deleted.
    Sealed,
    /// It is gone.
    Deleted,
}

/// Events after a cursor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events {
    /// In order. Empty if there are none yet.
    pub events: Vec<Event>,
    /// The first sequence still kept: a cursor before it has missed events and
    /// must resynchronise.
    pub first_kept: u64,
    /// The last sequence there is.
    pub last: u64,
}
