//! The twin in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use runtime::{Faults, Random, SeededRandom, Survives};

use crate::{
    Batch, Direction, Durability, Family, KeyValue, KvError, Operation, Range, View, Visit,
};

type Pairs = BTreeMap<Bytes, Bytes>;
type Families = BTreeMap<Family, Arc<Pairs>>;

/// A store in memory, for tests and simulation. Clones share the content.
///
/// A power failure keeps the synced batches and some prefix of the others, as a write-ahead log
/// does. A call that fails by schedule poisons the store as a failed disk would, and its batch
/// may or may not be there after the crash.
#[derive(Clone)]
pub struct Memory {
    state: Arc<Mutex<State>>,
    faults: Arc<Faults>,
}

#[derive(Debug, Clone)]
struct State {
    crashed: bool,
    poisoned: bool,
    live: Families,
    durable: Families,
    /// Written after the last sync, in order.
    unsynced: Vec<Batch>,
    /// A batch whose write failed: after the unsynced ones, perhaps.
    doubtful: Option<Batch>,
    syncs: u64,
}

impl Memory {
    /// An empty store with these families.
    pub fn new(families: &[Family]) -> Self {
        let empty: Families = families
            .iter()
            .map(|family| (*family, Arc::default()))
            .collect();
        Self {
            state: Arc::new(Mutex::new(State {
                crashed: false,
                poisoned: false,
                live: empty.clone(),
                durable: empty,
                unsynced: Vec::new(),
                doubtful: None,
                syncs: 0,
            })),
            faults: Arc::new(Faults::none()),
        }
    }

    /// The schedule of failing calls. Writes, syncs and reads count; views do not.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// How often something was synced, by a write or by itself.
    pub fn syncs(&self) -> u64 {
        self.lock().syncs
    }

    /// What a restart finds after a crash at this instant. Every handle to the store as it was
    /// fails from now on, except for views. The new store has no faults scheduled.
    #[must_use = "the store as it was is dead"]
    pub fn crash(&self, survives: Survives) -> Self {
        let mut old = self.lock();
        let mut state = old.clone();
        old.crashed = true;
        drop(old);
        let rest = state.unsynced.drain(..).chain(state.doubtful.take());
        let rest: Vec<Batch> = rest.collect();
        let keep = match survives {
            Survives::Nothing => 0,
            Survives::Everything => rest.len(),
            Survives::Random(seed) => {
                let keep = SeededRandom::new(seed).below(rest.len() as u64 + 1);
                usize::try_from(keep).unwrap_or(usize::MAX)
            }
        };
        for batch in rest.iter().take(keep) {
            apply(&mut state.durable, batch);
        }
        state.live.clone_from(&state.durable);
        state.crashed = false;
        state.poisoned = false;
        Self {
            state: Arc::new(Mutex::new(state)),
            faults: Arc::new(Faults::none()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pairs(&self, family: Family) -> Result<Arc<Pairs>, KvError> {
        let state = self.lock();
        if state.crashed {
            return Err(KvError::Crashed);
        }
        self.faults.check().map_err(|error| KvError::Read {
            family,
            source: error.into(),
        })?;
        let pairs = state.live.get(&family);
        pairs.cloned().ok_or(KvError::UnknownFamily { family })
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("families", &self.lock().live.keys())
            .finish_non_exhaustive()
    }
}

impl View for Memory {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, KvError> {
        Ok(self.pairs(family)?.get(key).cloned())
    }

    fn scan(
        &self,
        family: Family,
        range: Range<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), KvError> {
        scan(&*self.pairs(family)?, range, direction, visit);
        Ok(())
    }
}

impl KeyValue for Memory {
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), KvError> {
        let mut state = self.lock();
        state.writable()?;
        for operation in batch.operations() {
            let family = operation.family();
            if !state.live.contains_key(&family) {
                return Err(KvError::UnknownFamily { family });
            }
        }
        if let Err(error) = self.faults.check() {
            state.poisoned = true;
            state.doubtful = Some(batch);
            return Err(KvError::Write {
                source: error.into(),
            });
        }
        apply(&mut state.live, &batch);
        state.unsynced.push(batch);
        if durability == Durability::Synced {
            state.make_durable();
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), KvError> {
        let mut state = self.lock();
        state.writable()?;
        if let Err(error) = self.faults.check() {
            state.poisoned = true;
            return Err(KvError::Sync {
                source: error.into(),
            });
        }
        state.make_durable();
        Ok(())
    }

    fn view(&self) -> Box<dyn View> {
        Box::new(MemoryView(self.lock().live.clone()))
    }
}

impl State {
    fn writable(&self) -> Result<(), KvError> {
        match (self.crashed, self.poisoned) {
            (true, _) => Err(KvError::Crashed),
            (_, true) => Err(KvError::Poisoned),
            _ => Ok(()),
        }
    }

    fn make_durable(&mut self) {
        for batch in self.unsynced.drain(..) {
            apply(&mut self.durable, &batch);
        }
        self.syncs += 1;
    }
}

impl Operation {
    pub(crate) fn family(&self) -> Family {
        match self {
            Self::Put { family, .. }
            | Self::Delete { family, .. }
            | Self::DeleteRange { family, .. } => *family,
        }
    }
}

fn apply(families: &mut Families, batch: &Batch) {
    for operation in batch.operations() {
        let pairs = families.entry(operation.family()).or_default();
        let pairs = Arc::make_mut(pairs);
        match operation {
            Operation::Put { key, value, .. } => {
                pairs.insert(key.clone(), value.clone());
            }
            Operation::Delete { key, .. } => {
                pairs.remove(key);
            }
            Operation::DeleteRange { from, to, .. } => {
                let mut tail = pairs.split_off(from);
                pairs.append(&mut tail.split_off(to));
            }
        }
    }
}

#[derive(Debug)]
struct MemoryView(Families);

impl View for MemoryView {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, KvError> {
        let pairs = self.0.get(&family);
        let pairs = pairs.ok_or(KvError::UnknownFamily { family })?;
        Ok(pairs.get(key).cloned())
    }

    fn scan(
        &self,
        family: Family,
        range: Range<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), KvError> {
        let pairs = self.0.get(&family);
        let pairs = pairs.ok_or(KvError::UnknownFamily { family })?;
        scan(pairs, range, direction, visit);
        Ok(())
    }
}

fn scan(pairs: &Pairs, range: Range<'_>, direction: Direction, visit: &mut Visit<'_>) {
    let crossed = match range {
        (Bound::Excluded(from), Bound::Excluded(to)) => from >= to,
        (
            Bound::Included(from) | Bound::Excluded(from),
            Bound::Included(to) | Bound::Excluded(to),
        ) => from > to,
        _ => false,
    };
    if crossed {
        return;
    }
    let mut pairs = pairs.range::<[u8], _>(range);
    loop {
        let pair = match direction {
            Direction::Ascending => pairs.next(),
            Direction::Descending => pairs.next_back(),
        };
        match pair {
            Some((key, value)) if visit(key, value).is_continue() => {}
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::{self, ALPHA, FAMILIES, Victim};

    #[test]
    fn the_memory_store_passes_the_suite() {
        suite::conformance(&mut || Arc::new(Memory::new(&FAMILIES)));
    }

    struct PowerFailure(Memory);

    impl Victim for PowerFailure {
        fn store(&self) -> Arc<dyn KeyValue> {
            Arc::new(self.0.clone())
        }
        fn synced(&mut self) {}
        fn crash(&mut self, seed: u64) {
            self.0 = self.0.crash(Survives::Random(seed));
        }
    }

    #[test]
    fn power_failures_leave_a_prefix_of_whole_batches() {
        suite::crash(
            &mut || Box::new(PowerFailure(Memory::new(&FAMILIES))),
            0..200,
        );
    }

    #[test]
    fn what_is_not_synced_is_lost_if_nothing_survives() {
        let store = Memory::new(&FAMILIES);
        let put = |key: &'static str, durability| {
            let mut batch = Batch::new();
            batch.put(ALPHA, key, "x");
            store.write(batch, durability).unwrap();
        };
        put("1", Durability::Buffered);
        put("2", Durability::Synced);
        put("3", Durability::Buffered);
        let after = store.crash(Survives::Nothing);
        let has = |key: &str| after.get(ALPHA, key.as_bytes()).unwrap().is_some();
        assert_eq!([has("1"), has("2"), has("3")], [true, true, false]);
        assert!(matches!(store.sync(), Err(KvError::Crashed)));
        assert!(matches!(store.get(ALPHA, b"1"), Err(KvError::Crashed)));
        assert_eq!(store.syncs(), 1);
    }

    /// Ten batches, the n-th call failing: afterwards there is a prefix of the batches that
    /// holds at least those that were acknowledged.
    #[test]
    fn whichever_call_fails_acknowledged_batches_are_there() {
        for n in 0..12 {
            for survives in [Survives::Nothing, Survives::Everything, Survives::Random(n)] {
                let store = Memory::new(&FAMILIES);
                store.faults().fail_after(n);
                let mut acknowledged = 0;
                for i in 0..10_u8 {
                    let mut batch = Batch::new();
                    batch.put(ALPHA, vec![i], "x");
                    match store.write(batch, Durability::Synced) {
                        Ok(()) => acknowledged = usize::from(i) + 1,
                        Err(error) => {
                            assert_eq!(error.may_have_happened(), u64::from(i) == n);
                        }
                    }
                }
                let after = store.crash(survives);
                let there: Vec<bool> = (0..10_u8)
                    .map(|i| after.get(ALPHA, &[i]).unwrap().is_some())
                    .collect();
                let count = there.iter().filter(|there| **there).count();
                assert!(there[..count].iter().all(|there| *there), "a prefix");
                assert!(count == acknowledged || count == acknowledged + 1);
                assert!(after.write(Batch::new(), Durability::Synced).is_ok());
            }
        }
    }
}
