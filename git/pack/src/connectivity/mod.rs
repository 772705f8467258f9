//! Whether everything that new refs lead to is there.
//!
//! The invariant: everything reachable from the committed refs (`known`) is
//! stored. What is merely stored proves nothing, since it may be what is left of
//! something incomplete. As with git's `rev-list --objects <tips> --not --all`, success
//! means: every object reachable from the tips and not from the known refs exists; commits
//! and trees among them were parsed, blobs were looked up.
//!
//! Two ways lead there. Where the new objects are one pack ([`crate::Objects::with_pack`]),
//! its external references are looked at ([`crate::edges`]) and nothing else is walked:
//! commits must be reachable from the known ones; trees must occur in those commits'
//! trees, or else everything below them must be there; blobs must be there. A pack
//! without external references, such as a whole history, costs nothing. This asks more
//! than is needed, since the pack may hold objects that no tip reaches; so if it fails, or
//! there is no such pack, the walk over history from the tips decides.

mod externals;

use std::sync::atomic::AtomicBool;

use git_id::ObjectId;

use crate::Kind;
use crate::objects::{Objects, ReadError};
use crate::plan::walk_new_objects;

/// Why tips are not connected.
#[derive(Debug, thiserror::Error)]
pub enum ConnectivityError {
    /// Something that is needed is not there.
    #[error("object {id} is missing{}; push it too", referred(referrer.as_ref()))]
    Missing {
        /// The object.
        id: ObjectId,
        /// An object that refers to it, if it is not a tip itself.
        referrer: Option<ObjectId>,
    },
    /// An object is not what something that refers to it says.
    #[error("object {id} is a {actual}, not a {expected} as what refers to it says")]
    WrongKind {
        /// The object.
        id: ObjectId,
        /// What it is.
        actual: Kind,
        /// What it is taken for.
        expected: Kind,
    },
    /// An object is unreadable.
    #[error("cannot follow the references of the new objects")]
    Read(#[source] ReadError),
    /// The caller no longer wants the answer.
    #[error("cancelled")]
    Cancelled,
}

fn referred(referrer: Option<&ObjectId>) -> String {
    referrer
        .map(|referrer| format!(", which {referrer} refers to"))
        .unwrap_or_default()
}

impl From<ReadError> for ConnectivityError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Missing { id, referrer } => Self::Missing { id, referrer },
            ReadError::WrongKind {
                id,
                actual,
                expected,
            } => Self::WrongKind {
                id,
                actual,
                expected,
            },
            ReadError::Cancelled => Self::Cancelled,
            error => Self::Read(error),
        }
    }
}

/// Fails unless everything reachable from `tips` is in `objects`, given that
/// everything reachable from `known` is.
///
/// # Errors
///
/// Something is missing, of the wrong kind, or unreadable.
pub fn check_connected(
    objects: &Objects,
    tips: &[ObjectId],
    known: &[ObjectId],
    cancel: &AtomicBool,
) -> Result<(), ConnectivityError> {
    if let Some(tip) = tips.iter().find(|tip| !objects.contains(tip)) {
        return Err(ConnectivityError::Missing {
            id: *tip,
            referrer: None,
        });
    }
    match externals::are_connected(objects, tips, known, cancel) {
        Ok(true) => return Ok(()),
        Err(ReadError::Cancelled) => return Err(ConnectivityError::Cancelled),
        Ok(false) | Err(_) => {}
    }
    Ok(walk_new_objects(objects, tips, known, cancel)?)
}
