use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};
use std::time::Duration;

use git_pack::{Plan, Progress, Written};

use super::spool::{Piece, Spool};
use crate::ServeError;

/// How far a pack may be ahead of the client that reads it fastest.
const AHEAD_BYTES: u64 = 64 << 20;

/// How much a client is handed at once.
const PIECE_BYTES: usize = 128 * 1024;

/// How often one who waits looks whether anybody still wants what he waits for.
const LOOK: Duration = Duration::from_millis(100);

/// One pack that is being made, or was, and all who read it.
pub(super) struct Flight {
    growth: Mutex<Growth>,
    changed: Condvar,
    /// Set when nobody reads it any more.
    pub(super) cancel: AtomicBool,
    /// Who is told how far it is.
    listeners: RwLock<Vec<Arc<dyn Progress>>>,
    directory: PathBuf,
}

#[derive(Debug, Default)]
struct Growth {
    spool: Spool,
    /// How far the fastest reader is.
    furthest: u64,
    outcome: Option<Outcome>,
}

/// How the making of a pack ended.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// It is whole.
    Whole(Written),
    /// It is a stored pack, which each client is sent from where it lies.
    Stored(Arc<Plan>),
    /// It could not be made.
    Failed(Arc<ServeError>),
}

/// What a reader finds.
enum Found {
    Piece(Piece),
    End(Outcome),
}

impl Flight {
    pub(super) fn new(directory: &Path) -> Self {
        Self {
            growth: Mutex::default(),
            changed: Condvar::new(),
            cancel: AtomicBool::new(false),
            listeners: RwLock::default(),
            directory: directory.to_owned(),
        }
    }

    fn growth(&self) -> MutexGuard<'_, Growth> {
        self.growth.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells one more how far it is, from the next stage on. Nobody is told any more once it has
    /// ended: a listener holds its client's answer open.
    pub(super) fn listen(&self, progress: Arc<dyn Progress>) {
        let growth = self.growth();
        if growth.outcome.is_none() {
            self.listeners_mut().push(progress);
        }
    }

    fn listeners_mut(&self) -> RwLockWriteGuard<'_, Vec<Arc<dyn Progress>>> {
        let listeners = self.listeners.write();
        listeners.unwrap_or_else(PoisonError::into_inner)
    }

    /// Its bytes so far.
    pub(super) fn bytes(&self) -> u64 {
        self.growth().spool.len()
    }

    pub(super) fn end(&self, outcome: Outcome) {
        let mut growth = self.growth();
        self.listeners_mut().clear();
        growth.outcome = Some(outcome);
        drop(growth);
        self.changed.notify_all();
    }

    /// Sends all of it to one client as it grows.
    pub(super) fn send(
        &self,
        out: &mut dyn Write,
        cancel: &AtomicBool,
    ) -> Result<Written, ServeError> {
        let (mut at, mut buffer) = (0, Vec::new());
        loop {
            match self.find(at, cancel)? {
                Found::Piece(piece) => {
                    let bytes = piece.read(at, &mut buffer).map_err(ServeError::Spool)?;
                    out.write_all(bytes).map_err(|_| ServeError::ClientGone)?;
                    at += bytes.len() as u64;
                }
                Found::End(Outcome::Whole(written)) => return Ok(written),
                Found::End(Outcome::Stored(plan)) => {
                    return Ok(plan.write(out, &git_pack::NoProgress, cancel)?);
                }
                Found::End(Outcome::Failed(error)) => return Err(ServeError::Shared(error)),
            }
        }
    }

    /// Waits for what comes after a position.
    fn find(&self, at: u64, cancel: &AtomicBool) -> Result<Found, ServeError> {
        let mut growth = self.growth();
        if growth.furthest < at {
            growth.furthest = at;
            self.changed.notify_all();
        }
        loop {
            if growth.spool.len() > at {
                return Ok(Found::Piece(growth.spool.piece(at, PIECE_BYTES)));
            }
            if let Some(outcome) = &growth.outcome {
                return Ok(Found::End(outcome.clone()));
            }
            if cancel.load(Ordering::Relaxed) {
                return Err(ServeError::ClientGone);
            }
            growth = self.wait(growth);
        }
    }

    fn wait<'a>(&self, growth: MutexGuard<'a, Growth>) -> MutexGuard<'a, Growth> {
        let waited = self.changed.wait_timeout(growth, LOOK);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Where the pack of a flight is written to. It waits for the fastest client.
pub(super) struct Writing<'a>(pub(super) &'a Flight);

impl Write for Writing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let flight = self.0;
        let mut growth = flight.growth();
        while growth.spool.len() > growth.furthest.saturating_add(AHEAD_BYTES) {
            if flight.cancel.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            growth = flight.wait(growth);
        }
        growth.spool.append(bytes, &flight.directory)?;
        drop(growth);
        flight.changed.notify_all();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight")
            .field("growth", &self.growth)
            .finish_non_exhaustive()
    }
}

impl Progress for Flight {
    fn stage(&self, title: &str, total: Option<u64>) {
        self.tell(|listener| listener.stage(title, total));
    }

    fn advance(&self, by: u64) {
        self.tell(|listener| listener.advance(by));
    }

    fn done(&self) {
        self.tell(|listener| listener.done());
    }
}

impl Flight {
    fn tell(&self, what: impl Fn(&dyn Progress)) {
        let listeners = self
            .listeners
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        listeners.iter().for_each(|listener| what(&**listener));
    }
}
