//! References and how they move.

use git_id::{ObjectId, RefName};
use serde::{Deserialize, Serialize};

/// What a reference names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The object.
    pub id: ObjectId,
    /// What it peels to, if it is an annotated tag.
    pub peeled: Option<ObjectId>,
}

/// One reference and its target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ref {
    /// Its full name.
    pub name: RefName,
    /// What it names.
    pub target: Target,
}

/// All references of a repository at one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefList {
    /// The repository's version as of this list; equal versions, equal lists.
    pub version: u64,
    /// The branch that HEAD names; it need not exist.
    pub head: RefName,
    /// All references, by name.
    pub refs: Vec<Ref>,
}

/// One compare-and-swap of a reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefCommand {
    /// Which reference.
    pub name: RefName,
    /// What it must name before; `None` if it must not exist.
    pub old: Option<ObjectId>,
    /// What it names after; `None` to delete it.
    pub new: Option<Target>,
}

/// What became of one [`RefCommand`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefOutcome {
    /// It moved.
    Updated,
    /// It named something else than expected.
    Stale {
        /// What it names.
        actual: Option<ObjectId>,
    },
    /// A reference whose name is a directory of this name, or the reverse, exists.
    Conflict {
        /// The other reference.
        with: RefName,
    },
    /// Another command of an atomic push was refused.
    Aborted,
}
