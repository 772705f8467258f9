use bytes::Bytes;
use serde::{Deserialize, Serialize};
use storage_node_api::RequestId;
use storage_node_api::limits::{MAX_COMMAND_BYTES, MAX_STATEMENTS};
use storage_node_api::metadata::{Batch, ExecuteError, Migration, Statement};

/// What a log entry of the metadata group asks for.
///
/// Persisted as [`Command::VERSION`] and postcard: variants are only ever added
/// at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Runs statements in one transaction.
    Execute {
        /// The same in every retry.
        id: RequestId,
        /// In order.
        statements: Vec<Statement>,
    },
    /// Applies one step of the schema, unless its number was applied.
    Migrate(Migration),
}

/// An entry that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// It is of another version than this program writes and reads.
    #[error(
        "the metadata command has version {found}, this program knows {}",
        Command::VERSION
    )]
    Version {
        /// The entry's.
        found: u8,
    },
    /// Its bytes are not a command.
    #[error("the bytes are not a metadata command")]
    Malformed,
}

impl Command {
    /// The first byte of the encoding.
    pub const VERSION: u8 = 1;

    /// The bytes to propose for a batch. Refuses what is over the limits of an
    /// entry, and a migration together with statements.
    pub fn encode(batch: Batch) -> Result<Bytes, ExecuteError> {
        let command = match batch.migration {
            Some(_) if !batch.statements.is_empty() => {
                return Err(ExecuteError::BadStatement {
                    statement: 0,
                    message: "a migration is a batch of its own".to_owned(),
                });
            }
            Some(migration) => Self::Migrate(migration),
            None if batch.statements.len() > MAX_STATEMENTS => return Err(ExecuteError::TooLarge),
            None => Self::Execute {
                id: batch.id,
                statements: batch.statements,
            },
        };
        let bytes = postcard::to_extend(&command, vec![Self::VERSION])
            .expect("a command has no type that postcard cannot write");
        if bytes.len() > MAX_COMMAND_BYTES {
            return Err(ExecuteError::TooLarge);
        }
        Ok(bytes.into())
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, CommandError> {
        match bytes.split_first() {
            Some((&Self::VERSION, body)) => match postcard::take_from_bytes(body) {
                Ok((command, [])) => Ok(command),
                _ => Err(CommandError::Malformed),
            },
            Some((&found, _)) => Err(CommandError::Version { found }),
            None => Err(CommandError::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, CommandError};
    use storage_node_api::RequestId;
    use storage_node_api::metadata::{Batch, ExecuteError, Guard, Migration, Statement, Value};

    fn batch() -> Batch {
        let params = [
            Value::Null,
            Value::Integer(-2),
            "t".into(),
            vec![7_u8].into(),
        ];
        let statement = Statement::new("S", params).guarded(Guard::AtLeast(3));
        Batch::new(RequestId([9; 16]), vec![statement])
    }

    #[test]
    fn the_bytes_of_released_commands_do_not_change() {
        let mut golden = vec![1, 0];
        golden.extend([9; 16]);
        golden.extend(b"\x01\x01S\x04\x00\x01\x03\x02\x01t\x03\x01\x07\x01\x01\x03");
        assert_eq!(Command::encode(batch()).unwrap(), golden);
        let migration = Migration {
            number: 2,
            name: "n".to_owned(),
            sql: "M".to_owned(),
        };
        let bytes = Command::encode(migration.into_batch()).unwrap();
        assert_eq!(bytes.as_ref(), b"\x01\x01\x02\x01n\x01M");
    }

    #[test]
    fn commands_read_back_and_other_bytes_are_errors() {
        let bytes = Command::encode(batch()).unwrap();
        let Command::Execute { id, statements } = Command::decode(&bytes).unwrap() else {
            panic!("another command");
        };
        assert_eq!(Batch::new(id, statements), batch());
        for end in 1..bytes.len() {
            assert_eq!(Command::decode(&bytes[..end]), Err(CommandError::Malformed));
        }
        let longer = [&bytes[..], b"x"].concat();
        assert_eq!(Command::decode(&longer), Err(CommandError::Malformed));
        assert_eq!(
            Command::decode(b"\x02"),
            Err(CommandError::Version { found: 2 })
        );
        assert_eq!(Command::decode(b""), Err(CommandError::Malformed));
    }

    #[test]
    fn a_command_over_a_limit_is_refused_before_it_is_proposed() {
        let many = vec![Statement::new("S", []); 257];
        let large = vec![Statement::new("S", [vec![0_u8; 1 << 16].into()])];
        for statements in [many, large] {
            let batch = Batch::new(RequestId([0; 16]), statements);
            assert_eq!(Command::encode(batch), Err(ExecuteError::TooLarge));
        }
    }
}
