use std::io;

use git_id::ObjectId;

use crate::objects::ReadError;

/// Why no answer to a fetch could be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A wanted object is not here.
    #[error("wanted object {id} is not in the repository")]
    UnknownWant {
        /// The object.
        id: ObjectId,
    },
    /// The answer has more objects than a pack can have.
    #[error("the answer has more than {limit} objects", limit = u32::MAX)]
    TooManyObjects,
    /// An object is missing or unreadable.
    #[error("cannot collect the objects to send")]
    Read(#[source] ReadError),
    /// The caller no longer wants the answer.
    #[error("cancelled")]
    Cancelled,
}

impl From<ReadError> for PlanError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Cancelled => Self::Cancelled,
            error => Self::Read(error),
        }
    }
}

/// Why a pack was not written to its end.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Whoever receives it is gone.
    #[error("cannot send the pack")]
    Output(#[source] io::Error),
    /// An object is unreadable.
    #[error("cannot read an object to send")]
    Read(#[source] ReadError),
    /// The caller no longer wants it.
    #[error("cancelled")]
    Cancelled,
}

impl From<ReadError> for WriteError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Cancelled => Self::Cancelled,
            error => Self::Read(error),
        }
    }
}
