//! A hash of the logical state.

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::Fault;
use crate::sql::schema::{columns, quote, tables};

/// The one table that differs between replicas of one state: the log's marker.
const EXCLUDED: &str = "_devflow_state";

/// The BLAKE3 hash of the schema and of all rows in the order of their primary
/// keys. Row ids that SQLite chose, pages and indexes do not enter.
pub(crate) fn state_hash(connection: &Connection) -> Result<[u8; 32], Fault> {
    hash(connection).map_err(Fault::sqlite("hash"))
}

fn hash(connection: &Connection) -> Result<[u8; 32], rusqlite::Error> {
    let mut hasher = blake3::Hasher::new();
    let schema = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name";
    rows(connection, schema, &mut hasher)?;
    for table in tables(connection)? {
        if table != EXCLUDED {
            rows(connection, &ordered(connection, &table)?, &mut hasher)?;
        }
    }
    Ok(*hasher.finalize().as_bytes())
}

/// A query of all rows in one order: by the primary key, and, should that hold
/// equal or missing values, by everything else.
fn ordered(connection: &Connection, table: &str) -> Result<String, rusqlite::Error> {
    let columns = columns(connection, table)?;
    let names: Vec<_> = columns.iter().map(|column| quote(&column.name)).collect();
    let mut order: Vec<_> = columns.iter().zip(&names).collect();
    order.sort_by_key(|(column, _)| if column.key > 0 { column.key } else { i64::MAX });
    let order: Vec<_> = order
        .iter()
        .map(|(_, name)| format!("{name} COLLATE BINARY"))
        .collect();
    Ok(format!(
        "SELECT {} FROM {} ORDER BY {}",
        names.join(", "),
        quote(table),
        order.join(", ")
    ))
}

fn rows(
    connection: &Connection,
    sql: &str,
    hasher: &mut blake3::Hasher,
) -> Result<(), rusqlite::Error> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    let mut bytes = Vec::new();
    while let Some(row) = rows.next()? {
        bytes.clear();
        for column in 0..columns {
            write(&mut bytes, row.get_ref(column)?);
        }
        hasher.update(&bytes);
    }
    hasher.update(&[END]);
    Ok(())
}

const END: u8 = 0xff;

fn write(bytes: &mut Vec<u8>, value: ValueRef<'_>) {
    let mut sized = |tag: u8, payload: &[u8]| {
        bytes.push(tag);
        bytes.extend((payload.len() as u64).to_le_bytes());
        bytes.extend(payload);
    };
    match value {
        ValueRef::Null => bytes.push(0),
        ValueRef::Integer(integer) => sized(1, &integer.to_le_bytes()),
        ValueRef::Real(real) => sized(2, &real.to_bits().to_le_bytes()),
        ValueRef::Text(text) => sized(3, text),
        ValueRef::Blob(blob) => sized(4, blob),
    }
}
