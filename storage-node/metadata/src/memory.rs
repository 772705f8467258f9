use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use runtime::{Runtime, run_blocking};
use storage_node_api::dump::{AppliedMigration, Dump, TableRows};
use storage_node_api::map::METADATA_GROUP;
use storage_node_api::metadata::{
    Batch, ExecuteError, Executed, Metadata, QueryError, Rows, Statement,
};
use storage_node_api::{ReadPoint, Token};

use crate::{Command, FactsDump, Fault, ReadFailure, Reader, Reply, SqliteMachine};

/// The whole metadata interface on one replica without a log: for tests above the
/// storage tier. What it answers is what a cluster answers; what it forgets when
/// the process ends, a cluster keeps.
#[derive(Clone, Debug)]
pub struct MemoryMetadata {
    machine: SqliteMachine,
    reader: Reader,
    runtime: Runtime,
    /// The index of the last entry, as a log would count.
    last: Arc<Mutex<u64>>,
}

impl MemoryMetadata {
    /// Empty facts in memory.
    pub fn new(runtime: Runtime) -> Self {
        let machine = SqliteMachine::in_memory()
            .expect("an empty database in memory needs nothing that can fail but memory");
        Self::over(machine, 0, runtime)
    }

    /// The facts of a replica that nobody else applies to and whose last entry is
    /// `last`.
    pub fn over(machine: SqliteMachine, last: u64, runtime: Runtime) -> Self {
        let reader = machine.reader();
        Self {
            machine,
            reader,
            runtime,
            last: Arc::new(Mutex::new(last)),
        }
    }

    /// The replica itself.
    pub fn machine(&self) -> &SqliteMachine {
        &self.machine
    }

    fn apply(&self, command: bytes::Bytes) -> Result<Reply, Fault> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let index = *last + 1;
        let replies = self
            .machine
            .apply(&[(index, Some(command))], &index.to_le_bytes())?;
        *last = index;
        Ok(Reply::decode(&replies[0]).expect("the machine writes what this crate reads"))
    }

    fn last(&self) -> u64 {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Metadata for MemoryMetadata {
    async fn query(&self, point: ReadPoint, statement: Statement) -> Result<Rows, QueryError> {
        if let ReadPoint::AtLeast(Token { group, index }) = point
            && (group != METADATA_GROUP || index > self.last())
        {
            return Err(QueryError::Unavailable);
        }
        let reader = self.reader.clone();
        let query = move || reader.query(&statement);
        match run_blocking(&*self.runtime.tasks, "metadata query", query).await {
            Ok(Ok(rows)) => Ok(rows),
            Ok(Err(ReadFailure::Query(error))) => Err(error),
            Ok(Err(ReadFailure::Fault(fault))) => {
                tracing::error!(error = &fault as &dyn std::error::Error, "query metadata");
                Err(QueryError::Unavailable)
            }
            Err(_) => Err(QueryError::Unavailable),
        }
    }

    async fn dump(&self) -> Result<Box<dyn Dump>, QueryError> {
        let reader = self.reader.clone();
        let open = move || {
            let dump = reader.dump()?;
            let migrations = dump.migrations()?;
            Ok::<_, Fault>(MemoryDump { dump, migrations })
        };
        match run_blocking(&*self.runtime.tasks, "metadata dump", open).await {
            Ok(Ok(dump)) => Ok(Box::new(dump)),
            Ok(Err(_)) | Err(_) => Err(QueryError::Unavailable),
        }
    }

    async fn execute(&self, batch: Batch) -> Result<Executed, ExecuteError> {
        let command = Command::encode(batch)?;
        let this = self.clone();
        let apply = move || this.apply(command);
        match run_blocking(&*self.runtime.tasks, "metadata batch", apply).await {
            Ok(Ok(reply)) => reply.into_executed(METADATA_GROUP),
            Ok(Err(fault)) => {
                tracing::error!(error = &fault as &dyn std::error::Error, "apply metadata");
                Err(ExecuteError::Interrupted)
            }
            Err(_) => Err(ExecuteError::Interrupted),
        }
    }
}

struct MemoryDump {
    dump: FactsDump,
    migrations: Vec<AppliedMigration>,
}

#[async_trait]
impl Dump for MemoryDump {
    fn migrations(&self) -> &[AppliedMigration] {
        &self.migrations
    }

    async fn next(&mut self) -> Result<Option<TableRows>, QueryError> {
        self.dump.next_page().map_err(|_| QueryError::Unavailable)
    }
}
