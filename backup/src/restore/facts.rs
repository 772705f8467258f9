use storage_node_api::ReadPoint;
use storage_node_api::RequestId;
use storage_node_api::Retry;
use storage_node_api::dump::TableRows;
use storage_node_api::metadata::{Batch, Migration, Statement, Value};

use super::{RestoreError, Restoring};
use crate::format::{BackupId, FactsRecord, Manifest};
use crate::limits::{BATCH_BYTES, BATCH_ROWS, PATIENCE};
use crate::records::Records;

/// The migrations of the backup, which must be the first of this program's.
pub(super) fn schema(
    manifest: &Manifest,
    known: &[Migration],
) -> Result<Vec<Migration>, RestoreError> {
    let mut schema = Vec::new();
    for (applied, number) in manifest.migrations.iter().zip(1..) {
        let Some(migration) = known.get(schema.len()) else {
            return Err(RestoreError::Schema {
                found: u32::try_from(manifest.migrations.len()).unwrap_or(u32::MAX),
                known: u32::try_from(known.len()).unwrap_or(u32::MAX),
            });
        };
        let same = migration.text_hash() == applied.text_hash;
        if !same || (applied.number, migration.number) != (number, number) {
            return Err(RestoreError::Migration(applied.number));
        }
        schema.push(migration.clone());
    }
    Ok(schema)
}

impl Restoring<'_> {
    /// Brings back all rows. Each batch has an id that follows from the backup
    /// and its place, and rows that are there stay: a second try changes nothing.
    pub(super) async fn facts(
        &self,
        id: BackupId,
        migrations: &[Migration],
        records: &mut Records,
    ) -> Result<(), RestoreError> {
        self.tier.storage.migrate(migrations).await?;
        let mut place = 0_u64;
        while let Some(FactsRecord::Rows(page)) = records.next_of_facts().await? {
            for statements in batches(&page) {
                let hash = blake3::hash(format!("rows {place} of backup {id}").as_bytes());
                let mut request = [0; 16];
                request.copy_from_slice(&hash.as_bytes()[..16]);
                place += 1;
                let batch = Batch::new(RequestId(request), statements);
                self.execute(&page.table, batch).await?;
            }
        }
        for (table, expected) in &records.manifest.totals.tables {
            self.count(table, *expected).await?;
        }
        Ok(())
    }

    async fn execute(&self, table: &str, batch: Batch) -> Result<(), RestoreError> {
        let clock = &self.tier.runtime.clock;
        let deadline = clock.monotonic() + PATIENCE;
        loop {
            let Err(source) = self.tier.storage.execute(batch.clone()).await else {
                return Ok(());
            };
            match source.retry() {
                Retry::After(delay) if clock.monotonic() + delay <= deadline => {
                    clock.sleep(delay).await;
                }
                _ => {
                    let table = table.to_owned();
                    return Err(RestoreError::Rows { table, source });
                }
            }
        }
    }

    async fn count(&self, table: &str, expected: u64) -> Result<(), RestoreError> {
        let sql = format!("SELECT count(*) FROM {}", quote(table));
        let statement = Statement::new(sql, []);
        let storage = &self.tier.storage;
        let rows = storage.query(ReadPoint::Linearizable, statement).await?;
        let found = rows.rows.first().and_then(|row| row.first()?.as_integer());
        match found {
            Some(found) if u64::try_from(found) == Ok(expected) => Ok(()),
            found => Err(RestoreError::RowCount {
                table: table.to_owned(),
                found: found.unwrap_or(-1),
                expected,
            }),
        }
    }
}

fn batches(page: &TableRows) -> Vec<Vec<Statement>> {
    let columns: Vec<String> = page.columns.iter().map(|name| quote(name)).collect();
    let parameters: Vec<String> = (1..=columns.len()).map(|n| format!("${n}")).collect();
    let sql = format!(
        "INSERT INTO {} ({}) VALUES ({}) ON CONFLICT DO NOTHING",
        quote(&page.table),
        columns.join(", "),
        parameters.join(", ")
    );
    let mut batches: Vec<Vec<Statement>> = Vec::new();
    let mut bytes = 0;
    for row in &page.rows {
        let more = sql.len() + row.iter().map(size).sum::<usize>();
        let statement = Statement::new(sql.clone(), row.iter().cloned());
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH_ROWS && bytes + more <= BATCH_BYTES => {
                bytes += more;
                batch.push(statement);
            }
            _ => {
                bytes = more;
                batches.push(vec![statement]);
            }
        }
    }
    batches
}

fn size(value: &Value) -> usize {
    10 + match value {
        Value::Text(text) => text.len(),
        Value::Blob(blob) => blob.len(),
        Value::Null | Value::Integer(_) => 0,
    }
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
