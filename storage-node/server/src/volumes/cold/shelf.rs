use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use runtime::{Clock, Files, Timestamp};
use tokio::sync::Notify;

use super::super::volume::{Identity, VolumeId};
use super::cache::Cache;
use super::config::Checked;
use super::metrics::Metrics;
use super::reach::Reach;
use super::ticket::{State, Ticket};

/// The volumes of a node that have an object, and what is known of their use. The only one that
/// changes tickets.
pub(in crate::volumes) struct Cold {
    pub(super) files: Arc<dyn Files>,
    pub(super) reach: Reach,
    pub(super) owner: Identity,
    pub(super) config: Checked,
    pub(super) metrics: Metrics,
    pub(super) cache: Cache,
    pub(super) clock: Arc<dyn Clock>,
    /// When the process began.
    pub(super) began: Timestamp,
    shelf: Mutex<Shelf>,
    suspected: Notify,
}

#[derive(Debug, Default)]
struct Shelf {
    /// Of volumes that are being uploaded, or are there.
    tickets: BTreeMap<VolumeId, Ticket>,
    /// Volumes whose file has gone.
    away: BTreeSet<VolumeId>,
    /// Objects that are to be deleted.
    gone: Vec<Ticket>,
    uses: BTreeMap<VolumeId, Use>,
    /// When the store was last held against the tickets.
    audited: Option<Duration>,
}

/// How a volume was used since the process began.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Use {
    /// When it was read last.
    pub(super) last: Duration,
    /// Bytes of its object that were fetched since its file went.
    pub(super) fetched: u64,
}

/// What a cold tier is made of.
pub(super) struct Parts {
    pub(super) files: Arc<dyn Files>,
    pub(super) reach: Reach,
    pub(super) owner: Identity,
    pub(super) config: Checked,
    pub(super) metrics: Metrics,
    pub(super) clock: Arc<dyn Clock>,
}

impl Cold {
    pub(super) fn new(parts: Parts, tickets: Vec<Ticket>, local: &BTreeSet<VolumeId>) -> Self {
        let mut shelf = Shelf::default();
        for ticket in tickets {
            let volume = ticket.volume;
            match ticket.state {
                State::Gone => shelf.gone.push(ticket),
                // Of a ticket that was made anew and settled already; *cold* comes first by name.
                State::Up if shelf.away.contains(&volume) => {}
                // Its file went before it was ever whole in the store: nothing to go on with.
                State::Up if !local.contains(&volume) => shelf.gone.push(ticket),
                State::Up | State::Cold => {
                    shelf.tickets.insert(volume, ticket);
                    if !local.contains(&volume) {
                        shelf.away.insert(volume);
                    }
                }
            }
        }
        let began = parts.clock.now();
        let cache = Cache::new(parts.config.cache_bytes);
        let cold = Self {
            files: parts.files,
            reach: parts.reach,
            owner: parts.owner,
            config: parts.config,
            metrics: parts.metrics,
            cache,
            clock: parts.clock,
            began,
            shelf: Mutex::new(shelf),
            suspected: Notify::new(),
        };
        cold.show(&cold.shelf());
        cold
    }

    /// The ticket of a volume that has one and is not to be deleted.
    pub(super) fn ticket(&self, volume: VolumeId) -> Option<Ticket> {
        self.shelf().tickets.get(&volume).copied()
    }

    /// All of them.
    pub(super) fn tickets(&self) -> Vec<Ticket> {
        self.shelf().tickets.values().copied().collect()
    }

    /// Objects that are to be deleted.
    pub(super) fn gone(&self) -> Vec<Ticket> {
        self.shelf().gone.clone()
    }

    /// The ticket of a volume whose file has gone.
    pub(super) fn away(&self, volume: VolumeId) -> Option<Ticket> {
        let shelf = self.shelf();
        let is_away = shelf.away.contains(&volume);
        is_away.then(|| shelf.tickets.get(&volume).copied())?
    }

    /// Reads of objects that run at a time.
    pub(in crate::volumes) fn readers(&self) -> usize {
        self.config.readers
    }

    /// Whether a volume has no file, so that reading it takes as long as the store does.
    pub(in crate::volumes) fn is_away(&self, volume: VolumeId) -> bool {
        self.shelf().away.contains(&volume)
    }

    /// Whether a pass of the scrub reads a volume.
    pub(in crate::volumes) fn is_scrubbed(&self, volume: VolumeId) -> bool {
        self.config.scrub || !self.is_away(volume)
    }

    /// Those whose file has gone.
    pub(super) fn all_away(&self) -> Vec<Ticket> {
        let shelf = self.shelf();
        let away = shelf.away.iter();
        away.filter_map(|volume| shelf.tickets.get(volume).copied())
            .collect()
    }

    /// A chunk of a volume was read.
    pub(in crate::volumes) fn was_read(&self, volume: VolumeId) {
        let now = self.clock.monotonic();
        self.shelf().uses.entry(volume).or_default().last = now;
    }

    pub(super) fn was_fetched(&self, volume: VolumeId, bytes: u64) {
        let mut shelf = self.shelf();
        shelf.uses.entry(volume).or_default().fetched += bytes;
    }

    /// How a volume was used; the first look counts as a use.
    pub(super) fn seen(&self, volume: VolumeId) -> Use {
        let last = self.clock.monotonic();
        let new = Use { last, fetched: 0 };
        *self.shelf().uses.entry(volume).or_insert(new)
    }

    pub(super) fn used(&self, volume: VolumeId) -> Use {
        self.shelf().uses.get(&volume).copied().unwrap_or_default()
    }

    /// Something of the store is not as it should be, or is due: it is to be looked at soon.
    pub(super) fn suspect(&self) {
        self.shelf().audited = None;
        self.suspected.notify_one();
    }

    /// Whether the last audit is so long ago.
    pub(super) fn is_audit_due(&self, after: Duration) -> bool {
        let audited = self.shelf().audited;
        audited.is_none_or(|audited| self.clock.monotonic().saturating_sub(audited) >= after)
    }

    pub(super) fn audited(&self) {
        self.shelf().audited = Some(self.clock.monotonic());
    }

    /// Waits until something is suspected.
    pub(in crate::volumes) async fn is_suspected(&self) {
        self.suspected.notified().await;
    }

    /// Before an object is begun: says durably that it may be there. No if the volume has another
    /// object that is still to be deleted.
    pub(super) fn begin(&self, ticket: Ticket) -> io::Result<bool> {
        let mut shelf = self.shelf();
        if shelf.gone.iter().any(|gone| gone.volume == ticket.volume) {
            return Ok(false);
        }
        match self.files.create(&ticket.file_name()) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => drop(created?),
        }
        self.files.sync_dir("")?;
        shelf.tickets.insert(ticket.volume, ticket);
        Ok(true)
    }

    /// The object was read back and is as the ticket says. No if the volume was removed meanwhile.
    pub(super) fn settle(&self, ticket: Ticket) -> io::Result<bool> {
        let mut shelf = self.shelf();
        if shelf.tickets.get(&ticket.volume) != Some(&ticket) {
            return Ok(false);
        }
        let cold = ticket.to(State::Cold);
        self.restate(&ticket, &cold)?;
        shelf.tickets.insert(ticket.volume, cold);
        self.show(&shelf);
        Ok(true)
    }

    /// The volume's object is not needed any more, or is not there: it is to be deleted. Durable
    /// when this returns.
    pub(super) fn give_up(&self, volume: VolumeId) -> io::Result<()> {
        let mut shelf = self.shelf();
        let Some(ticket) = shelf.tickets.get(&volume).copied() else {
            return Ok(());
        };
        let gone = ticket.to(State::Gone);
        self.restate(&ticket, &gone)?;
        shelf.tickets.remove(&volume);
        shelf.gone.push(gone);
        self.show(&shelf);
        drop(shelf);
        self.cache.forget(volume);
        Ok(())
    }

    /// A volume is removed; says whether it had a file.
    pub(super) fn remove(&self, volume: VolumeId) -> io::Result<bool> {
        self.give_up(volume)?;
        let mut shelf = self.shelf();
        shelf.uses.remove(&volume);
        Ok(!shelf.away.remove(&volume))
    }

    /// Removes the file of a volume that is whole in the store; no if it is not any more. The
    /// caller syncs the directory.
    pub(super) fn leave(&self, volume: VolumeId) -> io::Result<bool> {
        let mut shelf = self.shelf();
        let is_there = shelf
            .tickets
            .get(&volume)
            .is_some_and(|ticket| ticket.state == State::Cold);
        if !is_there || shelf.away.contains(&volume) {
            return Ok(false);
        }
        self.files.remove(&volume.file_name())?;
        shelf.away.insert(volume);
        shelf.uses.entry(volume).or_default().fetched = 0;
        Ok(true)
    }

    /// A volume's bytes are in this file, synced: it becomes the volume's. No if the volume was
    /// removed meanwhile.
    pub(super) fn come_back(&self, volume: VolumeId, file: &str) -> io::Result<bool> {
        let mut shelf = self.shelf();
        if !shelf.away.contains(&volume) {
            return Ok(false);
        }
        self.files.rename(file, &volume.file_name())?;
        self.files.sync_dir("")?;
        shelf.away.remove(&volume);
        Ok(true)
    }

    /// An object is deleted.
    pub(super) fn deleted(&self, ticket: &Ticket) -> io::Result<()> {
        let mut shelf = self.shelf();
        match self.files.remove(&ticket.to(State::Gone).file_name()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // An upload that had no file left when the process began.
        match self.files.remove(&ticket.to(State::Up).file_name()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.files.sync_dir("")?;
        shelf.gone.retain(|gone| gone != ticket);
        Ok(())
    }

    /// Renames a ticket, durably; also if an earlier attempt came half way.
    fn restate(&self, from: &Ticket, to: &Ticket) -> io::Result<()> {
        let (from, to) = (from.file_name(), to.file_name());
        match self.files.rename(&from, &to) {
            Err(error)
                if error.kind() == io::ErrorKind::NotFound && self.files.open(&to).is_ok() => {}
            renamed => renamed?,
        }
        self.files.sync_dir("")
    }

    fn show(&self, shelf: &Shelf) {
        let cold = shelf
            .tickets
            .values()
            .filter(|ticket| ticket.state == State::Cold);
        let bytes: u64 = cold.clone().map(|ticket| ticket.length).sum();
        let gauge = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        self.metrics.volumes.set(gauge(cold.count() as u64));
        self.metrics.object_bytes.set(gauge(bytes));
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Cold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cold")
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}
