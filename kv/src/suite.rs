//! What every implementation of [`KeyValue`] must do; called by the tests of each.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use bytes::Bytes;
use runtime::{Random, SeededRandom};

use crate::{Batch, Direction, Durability, Family, KeyValue, KvError, Range, View};

/// One family that the suite's stores must have.
pub const ALPHA: Family = Family::new("alpha");
/// The other one.
pub const BETA: Family = Family::new("beta");
/// Both.
pub const FAMILIES: [Family; 2] = [ALPHA, BETA];

/// A store that can be made to lose power.
pub trait Victim {
    /// The store as it is now.
    fn store(&self) -> Arc<dyn KeyValue>;
    /// Called after the suite has synced everything.
    fn synced(&mut self);
    /// Loses power and starts again; `seed` chooses what survives of the unsynced writes. The
    /// stores handed out before are not used any more.
    fn crash(&mut self, seed: u64);
}

type Model = BTreeMap<(Family, Vec<u8>), Vec<u8>>;

/// Runs all cases that need no crash. `make` returns a new, empty store with [`FAMILIES`].
///
/// # Panics
/// If the implementation does not behave.
pub fn conformance(make: &mut dyn FnMut() -> Arc<dyn KeyValue>) {
    values(&*make());
    batches_are_ordered(&*make());
    ranges(&*make());
    views_stand_still(&*make());
    unknown_families(&*make());
    for seed in 0..4 {
        random_operations(&*make(), seed);
    }
    concurrent_writers(&*make());
}

/// Writes random batches, syncs now and then, loses power, and checks that what is there is the
/// state after some whole batch that is not before the last synced one. One run for each seed.
///
/// # Panics
/// If the implementation does not behave.
pub fn crash(make: &mut dyn FnMut() -> Box<dyn Victim>, seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let random = SeededRandom::new(seed);
        let mut victim = make();
        let mut states = vec![Model::new()];
        let mut safe = 0;
        for life in 0..3 {
            let store = victim.store();
            for _ in 0..random.below(20) + 1 {
                let mut model = states.last().cloned().unwrap_or_default();
                let batch = random_batch(&random, &mut model);
                states.push(model);
                let durability = match random.below(6) {
                    0 => Durability::Synced,
                    _ => Durability::Buffered,
                };
                check(store.write(batch, durability), "write");
                let synced = durability == Durability::Synced || random.below(8) == 0;
                if synced {
                    check(store.sync(), "sync");
                    safe = states.len() - 1;
                    victim.synced();
                }
            }
            drop(store);
            victim.crash(random.u64());
            let found = content(&*victim.store());
            let state = (safe..states.len()).rfind(|i| states[*i] == found);
            let Some(state) = state else {
                panic!("seed {seed}, life {life}: no prefix of the batches gives {found:?}");
            };
            // What recovery found counts as written from now on.
            states.truncate(state + 1);
            safe = state;
            check(victim.store().sync(), "sync");
            victim.synced();
        }
    }
}

fn check<T>(result: Result<T, KvError>, doing: &str) -> T {
    result.unwrap_or_else(|error| panic!("{doing}: {error}: {error:?}"))
}

fn content(store: &(impl View + ?Sized)) -> Model {
    let mut model = Model::new();
    for family in FAMILIES {
        for (key, value) in pairs(store, family, ALL, Direction::Ascending) {
            model.insert((family, key), value);
        }
    }
    model
}

const ALL: Range<'static> = (Bound::Unbounded, Bound::Unbounded);

fn pairs(
    store: &(impl View + ?Sized),
    family: Family,
    range: Range<'_>,
    direction: Direction,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found = Vec::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        found.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    };
    check(store.scan(family, range, direction, &mut visit), "scan");
    found
}

fn values(store: &dyn KeyValue) {
    assert_eq!(check(store.get(ALPHA, b"k"), "get"), None);
    let mut batch = Batch::new();
    batch.put(ALPHA, "k", "one").put(BETA, "k", "two");
    batch.put(ALPHA, "", "empty key").put(ALPHA, "e", "");
    assert_eq!((batch.len(), batch.size_bytes()), (4, 18));
    check(store.write(batch, Durability::Synced), "write");
    let get = |family, key: &str| check(store.get(family, key.as_bytes()), "get");
    assert_eq!(get(ALPHA, "k"), Some(Bytes::from("one")));
    assert_eq!(get(BETA, "k"), Some(Bytes::from("two")));
    assert_eq!(get(ALPHA, ""), Some(Bytes::from("empty key")));
    assert_eq!(get(ALPHA, "e"), Some(Bytes::new()));
    assert_eq!(get(BETA, "e"), None);
    let mut batch = Batch::new();
    batch.put(ALPHA, "k", "three").delete(BETA, "k");
    batch.delete(BETA, "never there");
    check(store.write(batch, Durability::Buffered), "write");
    assert_eq!(get(ALPHA, "k"), Some(Bytes::from("three")));
    assert_eq!(get(BETA, "k"), None);
    check(
        store.write(Batch::new(), Durability::Synced),
        "write nothing",
    );
    check(store.sync(), "sync");
    let large = vec![7; 3 << 20];
    let mut batch = Batch::new();
    batch.put(ALPHA, "large", large.clone());
    check(store.write(batch, Durability::Synced), "write");
    assert_eq!(get(ALPHA, "large"), Some(Bytes::from(large)));
}

fn batches_are_ordered(store: &dyn KeyValue) {
    let mut batch = Batch::new();
    batch.put(ALPHA, "a", "1").put(ALPHA, "b", "1");
    batch.delete(ALPHA, "a").put(ALPHA, "a", "2");
    batch.put(ALPHA, "c", "1").delete(ALPHA, "c");
    batch.delete_range(ALPHA, "b", "c").put(ALPHA, "b", "3");
    batch.delete_range(ALPHA, "z", "a");
    let mut more = Batch::new();
    more.put(ALPHA, "d", "4");
    batch.append(more);
    check(store.write(batch, Durability::Synced), "write");
    let expect = [("a", "2"), ("b", "3"), ("d", "4")];
    let expect = expect.map(|(key, value)| (key.into(), value.into()));
    assert_eq!(pairs(store, ALPHA, ALL, Direction::Ascending), expect);
}

fn ranges(store: &dyn KeyValue) {
    let keys: [&[u8]; 5] = [b"a", b"a\0", b"b", b"b\xff", b"c"];
    let mut batch = Batch::new();
    for key in keys {
        batch.put(ALPHA, key, "x");
        batch.put(BETA, key, "y");
    }
    check(store.write(batch, Durability::Synced), "write");
    let mut bounds = vec![Bound::Unbounded];
    for key in keys.iter().chain([b"".as_slice(), b"bb", b"d"].iter()) {
        bounds.extend([Bound::Included(*key), Bound::Excluded(*key)]);
    }
    for from in &bounds {
        for to in &bounds {
            let inside = |key: &[u8]| {
                let after = match from {
                    Bound::Included(from) => key >= *from,
                    Bound::Excluded(from) => key > *from,
                    Bound::Unbounded => true,
                };
                after
                    && match to {
                        Bound::Included(to) => key <= *to,
                        Bound::Excluded(to) => key < *to,
                        Bound::Unbounded => true,
                    }
            };
            let mut expect: Vec<_> = keys
                .iter()
                .filter(|key| inside(key))
                .map(|key| (key.to_vec(), b"x".to_vec()))
                .collect();
            let range = (*from, *to);
            let found = pairs(store, ALPHA, range, Direction::Ascending);
            assert_eq!(found, expect, "{range:?}");
            expect.reverse();
            let found = pairs(store, ALPHA, range, Direction::Descending);
            assert_eq!(found, expect, "{range:?} descending");
        }
    }
    let mut seen = 0;
    let mut stop_at_two = |_: &[u8], _: &[u8]| {
        seen += 1;
        if seen == 2 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    check(
        store.scan(ALPHA, ALL, Direction::Ascending, &mut stop_at_two),
        "scan",
    );
    assert_eq!(seen, 2);
}

fn views_stand_still(store: &dyn KeyValue) {
    let mut batch = Batch::new();
    batch.put(ALPHA, "a", "old").put(ALPHA, "b", "old");
    check(store.write(batch, Durability::Buffered), "write");
    let view = store.view();
    let before = content(&*view);
    let mut batch = Batch::new();
    batch.put(ALPHA, "a", "new").delete_range(ALPHA, "b", "c");
    batch.put(BETA, "c", "new");
    check(store.write(batch, Durability::Synced), "write");
    assert_eq!(content(&*view), before);
    assert_eq!(
        check(view.get(ALPHA, b"b"), "get"),
        Some(Bytes::from("old"))
    );
    assert_eq!(check(view.get(BETA, b"c"), "get"), None);
    assert_ne!(content(store), before);
    let moved = std::thread::spawn(move || content(&*view));
    assert_eq!(moved.join().ok(), Some(before));
}

fn unknown_families(store: &dyn KeyValue) {
    let family = Family::new("gamma");
    let unknown = |error: Option<KvError>| matches!(error, Some(KvError::UnknownFamily { family: f }) if f == family);
    assert!(unknown(store.get(family, b"k").err()));
    assert!(unknown(store.view().get(family, b"k").err()));
    let mut batch = Batch::new();
    batch.put(ALPHA, "k", "x").put(family, "k", "x");
    assert!(unknown(store.write(batch, Durability::Synced).err()));
    assert_eq!(
        check(store.get(ALPHA, b"k"), "get"),
        None,
        "nothing was done"
    );
    check(store.write(Batch::new(), Durability::Synced), "write after");
}

/// Makes up to eight random changes, in a batch and in `model`.
fn random_batch(random: &SeededRandom, model: &mut Model) -> Batch {
    let mut batch = Batch::new();
    let key = || format!("key {:02}", random.below(30)).into_bytes();
    for _ in 0..random.below(8) + 1 {
        let family = if random.below(2) == 0 { ALPHA } else { BETA };
        match random.below(8) {
            0 => {
                let key = key();
                model.remove(&(family, key.clone()));
                batch.delete(family, key);
            }
            1 => {
                let (from, to) = (key(), key());
                model.retain(|(f, key), _| *f != family || *key < from || *key >= to);
                batch.delete_range(family, from, to);
            }
            _ => {
                let key = key();
                let value = random.u64().to_le_bytes().to_vec();
                model.insert((family, key.clone()), value.clone());
                batch.put(family, key, value);
            }
        }
    }
    batch
}

fn random_operations(store: &dyn KeyValue, seed: u64) {
    let random = SeededRandom::new(seed);
    let mut model = Model::new();
    for _ in 0..100 {
        let batch = random_batch(&random, &mut model);
        check(store.write(batch, Durability::Buffered), "write");
        assert_eq!(content(store), model);
    }
}

fn concurrent_writers(store: &dyn KeyValue) {
    std::thread::scope(|scope| {
        for writer in 0..4_u8 {
            scope.spawn(move || {
                for i in 0..20_u8 {
                    let mut batch = Batch::new();
                    batch.put(ALPHA, vec![writer, i], vec![i]);
                    batch.put(BETA, "last", vec![writer, i]);
                    check(store.write(batch, Durability::Synced), "write");
                }
            });
        }
    });
    assert_eq!(pairs(store, ALPHA, ALL, Direction::Ascending).len(), 80);
    let last = check(store.get(BETA, b"last"), "get");
    assert_eq!(last.map(|last| last[1]), Some(19));
}
