use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use storage_node_api::Timestamp;
use storage_node_api::limits::MAX_STATEMENTS;
use storage_node_api::metadata::{Statement, Value};

use crate::facts::{Facts, FactsError, time};
use crate::limits::{LAST_USED, LAST_USED_STEP};

/// Last-used times of the rows of one table that wait to be written.
#[derive(Debug)]
pub(crate) struct LastUsed<I> {
    table: &'static str,
    waiting: Mutex<BTreeMap<I, Timestamp>>,
}

impl<I: Copy + Ord + Into<Value>> LastUsed<I> {
    pub(crate) fn new(table: &'static str) -> Self {
        Self {
            table,
            waiting: Mutex::default(),
        }
    }

    /// Notes a use, unless the written time is almost as late.
    pub(crate) fn note(&self, id: I, written: Option<Timestamp>, now: Timestamp) {
        if written.is_some_and(|written| now.since(written) < LAST_USED_STEP) {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < LAST_USED || waiting.contains_key(&id) {
            waiting.insert(id, now);
        }
    }

    /// Writes all that waits.
    pub(crate) async fn flush(&self, facts: &Facts) -> Result<(), FactsError> {
        loop {
            let statements = self.take();
            if statements.is_empty() {
                return Ok(());
            }
            facts.execute(statements).await?;
        }
    }

    /// One batch of what waits.
    fn take(&self) -> Vec<Statement> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let sql = format!(
            "UPDATE {} SET last_used = $1 \
             WHERE id = $2 AND (last_used IS NULL OR last_used < $3)",
            self.table
        );
        let mut statements = Vec::new();
        while statements.len() < MAX_STATEMENTS
            && let Some((id, used)) = waiting.pop_first()
        {
            statements.push(Statement::new(
                sql.clone(),
                [time(used), id.into(), time(used)],
            ));
        }
        statements
    }
}
