//! Reading and writing rows.

use std::sync::Arc;

use runtime::{Runtime, Timestamp};
use storage_node_api::metadata::{Batch, ExecuteError, QueryError, Rows, Statement, Value};
use storage_node_api::{Effect, ReadPoint, RequestId, Retry, Storage};

use crate::Failure;
use crate::limits::WRITE_PATIENCE;

/// Why facts could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// A query failed.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A batch did not commit, for no reason that the operation expects.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// A column holds what this program never writes.
    #[error("read metadata: column {column} of the answer holds something unexpected")]
    BadColumn {
        /// Its index.
        column: usize,
    },
}

impl FactsError {
    /// What kind of failure this is.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Query(QueryError::Unavailable) => Failure::Unavailable,
            Self::Execute(ExecuteError::NoLeader) => Failure::Unavailable,
            Self::Execute(ExecuteError::Full) => Failure::Full,
            Self::Execute(error) if error.effect() == Effect::Unknown => Failure::Uncertain,
            Self::Execute(ExecuteError::Guard { .. } | ExecuteError::Constraint { .. }) => {
                Failure::Conflict
            }
            Self::Query(_) | Self::Execute(_) | Self::BadColumn { .. } => Failure::Internal,
        }
    }
}

/// The facts, with retries that cannot apply twice.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    storage: Arc<dyn Storage>,
    pub(crate) runtime: Runtime,
}

impl Facts {
    pub(crate) fn new(storage: Arc<dyn Storage>, runtime: Runtime) -> Self {
        Self { storage, runtime }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.runtime.clock.now()
    }

    /// All rows of a `SELECT`, as new as everything acknowledged before.
    pub(crate) async fn query(
        &self,
        sql: &str,
        params: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<Columns>, FactsError> {
        self.query_at(ReadPoint::Linearizable, sql, params).await
    }

    /// All rows of a `SELECT`, as new as that.
    pub(crate) async fn query_at(
        &self,
        point: ReadPoint,
        sql: &str,
        params: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<Columns>, FactsError> {
        let statement = Statement::new(sql, params);
        let rows = self.storage.query(point, statement).await?;
        Ok(rows.rows.into_iter().map(Columns::new).collect())
    }

    /// Commits a batch. What may succeed later is tried again with the same id
    /// for [`WRITE_PATIENCE`].
    pub(crate) async fn execute(
        &self,
        statements: Vec<Statement>,
    ) -> Result<Vec<Rows>, ExecuteError> {
        let batch = Batch::new(RequestId::random(&*self.runtime.random), statements);
        let clock = &self.runtime.clock;
        let deadline = clock.monotonic() + WRITE_PATIENCE;
        loop {
            let error = match self.storage.execute(batch.clone()).await {
                Ok(executed) => return Ok(executed.results),
                Err(error) => error,
            };
            let Retry::After(delay) = error.retry() else {
                return Err(error);
            };
            if clock.monotonic() + delay > deadline {
                return Err(error);
            }
            clock.sleep(delay).await;
        }
    }
}

/// The columns of a row, taken in order.
#[derive(Debug)]
pub(crate) struct Columns {
    values: std::vec::IntoIter<Value>,
    next: usize,
}

impl Columns {
    fn new(row: Vec<Value>) -> Self {
        Self {
            values: row.into_iter(),
            next: 0,
        }
    }

    fn value(&mut self) -> Value {
        self.next += 1;
        self.values.next().unwrap_or(Value::Null)
    }

    fn bad(&self) -> FactsError {
        FactsError::BadColumn {
            column: self.next - 1,
        }
    }

    pub(crate) fn integer(&mut self) -> Result<i64, FactsError> {
        self.value().as_integer().ok_or_else(|| self.bad())
    }

    /// A whole number that `parse` takes.
    pub(crate) fn parsed_integer<T>(
        &mut self,
        parse: impl FnOnce(i64) -> Option<T>,
    ) -> Result<T, FactsError> {
        let number = self.integer()?;
        parse(number).ok_or_else(|| self.bad())
    }

    pub(crate) fn optional_integer(&mut self) -> Result<Option<i64>, FactsError> {
        match self.value() {
            Value::Null => Ok(None),
            Value::Integer(value) => Ok(Some(value)),
            _ => Err(self.bad()),
        }
    }

    pub(crate) fn boolean(&mut self) -> Result<bool, FactsError> {
        self.integer().map(|value| value != 0)
    }

    pub(crate) fn time(&mut self) -> Result<Timestamp, FactsError> {
        let millis = self.integer()?;
        u64::try_from(millis).map(Timestamp).map_err(|_| self.bad())
    }

    pub(crate) fn optional_time(&mut self) -> Result<Option<Timestamp>, FactsError> {
        let Some(millis) = self.optional_integer()? else {
            return Ok(None);
        };
        u64::try_from(millis)
            .map(|millis| Some(Timestamp(millis)))
            .map_err(|_| self.bad())
    }

    pub(crate) fn text(&mut self) -> Result<String, FactsError> {
        match self.value() {
            Value::Text(text) => Ok(text),
            _ => Err(self.bad()),
        }
    }

    /// A text that `parse` understands.
    pub(crate) fn parsed<T>(
        &mut self,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, FactsError> {
        let text = self.text()?;
        parse(&text).ok_or_else(|| self.bad())
    }
}

/// A time as a parameter: milliseconds since the Unix epoch.
pub(crate) fn time(time: Timestamp) -> Value {
    Value::Integer(i64::try_from(time.millis()).unwrap_or(i64::MAX))
}
