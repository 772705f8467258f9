use std::cell::RefCell;
use std::collections::HashMap;
use std::mem;

use bytes::Bytes;
use storage_node_machine::Write;

/// Bytes of a generation of pairs after which the one before it is dropped.
const GENERATION_BYTES: usize = 16 << 10;
/// The largest value that is kept.
const VALUE_BYTES: usize = 4 << 10;

/// The pairs that the newest entries of a group read, since the next ones read most of them
/// again: the head, the map, the feed, the repository that is pushed to. Bounded, and derived from
/// the store, whose only writer keeps it.
///
/// Two generations: what is read in the older one moves to the younger, and what was not read by
/// the time that one is full is dropped.
#[derive(Debug, Default)]
pub(super) struct Warm {
    copy: u32,
    pairs: RefCell<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Vec<u8>, Option<Bytes>>,
    old: HashMap<Vec<u8>, Option<Bytes>>,
    young_bytes: usize,
}

impl Warm {
    /// From now on, this copy of the state is meant: a received one has other pairs.
    pub(super) fn of(&mut self, copy: u32) {
        if self.copy != copy {
            *self = Self {
                copy,
                ..Self::default()
            };
        }
    }

    /// The value of a key, if it is known. That there is none may be known too.
    pub(super) fn get(&self, key: &[u8]) -> Option<Option<Bytes>> {
        let mut pairs = self.pairs.borrow_mut();
        if let Some(value) = pairs.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = pairs.old.remove_entry(key)?;
        pairs.insert(key, value.clone());
        Some(value)
    }

    /// Notes what the store has.
    pub(super) fn note(&self, key: &[u8], value: Option<&Bytes>) {
        if value.is_none_or(|value| value.len() <= VALUE_BYTES) {
            let mut pairs = self.pairs.borrow_mut();
            pairs.insert(key.to_vec(), value.cloned());
        }
    }

    /// Notes what was written. A pair that came or went with this is not likely to be read soon:
    /// only those that were there and still are stay.
    pub(super) fn wrote(&self, writes: &[Write]) {
        let mut pairs = self.pairs.borrow_mut();
        for write in writes {
            let Generations { young, old, .. } = &mut *pairs;
            for generation in [young, old] {
                match (generation.get_mut(&*write.key), &write.value) {
                    (Some(Some(known)), Some(new)) if new.len() <= VALUE_BYTES => {
                        // The value may share memory with something larger.
                        *known = Bytes::copy_from_slice(new);
                    }
                    (Some(_), _) => drop(generation.remove(&*write.key)),
                    (None, _) => {}
                }
            }
        }
    }
}

impl Generations {
    fn insert(&mut self, key: Vec<u8>, value: Option<Bytes>) {
        self.young_bytes += key.len() + value.as_ref().map_or(0, Bytes::len);
        self.young.insert(key, value);
        if self.young_bytes > GENERATION_BYTES {
            self.old = mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }

    fn write(key: &str, value: Option<&str>) -> Write {
        Write {
            key: bytes(key),
            value: value.map(bytes),
        }
    }

    #[test]
    fn what_was_read_is_known_and_follows_writes() {
        let mut warm = Warm::default();
        assert_eq!(warm.get(b"a"), None);
        warm.note(b"a", Some(&bytes("1")));
        warm.note(b"b", None);
        warm.note(b"c", Some(&bytes("3")));
        assert_eq!(warm.get(b"a"), Some(Some(bytes("1"))));
        assert_eq!(warm.get(b"b"), Some(None));
        warm.wrote(&[
            write("a", Some("2")),
            write("b", Some("new")),
            write("c", None),
            write("d", Some("unread")),
        ]);
        assert_eq!(warm.get(b"a"), Some(Some(bytes("2"))));
        for key in ["b", "c", "d"] {
            assert_eq!(warm.get(key.as_bytes()), None, "{key}");
        }
        warm.of(0);
        assert_eq!(warm.get(b"a"), Some(Some(bytes("2"))));
        warm.of(1);
        assert_eq!(warm.get(b"a"), None);
    }

    #[test]
    fn what_is_not_read_again_goes_and_what_is_read_stays() {
        let warm = Warm::default();
        warm.note(b"hot", Some(&bytes("1")));
        warm.note(b"cold", Some(&bytes("1")));
        warm.note(b"large", Some(&Bytes::from(vec![0; VALUE_BYTES + 1])));
        assert_eq!(warm.get(b"large"), None);
        let value = Bytes::from(vec![0; 1000]);
        for number in 0..100 {
            warm.note(format!("{number}").as_bytes(), Some(&value));
            assert!(warm.get(b"hot").is_some(), "{number}");
        }
        assert_eq!(warm.get(b"cold"), None);
        let pairs = warm.pairs.borrow();
        assert!(pairs.young.len() + pairs.old.len() < 40);
    }

    /// A value that was known, then written and not kept, must not come back from the other
    /// generation.
    #[test]
    fn no_generation_keeps_what_was_overwritten() {
        let warm = Warm::default();
        warm.note(b"a", Some(&bytes("old")));
        let value = Bytes::from(vec![0; 4000]);
        for number in 0..6 {
            warm.note(format!("{number}").as_bytes(), Some(&value));
        }
        assert!(warm.pairs.borrow().old.contains_key(&b"a"[..]));
        warm.wrote(&[write("a", Some("new"))]);
        assert_eq!(warm.get(b"a"), Some(Some(bytes("new"))));
        warm.wrote(&[write("a", None)]);
        assert_eq!(warm.get(b"a"), None);
    }
}
