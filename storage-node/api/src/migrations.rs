//! Bringing a schema up to date, alike on every backend.
//!
//! Each migration is one [`Batch`] of its own, so that it travels like every
//! other write and commits whole or not at all. The backend keeps the number
//! and the hash of the text of what it has applied and answers them to
//! [`APPLIED`]; it refuses a number that does not follow the last, and does
//! nothing for one that it has applied with the same text. That makes a
//! migration idempotent by its number: several programs may bring the same
//! schema up to date at once.

use std::collections::BTreeMap;

use crate::metadata::{
    Batch, ExecuteError, Metadata, MigrateError, Migration, QueryError, Statement, Value,
};
use crate::{ReadPoint, RequestId};

/// The query that every backend answers: the number and
/// [`text_hash`](Migration::text_hash) of each applied migration, in order.
pub const APPLIED: &str = "SELECT number, text_hash FROM _devflow_migrations ORDER BY number";

impl Migration {
    /// The BLAKE3 hash of the SQL text, by which an edit is found out.
    pub fn text_hash(&self) -> [u8; 32] {
        *blake3::hash(self.sql.as_bytes()).as_bytes()
    }

    /// The batch that applies it. Its id follows from the text: backends do not
    /// remember ids of migrations, the number takes their place.
    pub fn into_batch(self) -> Batch {
        let mut id = [0; 16];
        id.copy_from_slice(&self.text_hash()[..16]);
        Batch {
            id: RequestId(id),
            statements: Vec::new(),
            migration: Some(self),
        }
    }
}

/// Applies those of `migrations` that are missing, in order. What
/// [`Metadata::migrate`] does.
pub async fn bring_up_to_date<M: Metadata + ?Sized>(
    metadata: &M,
    migrations: &[Migration],
) -> Result<(), MigrateError> {
    for (migration, number) in migrations.iter().zip(1..) {
        if migration.number != number {
            return Err(MigrateError::Failed {
                number: migration.number,
                source: ExecuteError::BadStatement {
                    statement: 0,
                    message: format!("the {number}th migration has another number"),
                },
            });
        }
    }
    let known = u32::try_from(migrations.len()).unwrap_or(u32::MAX);
    let applied = applied(metadata).await?;
    if let Some((&found, _)) = applied.last_key_value()
        && found > known
    {
        return Err(MigrateError::Newer { found, known });
    }
    for migration in migrations {
        if !is_applied(&applied, migration)? {
            apply(metadata, migration).await?;
        }
    }
    Ok(())
}

async fn apply<M: Metadata + ?Sized>(
    metadata: &M,
    migration: &Migration,
) -> Result<(), MigrateError> {
    let Err(source) = metadata.execute(migration.clone().into_batch()).await else {
        return Ok(());
    };
    // Another program may have been faster.
    if is_applied(&applied(metadata).await?, migration)? {
        return Ok(());
    }
    Err(MigrateError::Failed {
        number: migration.number,
        source,
    })
}

async fn applied<M: Metadata + ?Sized>(
    metadata: &M,
) -> Result<BTreeMap<u32, Vec<u8>>, MigrateError> {
    let rows = metadata
        .query(ReadPoint::Linearizable, Statement::new(APPLIED, []))
        .await?;
    let mut applied = BTreeMap::new();
    for row in rows.rows {
        let [Value::Integer(number), Value::Blob(hash)] = row.as_slice() else {
            return Err(unreadable());
        };
        let number = u32::try_from(*number).map_err(|_| unreadable())?;
        applied.insert(number, hash.clone());
    }
    Ok(applied)
}

fn unreadable() -> MigrateError {
    MigrateError::Read(QueryError::BadStatement {
        message: "the record of migrations holds something unexpected".to_owned(),
    })
}

fn is_applied(
    applied: &BTreeMap<u32, Vec<u8>>,
    migration: &Migration,
) -> Result<bool, MigrateError> {
    match applied.get(&migration.number) {
        None => Ok(false),
        Some(hash) if *hash == migration.text_hash() => Ok(true),
        Some(_) => Err(MigrateError::Changed {
            number: migration.number,
        }),
    }
}
