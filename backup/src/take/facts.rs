use storage_node_api::dump::AppliedMigration;
use storage_node_api::metadata::QueryError;

use super::{TakeError, Taking};
use crate::format::{FactsRecord, Stream};
use crate::limits::ATTEMPTS;
use crate::stream::StreamWriter;

impl Taking<'_> {
    /// All facts of one point. If the node that shows them goes away, it begins
    /// again: at a later point, which is as good.
    pub(super) async fn facts(&mut self) -> Result<(Stream, Vec<AppliedMigration>), TakeError> {
        let mut attempt = 1;
        loop {
            match self.facts_once().await {
                Err(TakeError::Facts(QueryError::Unavailable)) if attempt < ATTEMPTS => {
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    async fn facts_once(&mut self) -> Result<(Stream, Vec<AppliedMigration>), TakeError> {
        self.totals.tables.clear();
        let mut dump = self.tier.storage.dump().await?;
        let migrations = dump.migrations().to_vec();
        let mut stream = StreamWriter::new();
        while let Some(page) = dump.next().await? {
            let rows = page.rows.len() as u64;
            match self.totals.tables.last_mut() {
                Some((table, count)) if *table == page.table => *count += rows,
                _ => self.totals.tables.push((page.table.clone(), rows)),
            }
            let record = FactsRecord::Rows(page);
            stream.add(&record, &mut self.packs).await?;
        }
        Ok((stream.finish(&mut self.packs).await?, migrations))
    }
}
