use std::collections::BTreeSet;

use storage_node_api::metadata::{Batch, Migration, Rows, Statement, Value};
use storage_node_api::{ReadPoint, RequestId};

use super::{Client, outcome_of};
use crate::history::{Action, Outcome};

const SCHEMA: &str = "
CREATE TABLE ledger (id BIGINT NOT NULL PRIMARY KEY, client BIGINT NOT NULL);
CREATE TABLE tally (id BIGINT NOT NULL PRIMARY KEY, entries BIGINT NOT NULL);
INSERT INTO tally VALUES (1, 0)";

impl Client {
    pub(super) async fn make_table(&self) -> anyhow::Result<()> {
        let first = Migration {
            number: 1,
            name: "ledger and tally".to_owned(),
            sql: SCHEMA.to_owned(),
        };
        self.storage.migrate(&[first]).await?;
        Ok(())
    }

    /// Inserts a row that nobody else inserts and counts it.
    pub async fn add_row(&mut self) -> Outcome {
        let row = i64::try_from(self.fresh()).unwrap_or(i64::MAX);
        let called = self.recorder.tick();
        let client = i64::try_from(self.number).unwrap_or(0);
        let statements = vec![
            Statement::new("UPDATE tally SET entries = entries + 1 WHERE id = 1", []),
            Statement::new(
                "INSERT INTO ledger (id, client) VALUES ($1, $2)",
                [Value::from(row), Value::from(client)],
            ),
        ];
        let batch = Batch::new(RequestId::random(&*self.runtime.random), statements);
        let outcome = match self.storage.execute(batch).await {
            Ok(_) => Outcome::Ok,
            Err(error) => outcome_of(error.effect()),
        };
        self.told(&format!("add row {row}"), outcome);
        let action = Action::AddRow { row };
        self.recorder.ended(self.number, called, outcome, action);
        outcome
    }

    pub(super) async fn read_rows(&mut self) {
        let called = self.recorder.tick();
        if let Some(rows) = self.rows().await {
            let action = Action::ReadRows { rows };
            self.recorder
                .ended(self.number, called, Outcome::Ok, action);
        }
    }

    /// The rows that there are; nothing if they cannot be read now.
    pub async fn rows(&self) -> Option<BTreeSet<i64>> {
        let found = self.select("SELECT id FROM ledger ORDER BY id").await?;
        let ids = found
            .rows
            .iter()
            .filter_map(|row| row.first()?.as_integer());
        Some(ids.collect())
    }

    /// How many rows were counted; nothing if that cannot be read now.
    pub async fn tally(&self) -> Option<i64> {
        let found = self
            .select("SELECT entries FROM tally WHERE id = 1")
            .await?;
        found.rows.first()?.first()?.as_integer()
    }

    async fn select(&self, sql: &str) -> Option<Rows> {
        let statement = Statement::new(sql, []);
        self.storage
            .query(ReadPoint::Linearizable, statement)
            .await
            .ok()
    }
}
