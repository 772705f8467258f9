//! What tables are like, and what their rows hold.
//!
//! SQLite keeps any value in any column: a text in a `BIGINT`, or, after an
//! overflow, a floating-point number. Every table therefore gets two triggers
//! that refuse rows whose values are not of the declared types. They also refuse
//! the greatest row id, after which SQLite would choose row ids at random.

use rusqlite::Connection;

use super::dialect::INTERNAL;
use crate::limits::{MAX_NAME_BYTES, MAX_TABLE_COLUMNS};

/// The types of columns that mean the same to every backend, and what SQLite
/// calls their values.
const TYPES: &[(&str, &str)] = &[
    ("BIGINT", "integer"),
    ("BLOB", "blob"),
    ("BYTEA", "blob"),
    ("INT", "integer"),
    ("INTEGER", "integer"),
    ("SMALLINT", "integer"),
    ("TEXT", "text"),
];

/// What is wrong with the tables, if anything is.
///
/// Every table needs a primary key: rows without one have no name but SQLite's
/// implicit row id, and the state hash no order.
pub(crate) fn check(connection: &Connection) -> Result<Option<String>, rusqlite::Error> {
    for table in own_tables(connection)? {
        if let Some(wrong) = judge(&table, &columns(connection, &table)?) {
            return Ok(Some(wrong));
        }
    }
    Ok(None)
}

fn judge(table: &str, columns: &[Column]) -> Option<String> {
    if columns.len() > MAX_TABLE_COLUMNS {
        return Some(format!(
            "table {table} has more than {MAX_TABLE_COLUMNS} columns"
        ));
    }
    let names = columns
        .iter()
        .map(|column| column.name.as_str())
        .chain([table]);
    for name in names {
        let word = name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
        if !word || name.len() > MAX_NAME_BYTES || name.eq_ignore_ascii_case("rowid") {
            return Some(format!("'{name}' in table {table} is not a portable name"));
        }
    }
    if let Some(column) = columns.iter().find(|column| column.value_type().is_none()) {
        let known: Vec<_> = TYPES.iter().map(|(declared, _)| *declared).collect();
        let (name, declared, known) = (&column.name, &column.declared, known.join(", "));
        return Some(format!(
            "column {table}.{name} has type '{declared}', not one of {known}"
        ));
    }
    if columns.iter().all(|column| column.key == 0) {
        return Some(format!("table {table} has no primary key"));
    }
    None
}

/// Removes the triggers, so that tables can change.
pub(crate) fn remove_triggers(connection: &Connection) -> Result<(), rusqlite::Error> {
    let triggers: Vec<String> = connection
        .prepare_cached("SELECT name FROM sqlite_schema WHERE type = 'trigger' ORDER BY name")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for trigger in triggers {
        connection.execute_batch(&format!("DROP TRIGGER {}", quote(&trigger)))?;
    }
    Ok(())
}

/// Makes the triggers of all tables.
pub(crate) fn make_triggers(connection: &Connection) -> Result<(), rusqlite::Error> {
    for table in own_tables(connection)? {
        let mut checks =
            String::from("WHEN new.rowid = 9223372036854775807 THEN RAISE(ABORT, 'row id')");
        for column in columns(connection, &table)? {
            let message = format!("{table}.{} takes {} only", column.name, column.declared);
            checks.push_str(&format!(
                " WHEN typeof(new.{}) NOT IN ('null', '{}') THEN RAISE(ABORT, '{}')",
                quote(&column.name),
                column.value_type().unwrap_or("null"),
                message.replace('\'', "''")
            ));
        }
        for event in ["insert", "update"] {
            connection.execute_batch(&format!(
                "CREATE TRIGGER {} AFTER {event} ON {} BEGIN SELECT CASE {checks} END; END",
                quote(&format!("{INTERNAL}{event}_{table}")),
                quote(&table),
            ))?;
        }
    }
    Ok(())
}

/// A table that has a value of another type than its column declares.
pub(crate) fn mistyped(connection: &Connection) -> Result<Option<String>, rusqlite::Error> {
    for table in own_tables(connection)? {
        let mut wrong = String::from("rowid = 9223372036854775807");
        for column in columns(connection, &table)? {
            wrong.push_str(&format!(
                " OR typeof({}) NOT IN ('null', '{}')",
                quote(&column.name),
                column.value_type().unwrap_or("null")
            ));
        }
        let sql = format!("SELECT 1 FROM {} WHERE {wrong} LIMIT 1", quote(&table));
        if connection.prepare(&sql)?.exists([])? {
            return Ok(Some(format!(
                "table {table} would hold a value of another type than declared"
            )));
        }
    }
    Ok(None)
}

/// The names of all tables but SQLite's own, in order.
pub(crate) fn tables(connection: &Connection) -> Result<Vec<String>, rusqlite::Error> {
    connection
        .prepare_cached(
            "SELECT name FROM sqlite_schema WHERE type = 'table' \
             AND substr(name, 1, 7) <> 'sqlite_' ORDER BY name",
        )?
        .query_map([], |row| row.get(0))?
        .collect()
}

/// The names of the application's tables, in order.
fn own_tables(connection: &Connection) -> Result<Vec<String>, rusqlite::Error> {
    let mut tables = tables(connection)?;
    tables.retain(|table| !table.starts_with(INTERNAL));
    Ok(tables)
}

/// The names of the application's tables, in the order in which they were made:
/// what a table refers to comes before it.
pub(crate) fn own_tables_as_made(connection: &Connection) -> Result<Vec<String>, rusqlite::Error> {
    let mut tables: Vec<String> = connection
        .prepare_cached(
            "SELECT name FROM sqlite_schema WHERE type = 'table' \
             AND substr(name, 1, 7) <> 'sqlite_' ORDER BY rowid",
        )?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    tables.retain(|table| !table.starts_with(INTERNAL));
    Ok(tables)
}

/// A column of a table.
pub(crate) struct Column {
    pub(crate) name: String,
    declared: String,
    /// Its place in the primary key, from 1; 0 if it is not in it.
    pub(crate) key: i64,
}

impl Column {
    /// What SQLite calls the type of its values.
    fn value_type(&self) -> Option<&'static str> {
        let same = |(declared, _): &&(&str, &str)| declared.eq_ignore_ascii_case(&self.declared);
        TYPES.iter().find(same).map(|(_, value)| *value)
    }
}

/// The columns of a table, in order.
pub(crate) fn columns(
    connection: &Connection,
    table: &str,
) -> Result<Vec<Column>, rusqlite::Error> {
    connection
        .prepare_cached("SELECT name, type, pk FROM pragma_table_info(?1) ORDER BY cid")?
        .query_map([table], |row| {
            Ok(Column {
                name: row.get(0)?,
                declared: row.get(1)?,
                key: row.get(2)?,
            })
        })?
        .collect()
}

/// A name as SQL writes it.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
