use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::flight::{Flight, Outcome};
use super::key::Key;

/// How many requests are remembered of which nothing is kept, to know them the second time.
const REMEMBERED: usize = 4096;

/// The packs that are being made or kept. Not more bytes than the limit are promised to them.
#[derive(Debug)]
pub(super) struct Table {
    limit: u64,
    promised: u64,
    flights: HashMap<Key, Slot>,
    seen: VecDeque<Key>,
    uses: u64,
}

#[derive(Debug)]
struct Slot {
    flight: Arc<Flight>,
    readers: usize,
    /// Bytes: what it may come to, and once it is whole what it is.
    promised: u64,
    is_whole: bool,
    /// It was asked for more than once.
    is_wanted_again: bool,
    last_use: u64,
}

/// Who makes an answer.
#[derive(Debug)]
pub(super) enum Entered {
    /// The caller alone: there is no room.
    Alone,
    /// The caller, for others too, who may come.
    Make(Arc<Flight>),
    /// Somebody else does, or did.
    Follow(Arc<Flight>),
}

impl Table {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            limit,
            promised: 0,
            flights: HashMap::new(),
            seen: VecDeque::new(),
            uses: 0,
        }
    }

    /// Bytes of the packs that are kept.
    pub(super) fn kept_bytes(&self) -> u64 {
        let kept = self.flights.values().filter(|slot| slot.is_whole);
        kept.map(|slot| slot.promised).sum()
    }

    /// One more who asks for it; `most` is what the pack may come to in bytes.
    pub(super) fn enter(
        &mut self,
        key: Key,
        most: u64,
        make: impl FnOnce() -> Arc<Flight>,
    ) -> Entered {
        self.uses += 1;
        if let Some(slot) = self.flights.get_mut(&key) {
            slot.readers += 1;
            slot.is_wanted_again = true;
            slot.last_use = self.uses;
            return Entered::Follow(Arc::clone(&slot.flight));
        }
        let is_wanted_again = self.seen.contains(&key);
        if !self.make_room(most) {
            return Entered::Alone;
        }
        if !is_wanted_again {
            self.seen.push_back(key);
            if self.seen.len() > REMEMBERED {
                self.seen.pop_front();
            }
        }
        let flight = make();
        self.promised += most;
        let slot = Slot {
            flight: Arc::clone(&flight),
            readers: 1,
            promised: most,
            is_whole: false,
            is_wanted_again,
            last_use: self.uses,
        };
        self.flights.insert(key, slot);
        Entered::Make(flight)
    }

    /// One reads it no more.
    pub(super) fn leave(&mut self, key: Key, flight: &Arc<Flight>) {
        let Some(slot) = self.slot(key, flight) else {
            return;
        };
        slot.readers -= 1;
        if slot.readers > 0 || (slot.is_whole && slot.is_wanted_again) {
            return;
        }
        slot.flight.cancel.store(true, Ordering::Relaxed);
        self.remove(key);
    }

    /// It is made, or cannot be. What cannot be kept is not found any more.
    pub(super) fn settle(&mut self, key: Key, flight: &Arc<Flight>, outcome: &Outcome) {
        let bytes = flight.bytes();
        let Some(slot) = self.slot(key, flight) else {
            return;
        };
        match outcome {
            Outcome::Whole(_) => {
                let promised = std::mem::replace(&mut slot.promised, bytes);
                slot.is_whole = true;
                self.promised = self.promised - promised + bytes;
            }
            Outcome::Stored(_) | Outcome::Failed(_) => self.remove(key),
        }
    }

    /// The slot, unless another pack has taken its place.
    fn slot(&mut self, key: Key, flight: &Arc<Flight>) -> Option<&mut Slot> {
        let slot = self.flights.get_mut(&key)?;
        Arc::ptr_eq(&slot.flight, flight).then_some(slot)
    }

    /// Drops what was not used for longest and nobody reads, until there is room.
    fn make_room(&mut self, bytes: u64) -> bool {
        while self.promised.saturating_add(bytes) > self.limit {
            let idle = self.flights.iter().filter(|(_, slot)| slot.readers == 0);
            let Some((key, _)) = idle.min_by_key(|(_, slot)| slot.last_use) else {
                return false;
            };
            let key = *key;
            self.remove(key);
        }
        true
    }

    fn remove(&mut self, key: Key) {
        if let Some(slot) = self.flights.remove(&key) {
            self.promised -= slot.promised;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use git_pack::{PackOptions, Selection, Written};

    use super::{Entered, Flight, Key, Outcome, Table};

    fn key(scope: &[u8]) -> Key {
        let options = PackOptions {
            thin: false,
            ofs_delta: true,
            threads: 1,
        };
        Key::of(scope, &Selection::default(), &options)
    }

    fn enter(table: &mut Table, key: Key, most: u64) -> Entered {
        table.enter(key, most, || Arc::new(Flight::new(Path::new("/"))))
    }

    fn made(entered: Entered) -> Arc<Flight> {
        match entered {
            Entered::Make(flight) => flight,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_nobody_reads_any_more_is_given_up() {
        let mut table = Table::new(100);
        let flight = made(enter(&mut table, key(b"a"), 10));
        assert!(matches!(
            enter(&mut table, key(b"a"), 10),
            Entered::Follow(_)
        ));
        table.leave(key(b"a"), &flight);
        assert!(!flight.cancel.load(Ordering::Relaxed));
        table.leave(key(b"a"), &flight);
        assert!(flight.cancel.load(Ordering::Relaxed));
        // Who comes later has it made anew, and the late end of the first changes nothing.
        let again = made(enter(&mut table, key(b"a"), 10));
        table.settle(key(b"a"), &flight, &Outcome::Whole(Written::default()));
        assert_eq!(table.promised, 10);
        table.settle(key(b"a"), &again, &Outcome::Whole(Written::default()));
        assert_eq!(table.promised, 0);
    }

    #[test]
    fn room_is_made_of_what_was_used_longest_ago_and_nobody_reads() {
        let mut table = Table::new(30);
        for name in [b"a", b"b", b"c"] {
            let flight = made(enter(&mut table, key(name), 10));
            assert!(matches!(
                enter(&mut table, key(name), 10),
                Entered::Follow(_)
            ));
            let slot = table.slot(key(name), &flight).unwrap();
            slot.is_whole = true;
            table.leave(key(name), &flight);
            if name != b"b" {
                table.leave(key(name), &flight);
            }
        }
        assert_eq!(table.kept_bytes(), 30);
        made(enter(&mut table, key(b"d"), 10));
        assert!(!table.flights.contains_key(&key(b"a")));
        assert!(table.flights.contains_key(&key(b"b")), "it is being read");
        made(enter(&mut table, key(b"e"), 10));
        assert!(!table.flights.contains_key(&key(b"c")));
        assert!(matches!(enter(&mut table, key(b"f"), 10), Entered::Alone));
    }
}
