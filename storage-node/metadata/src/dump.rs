//! All rows of one point in time, page by page.

use std::collections::VecDeque;

use rusqlite::Connection;
use rusqlite::backup::Backup;
use rusqlite::types::ValueRef;
use storage_node_api::dump::{AppliedMigration, TableRows};
use storage_node_api::metadata::Value;

use crate::Fault;
use crate::limits::{MAX_DUMP_PAGE_BYTES, MAX_DUMP_PAGE_ROWS, VALUE_BYTES};
use crate::sql::schema::{columns, own_tables_as_made, quote};
use crate::store::Store;

/// A read transaction on a replica. Applying goes on beside it; SQLite keeps
/// what it still has to show.
#[derive(Debug)]
pub struct FactsDump {
    connection: Connection,
    tables: VecDeque<String>,
    /// The last row shown of the first of the tables.
    last: Option<i64>,
}

const DOING: &str = "dump";

impl FactsDump {
    /// Everything that was applied before. Of a replica in memory it is a copy.
    pub(crate) fn open(store: &Store) -> Result<Self, Fault> {
        let connection = match store.directory() {
            Some(_) => store.reading_apart()?,
            None => copy(&store.lock().connection).map_err(Fault::sqlite(DOING))?,
        };
        let begin = || {
            connection.execute_batch("BEGIN")?;
            // The first read is the point of the transaction.
            own_tables_as_made(&connection)
        };
        let tables = begin().map_err(Fault::sqlite(DOING))?;
        Ok(Self {
            connection,
            tables: tables.into(),
            last: None,
        })
    }

    /// The migrations that were applied, from the first.
    pub fn migrations(&self) -> Result<Vec<AppliedMigration>, Fault> {
        let read = || {
            self.connection
                .prepare("SELECT number, text_hash FROM _devflow_migrations ORDER BY number")?
                .query_map([], |row| {
                    Ok(AppliedMigration {
                        number: row.get(0)?,
                        text_hash: row.get(1)?,
                    })
                })?
                .collect::<Result<_, rusqlite::Error>>()
        };
        read().map_err(Fault::sqlite(DOING))
    }

    /// The next rows; `None` after the last of the last table.
    pub fn next_page(&mut self) -> Result<Option<TableRows>, Fault> {
        while let Some(table) = self.tables.front().cloned() {
            let (page, last) = self.page(&table).map_err(Fault::sqlite(DOING))?;
            if !page.rows.is_empty() {
                self.last = last;
                return Ok(Some(page));
            }
            self.tables.pop_front();
            self.last = None;
        }
        Ok(None)
    }

    fn page(&self, table: &str) -> Result<(TableRows, Option<i64>), rusqlite::Error> {
        let columns: Vec<String> = columns(&self.connection, table)?
            .into_iter()
            .map(|column| column.name)
            .collect();
        let names: Vec<_> = columns.iter().map(|name| quote(name)).collect();
        let sql = format!(
            "SELECT rowid, {} FROM {} WHERE rowid >= ?1 ORDER BY rowid",
            names.join(", "),
            quote(table)
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        // The greatest row id is never given out.
        let from = self.last.map_or(i64::MIN, |last| last + 1);
        let mut found = statement.query([from])?;
        let (mut rows, mut bytes, mut last) = (Vec::new(), 0, None);
        while rows.len() < MAX_DUMP_PAGE_ROWS
            && bytes < MAX_DUMP_PAGE_BYTES
            && let Some(row) = found.next()?
        {
            last = Some(row.get(0)?);
            let values = (1..=columns.len()).map(|column| Ok(value(row.get_ref(column)?)));
            let values: Vec<Value> = values.collect::<Result<_, rusqlite::Error>>()?;
            bytes += values.iter().map(size).sum::<usize>();
            rows.push(values);
        }
        let page = TableRows {
            table: table.to_owned(),
            columns,
            rows,
        };
        Ok((page, last))
    }
}

fn copy(from: &Connection) -> Result<Connection, rusqlite::Error> {
    let mut to = Connection::open_in_memory()?;
    // A negative number of pages is all of them.
    Backup::new(from, &mut to)?.step(-1)?;
    Ok(to)
}

/// The value as it is; triggers let no floating-point number into a table.
fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Integer(integer) => Value::Integer(integer),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(blob) => Value::Blob(blob.to_vec()),
        ValueRef::Null | ValueRef::Real(_) => Value::Null,
    }
}

fn size(value: &Value) -> usize {
    VALUE_BYTES
        + match value {
            Value::Text(text) => text.len(),
            Value::Blob(blob) => blob.len(),
            Value::Null | Value::Integer(_) => 0,
        }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use crate::store::Store;

    use super::FactsDump;

    fn write(connection: &Connection, sql: &str) {
        connection.execute_batch(sql).unwrap();
    }

    #[test]
    fn a_dump_shows_one_point_however_long_it_is_read() {
        let directory = tempfile::tempdir().unwrap();
        for store in [
            Store::in_memory().unwrap(),
            Store::open(directory.path().join("facts")).unwrap(),
        ] {
            let rows =
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
                 INSERT INTO t SELECT i, 'a' FROM n;";
            let made = "CREATE TABLE t (id BIGINT PRIMARY KEY, a TEXT); CREATE TABLE empty (id BIGINT PRIMARY KEY); CREATE TABLE b (id BIGINT PRIMARY KEY); INSERT INTO b VALUES (7);";
            write(&store.lock().connection, made);
            write(&store.lock().connection, rows);
            let mut dump = FactsDump::open(&store).unwrap();
            write(
                &store.lock().connection,
                "DELETE FROM b; UPDATE t SET a = 'b'; INSERT INTO t VALUES (-1, 'c')",
            );
            let mut shown = Vec::new();
            while let Some(page) = dump.next_page().unwrap() {
                shown.push((page.table.clone(), page.rows.len()));
                let is_old = |row: &Vec<_>| row.len() == 1 || row[1] == "a".into();
                assert!(page.rows.iter().all(is_old), "as of the beginning");
            }
            let t = |rows| ("t".to_owned(), rows);
            assert_eq!(shown, [t(1000), t(1000), t(500), ("b".to_owned(), 1)]);
            assert_eq!(dump.migrations().unwrap(), []);
        }
    }
}
