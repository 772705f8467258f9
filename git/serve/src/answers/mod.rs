//! Packs that several clients are sent: whoever asks for what is being made, or was made lately,
//! gets the same bytes.
//!
//! Who asks first has the pack made on another thread, into memory or a file, and reads it as
//! it grows like all who come later; none holds up another, and the pack waits for the fastest of
//! them. A pack that was asked for once is forgotten when it was sent; of those that were asked for
//! again, the ones used last are kept up to a limit. Where the answer turns out to be a stored
//! pack, all are sent that.

mod flight;
mod key;
mod spool;
mod table;

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use git_pack::{Objects, PackOptions, Progress, Selection, Written};

use crate::ServeError;
use flight::{Flight, Outcome, Writing};
use key::Key;
use table::{Entered, Table};

/// The packs of one process.
#[derive(Debug)]
pub struct Answers {
    directory: PathBuf,
    table: Mutex<Table>,
    counts: AnswerCounts,
}

/// What was done, counted since the start. Cheap to clone; all clones count the same.
#[derive(Clone, Debug, Default)]
pub struct AnswerCounts {
    /// Packs that were made for whoever would ask.
    pub made: Arc<AtomicU64>,
    /// Clients that were sent what was made for another.
    pub shared: Arc<AtomicU64>,
    /// Clients for which a pack was made alone, since there was no room.
    pub alone: Arc<AtomicU64>,
    /// Bytes of the packs that are kept.
    pub kept_bytes: Arc<AtomicU64>,
}

/// The answers of one repository.
#[derive(Clone, Debug)]
pub struct Shared {
    /// Those of the process.
    pub answers: Arc<Answers>,
    /// What names the repository: two of different names share nothing.
    pub scope: Vec<u8>,
}

/// What a pack is made of.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) objects: Objects,
    pub(crate) selection: Selection,
    pub(crate) options: PackOptions,
}

impl Order {
    /// Makes the pack for one client; blocks.
    pub(crate) fn write(
        &self,
        out: &mut dyn Write,
        progress: &dyn Progress,
        cancel: &AtomicBool,
    ) -> Result<Written, ServeError> {
        let Self {
            objects,
            selection,
            options,
        } = self;
        let plan = git_pack::plan(objects, selection, options, progress, cancel)?;
        Ok(plan.write(out, progress, cancel)?)
    }
}

impl Answers {
    /// None yet. `limit` is how many bytes may be kept and made at a time, in files without names
    /// in that directory.
    pub fn new(directory: PathBuf, limit: u64, counts: AnswerCounts) -> Self {
        Self {
            directory,
            table: Mutex::new(Table::new(limit)),
            counts,
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Sends one client the pack, made for it or for others; blocks.
    pub(crate) fn send(
        &self,
        order: Order,
        out: &mut dyn Write,
        progress: Arc<dyn Progress>,
        cancel: &AtomicBool,
    ) -> Result<Written, ServeError> {
        let key = Key::of(&self.scope, &order.selection, &order.options);
        let answers = &self.answers;
        let entered = answers
            .table()
            .enter(key, order.objects.stored_bytes(), || {
                Arc::new(Flight::new(&answers.directory))
            });
        let flight = match entered {
            Entered::Alone => {
                answers.counts.alone.fetch_add(1, Ordering::Relaxed);
                return order.write(out, &*progress, cancel);
            }
            Entered::Make(flight) => {
                answers.counts.made.fetch_add(1, Ordering::Relaxed);
                flight.listen(progress);
                let maker = Maker {
                    answers: Arc::clone(answers),
                    key,
                    flight: Arc::clone(&flight),
                };
                // As in `Pulse::run`: it waits on clients, which the seam's blocking calls may not.
                drop(tokio::task::spawn_blocking(move || maker.make(&order)));
                flight
            }
            Entered::Follow(flight) => {
                answers.counts.shared.fetch_add(1, Ordering::Relaxed);
                flight.listen(progress);
                flight
            }
        };
        let reader = Reader {
            answers,
            key,
            flight,
        };
        reader.flight.send(out, cancel)
    }
}

/// One who is sent a pack.
struct Reader<'a> {
    answers: &'a Answers,
    key: Key,
    flight: Arc<Flight>,
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let mut table = self.answers.table();
        table.leave(self.key, &self.flight);
        let kept = table.kept_bytes();
        self.answers
            .counts
            .kept_bytes
            .store(kept, Ordering::Relaxed);
    }
}

/// One who makes a pack. However that ends, those who wait are told.
struct Maker {
    answers: Arc<Answers>,
    key: Key,
    flight: Arc<Flight>,
}

impl Maker {
    fn make(self, order: &Order) {
        let outcome = match self.try_to(order) {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Failed(Arc::new(error)),
        };
        self.end(outcome);
    }

    fn try_to(&self, order: &Order) -> Result<Outcome, ServeError> {
        let (flight, cancel) = (&*self.flight, &self.flight.cancel);
        let Order {
            objects,
            selection,
            options,
        } = order;
        let plan = git_pack::plan(objects, selection, options, flight, cancel)?;
        if plan.is_stored_pack() {
            return Ok(Outcome::Stored(Arc::new(plan)));
        }
        let written = plan.write(&mut Writing(flight), flight, cancel)?;
        Ok(Outcome::Whole(written))
    }

    fn end(&self, outcome: Outcome) {
        self.answers
            .table()
            .settle(self.key, &self.flight, &outcome);
        self.flight.end(outcome);
    }
}

impl Drop for Maker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let cause = io::Error::other("making the pack panicked");
            self.end(Outcome::Failed(Arc::new(ServeError::Spool(cause))));
        }
    }
}
