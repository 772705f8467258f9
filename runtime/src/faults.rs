//! Faults that the in-memory twins of files and key-value stores can be told to have.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Which unsynced writes are still there after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survives {
    /// None of them.
    Nothing,
    /// All of them: what a killed process leaves behind on a running machine.
    Everything,
    /// Whatever a power failure leaves: decided by the seed, with the last write possibly torn.
    Random(u64),
}

/// A schedule of failing calls, shared by the parts of one in-memory store.
///
/// Calls are counted from the last change of the schedule. Clearing and setting are safe while
/// other threads call.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Schedule>);

#[derive(Debug, Default)]
struct Schedule {
    calls: u64,
    from: Option<u64>,
    until: u64,
}

impl Faults {
    /// No call fails.
    pub fn none() -> Self {
        Self::default()
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets `n` more calls succeed and the one after them fail, once.
    pub fn fail_after(&self, n: u64) {
        *self.schedule() = Schedule {
            calls: 0,
            from: Some(n),
            until: n,
        };
    }

    /// Lets `n` more calls succeed and every one after them fail.
    pub fn fail_all_after(&self, n: u64) {
        *self.schedule() = Schedule {
            calls: 0,
            from: Some(n),
            until: u64::MAX,
        };
    }

    /// No call fails from now on, and counting begins anew.
    pub fn heal(&self) {
        *self.schedule() = Schedule::default();
    }

    /// How many calls there were since the schedule was last changed. A loop over "the n-th call
    /// fails" ends when `n` reaches this number.
    pub fn calls(&self) -> u64 {
        self.schedule().calls
    }

    /// Counts one call, and fails it if the schedule says so.
    pub fn check(&self) -> io::Result<()> {
        let mut schedule = self.schedule();
        let call = schedule.calls;
        schedule.calls += 1;
        match schedule.from {
            Some(from) if (from..=schedule.until).contains(&call) => {
                Err(io::Error::other("injected fault"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_calls_fail() {
        let faults = Faults::none();
        let run = || {
            (0..5)
                .map(|_| faults.check().is_err())
                .collect::<Vec<bool>>()
        };
        assert_eq!(run(), [false; 5]);
        assert_eq!(faults.calls(), 5);
        faults.fail_after(2);
        assert_eq!(run(), [false, false, true, false, false]);
        faults.fail_all_after(3);
        assert_eq!(run(), [false, false, false, true, true]);
        faults.heal();
        assert_eq!(run(), [false; 5]);
    }
}
