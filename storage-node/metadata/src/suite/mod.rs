//! What every implementation of [`Metadata`] must do: memory, a cluster, and
//! other databases alike.
//!
//! Part of the library, so that the tests of each implementation can call it.
//! The SQL in it is the portable dialect: what it uses, backends support. What
//! fails for the moment (a leader being elected) is tried again with the same
//! id, so that the cases also pass while nodes come and go.

mod batches;
mod concurrency;
mod migrations;
mod queries;
mod refusals;

use std::fmt::Debug;
use std::sync::Arc;

use runtime::Runtime;
use storage_node_api::metadata::{
    Batch, ExecuteError, Executed, Metadata, Migration, QueryError, Rows, Statement, Value,
};
use storage_node_api::{ReadPoint, RequestId, Retry};

pub use migrations::migrations;

/// How often a case tries again what may succeed later.
const ATTEMPTS: usize = 100;

/// The tables of all cases but those about migrations.
const SCHEMA: &str = "
CREATE TABLE items (
    id BIGINT NOT NULL PRIMARY KEY,
    name TEXT,
    body BYTEA,
    amount BIGINT
);
CREATE INDEX items_name ON items (name);
CREATE TABLE counters (
    name TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
CREATE TABLE parents (id BIGINT NOT NULL PRIMARY KEY);
CREATE TABLE children (
    id BIGINT NOT NULL PRIMARY KEY,
    parent BIGINT NOT NULL REFERENCES parents (id),
    label TEXT NOT NULL,
    score BIGINT NOT NULL CHECK (score >= 0),
    CONSTRAINT children_label UNIQUE (parent, label)
);
";

/// Runs all cases that share one instance, which must be empty. Those about
/// migrations need one each: see [`migrations`](fn@migrations).
///
/// # Panics
/// If the implementation does not behave.
pub async fn cases(metadata: Arc<dyn Metadata>, runtime: &Runtime) {
    let facts = Facts {
        metadata,
        runtime: runtime.clone(),
    };
    let schema = Migration {
        number: 1,
        name: "suite".to_owned(),
        sql: SCHEMA.to_owned(),
    };
    must(facts.metadata.migrate(&[schema]).await, "make the tables");
    queries::run(&facts).await;
    batches::run(&facts).await;
    refusals::run(&facts).await;
    concurrency::run(&facts).await;
}

/// The implementation under test.
#[derive(Clone, Debug)]
struct Facts {
    metadata: Arc<dyn Metadata>,
    runtime: Runtime,
}

impl Facts {
    fn id(&self) -> RequestId {
        RequestId::random(&*self.runtime.random)
    }

    async fn batch(&self, statements: Vec<Statement>) -> Result<Executed, ExecuteError> {
        self.execute(Batch::new(self.id(), statements)).await
    }

    async fn execute(&self, batch: Batch) -> Result<Executed, ExecuteError> {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let error = match self.metadata.execute(batch.clone()).await {
                Ok(executed) => return Ok(executed),
                Err(error) => error,
            };
            let Retry::After(delay) = error.retry() else {
                return Err(error);
            };
            last = Some(error);
            self.runtime.clock.sleep(delay).await;
        }
        Err(last.expect("there is at least one attempt"))
    }

    /// Runs one statement that must succeed.
    async fn run<const N: usize>(&self, sql: &str, params: [Value; N]) -> Rows {
        let executed = must(self.batch(vec![Statement::new(sql, params)]).await, sql);
        let [rows] = <[Rows; 1]>::try_from(executed.results).expect("one result per statement");
        rows
    }

    async fn query<const N: usize>(
        &self,
        sql: &str,
        params: [Value; N],
    ) -> Result<Vec<Vec<Value>>, QueryError> {
        self.query_at(ReadPoint::Linearizable, sql, params).await
    }

    async fn query_at<const N: usize>(
        &self,
        point: ReadPoint,
        sql: &str,
        params: [Value; N],
    ) -> Result<Vec<Vec<Value>>, QueryError> {
        for _ in 1..ATTEMPTS {
            let statement = Statement::new(sql, params.clone());
            match self.metadata.query(point, statement).await {
                Err(QueryError::Unavailable) => {
                    self.runtime
                        .clock
                        .sleep(std::time::Duration::from_millis(100))
                        .await;
                }
                result => return result.map(|rows| rows.rows),
            }
        }
        Err(QueryError::Unavailable)
    }

    /// The rows of a query that must succeed.
    async fn rows<const N: usize>(&self, sql: &str, params: [Value; N]) -> Vec<Vec<Value>> {
        must(self.query(sql, params).await, sql)
    }

    /// The one integer that a query answers.
    async fn integer<const N: usize>(&self, sql: &str, params: [Value; N]) -> i64 {
        match self.rows(sql, params).await.as_slice() {
            [row] => match row.as_slice() {
                [Value::Integer(integer)] => *integer,
                row => panic!("{sql}: {row:?}"),
            },
            rows => panic!("{sql}: {rows:?}"),
        }
    }
}

fn must<T, E: Debug>(result: Result<T, E>, doing: &str) -> T {
    result.unwrap_or_else(|error| panic!("{doing}: {error:?}"))
}

fn refused<T: Debug, E>(result: Result<T, E>, doing: &str) -> E {
    match result {
        Ok(value) => panic!("{doing}: should be refused, but answered {value:?}"),
        Err(error) => error,
    }
}

fn int(value: i64) -> Value {
    Value::Integer(value)
}
