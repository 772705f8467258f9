//! A bounded pool of reading connections.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::Reading;
use crate::limits::MAX_READERS;

#[derive(Debug, Default)]
pub(super) struct Readers {
    pool: Mutex<Pool>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct Pool {
    busy: usize,
    idle: Vec<Reading>,
}

/// The right to use one connection. Dropping it gives the right back.
pub(super) struct Slot<'a>(&'a Readers);

impl Readers {
    /// Waits until fewer than [`MAX_READERS`] connections are in use.
    pub(super) fn wait(&self) -> Slot<'_> {
        let mut pool = self.lock();
        while pool.busy == MAX_READERS {
            pool = self
                .returned
                .wait(pool)
                .unwrap_or_else(PoisonError::into_inner);
        }
        pool.busy += 1;
        Slot(self)
    }

    /// Closes the idle connections: they read a database that was replaced.
    pub(super) fn forget(&self) {
        self.lock().idle.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot<'_> {
    /// An idle connection to the state of this number.
    pub(super) fn take_idle(&self, number: u64) -> Option<Reading> {
        let mut pool = self.0.lock();
        pool.idle.retain(|reading| reading.number == number);
        pool.idle.pop()
    }

    /// Keeps a connection for the next reader.
    pub(super) fn put_back(self, reading: Reading) {
        self.0.lock().idle.push(reading);
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.lock().busy -= 1;
        self.0.returned.notify_one();
    }
}
