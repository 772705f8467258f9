use std::sync::Arc;

use bytes::Bytes;
use storage_node_api::metadata::{QueryError, Rows, Statement};

use crate::limits::{MAX_QUERY_OPS, MAX_QUERY_RESULT_BYTES};
use crate::machine::{SqliteMachine, marker, state_hash};
use crate::sql::gate::Mode;
use crate::sql::statement::{Runner, Stop};
use crate::store::Store;
use crate::{FactsDump, Fault};

/// Queries on one replica, beside its applying. Each reads one point in time:
/// everything that was applied before it began.
///
/// On disk at most [`MAX_READERS`](crate::limits::MAX_READERS) run at once, and
/// more wait; in memory they take turns with applying.
#[derive(Clone, Debug)]
pub struct Reader {
    store: Arc<Store>,
}

/// Why a query has no rows.
#[derive(Debug, thiserror::Error)]
pub enum ReadFailure {
    /// The query is at fault.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The replica is.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Reader {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// Runs one `SELECT`. Blocks, for as long as
    /// [`MAX_QUERY_OPS`](crate::limits::MAX_QUERY_OPS) instructions take at most.
    pub fn query(&self, statement: &Statement) -> Result<Rows, ReadFailure> {
        if statement.guard.is_some() {
            let message = "only statements of a batch have guards".to_owned();
            return Err(QueryError::BadStatement { message }.into());
        }
        let keep_prepared = self.store.directory().is_some();
        let rows = self.store.read(|connection, gate| {
            gate.allow_ops(MAX_QUERY_OPS);
            let mode = Mode::Query;
            let bytes_left = MAX_QUERY_RESULT_BYTES;
            Runner {
                connection,
                gate,
                mode,
                keep_prepared,
                bytes_left,
            }
            .run(statement)
        })?;
        rows.map_err(|stop| match stop {
            Stop::Bad(message) => QueryError::BadStatement { message }.into(),
            Stop::TooManyRows => QueryError::TooManyRows.into(),
            Stop::Exhausted => {
                let message = "the query takes too long".to_owned();
                QueryError::BadStatement { message }.into()
            }
            Stop::Constraint { what, .. } => QueryError::BadStatement { message: what }.into(),
            Stop::Fault(source) => Fault::Sqlite {
                doing: "query",
                source,
            }
            .into(),
        })
    }

    /// The replica that this reads, for whoever is to apply to it after its first user has let go
    /// of it.
    pub fn machine(&self) -> SqliteMachine {
        SqliteMachine::over(Arc::clone(&self.store))
    }

    /// Begins to read all rows of everything that was applied before. Blocks.
    pub fn dump(&self) -> Result<FactsDump, Fault> {
        FactsDump::open(&self.store)
    }

    /// Reads the whole database and says what is damaged, if anything is. What
    /// SQLite cannot know, a changed value in a row, only the
    /// [`state_hash`](Self::state_hash) shows.
    pub fn check(&self) -> Result<Option<String>, Fault> {
        self.store.check()
    }

    /// The state hash together with the marker of the state that it is of.
    /// Applying goes on meanwhile, if the replica is on disk.
    pub fn state_hash(&self) -> Result<(Option<Bytes>, [u8; 32]), Fault> {
        self.store.read(|connection, _| {
            let point = connection
                .unchecked_transaction()
                .map_err(Fault::sqlite("read"))?;
            Ok((marker(&point)?, state_hash(&point)?))
        })?
    }
}
