//! The dumps that readers have open.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use storage_node_api::dump::{DumpOrder, DumpPart};
use storage_node_api::limits::MAX_DUMPS;
use storage_node_api::metadata::QueryError;
use storage_node_metadata::{FactsDump, Fault, Reader};

/// By number; more than [`MAX_DUMPS`] are not kept.
#[derive(Debug, Default)]
pub(crate) struct Dumps {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    last: u64,
    dumps: BTreeMap<u64, Arc<Mutex<FactsDump>>>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DumpFailure {
    /// The reader has to begin again.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The replica is at fault.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Dumps {
    /// Does what is asked. Blocks.
    pub(crate) fn order(&self, facts: &Reader, order: DumpOrder) -> Result<DumpPart, DumpFailure> {
        match order {
            DumpOrder::Open => {
                let dump = facts.dump()?;
                let migrations = dump.migrations()?;
                let dump = self.keep(dump);
                Ok(DumpPart::Opened { dump, migrations })
            }
            DumpOrder::Next(number) => {
                let dump = self.lock().dumps.get(&number).cloned();
                let dump = dump.ok_or(QueryError::Unavailable)?;
                let mut dump = dump.lock().unwrap_or_else(PoisonError::into_inner);
                match dump.next_page()? {
                    Some(page) => Ok(DumpPart::Rows(page)),
                    None => {
                        self.lock().dumps.remove(&number);
                        Ok(DumpPart::End)
                    }
                }
            }
            DumpOrder::Close(number) => {
                self.lock().dumps.remove(&number);
                Ok(DumpPart::End)
            }
        }
    }

    fn keep(&self, dump: FactsDump) -> u64 {
        let mut open = self.lock();
        open.last += 1;
        let number = open.last;
        open.dumps.insert(number, Arc::new(Mutex::new(dump)));
        while open.dumps.len() > MAX_DUMPS {
            open.dumps.pop_first();
        }
        number
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
