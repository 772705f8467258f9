use bytes::Bytes;
use serde::{Deserialize, Serialize};
use storage_node_api::metadata::{Constraint, ExecuteError, Executed, Rows};
use storage_node_api::{GroupId, Token};

/// What an applied command answers, equal on every replica.
///
/// Persisted, since a retry gets the first reply: the encoding is
/// [`Reply::VERSION`] and postcard, and variants are only ever added at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The log index at which the command was first applied.
    pub index: u64,
    /// One result per statement, or why nothing was changed.
    pub outcome: Result<Vec<Rows>, Refusal>,
}

/// Why a command changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// A guard did not hold.
    Guard {
        /// The index of the statement.
        statement: u32,
        /// The rows there were.
        found: u64,
    },
    /// A constraint did not hold.
    Constraint {
        /// The index of the statement.
        statement: u32,
        /// Which kind.
        kind: Constraint,
        /// The columns or constraint that SQLite names.
        what: String,
    },
    /// A statement that SQLite refuses, that is not deterministic or portable,
    /// or that needs too much.
    Statement {
        /// The index of the statement; of a migration, within its text.
        statement: u32,
        /// What is wrong with it.
        message: String,
    },
}

/// Bytes that are not a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not a metadata reply of a known version")]
pub struct ReplyError;

impl Reply {
    /// The first byte of the encoding.
    pub const VERSION: u8 = 1;

    pub(crate) fn encode(&self) -> Bytes {
        postcard::to_extend(self, vec![Self::VERSION])
            .expect("a reply has no type that postcard cannot write")
            .into()
    }

    /// Reads the bytes that [`SqliteMachine::apply`](crate::SqliteMachine::apply) answered.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReplyError> {
        match bytes.split_first() {
            Some((&Self::VERSION, body)) => postcard::from_bytes(body).map_err(|_| ReplyError),
            _ => Err(ReplyError),
        }
    }

    /// What to answer to the caller of `Metadata::execute`.
    pub fn into_executed(self, group: GroupId) -> Result<Executed, ExecuteError> {
        let token = Token {
            group,
            index: self.index,
        };
        match self.outcome {
            Ok(results) => Ok(Executed { token, results }),
            Err(refusal) => Err(refusal.into()),
        }
    }
}

impl From<Refusal> for ExecuteError {
    fn from(refusal: Refusal) -> Self {
        let position = |statement: u32| usize::try_from(statement).unwrap_or(usize::MAX);
        match refusal {
            Refusal::Guard { statement, found } => Self::Guard {
                statement: position(statement),
                found,
            },
            Refusal::Constraint {
                statement,
                kind,
                what,
            } => Self::Constraint {
                statement: position(statement),
                kind,
                what,
            },
            Refusal::Statement { statement, message } => Self::BadStatement {
                statement: position(statement),
                message,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Refusal, Reply, ReplyError};
    use storage_node_api::metadata::{Constraint, Rows, Value};

    #[test]
    fn the_bytes_of_released_replies_do_not_change() {
        let rows = Rows {
            rows: vec![vec![Value::Integer(1)]],
            changed: 2,
        };
        let executed = Reply {
            index: 5,
            outcome: Ok(vec![rows]),
        };
        assert_eq!(
            executed.encode().as_ref(),
            b"\x01\x05\x00\x01\x01\x01\x01\x02\x02"
        );
        let refusal = Refusal::Constraint {
            statement: 1,
            kind: Constraint::Check,
            what: "w".to_owned(),
        };
        let refused = Reply {
            index: 6,
            outcome: Err(refusal),
        };
        assert_eq!(refused.encode().as_ref(), b"\x01\x06\x01\x01\x01\x03\x01w");
        for reply in [executed, refused] {
            assert_eq!(Reply::decode(&reply.encode()), Ok(reply));
        }
        assert_eq!(Reply::decode(b"\x02"), Err(ReplyError));
        assert_eq!(Reply::decode(b""), Err(ReplyError));
    }
}
