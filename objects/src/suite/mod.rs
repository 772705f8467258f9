//! What all implementations of [`Objects`] have in common, as a suite.

mod server;

use bytes::Bytes;

pub use server::Server;

use crate::limits::MIN_PART_BYTES;
use crate::{Meta, ObjectError, Objects};

/// Runs every case, below a directory of this name in which nothing is. Panics at the first that
/// fails.
pub fn run(store: &dyn Objects, below: &str) {
    let name = |object: &str| format!("{below}/{object}");
    is_whole_or_not_there(store, &name("parts"));
    ranges_are_exact(store, &name("ranges"));
    what_is_not_there_is_told(store, &name("absent"));
    a_listing_has_whole_names(store, below);
}

fn body(length: usize) -> Bytes {
    (0..length)
        .map(|n| u8::try_from(n * 7 % 251).unwrap_or(0))
        .collect()
}

fn is_whole_or_not_there(store: &dyn Objects, name: &str) {
    let (first, second) = (body(MIN_PART_BYTES), body(1000));
    let mut upload = store.begin(name).expect("begin");
    upload.part(first.clone()).expect("the first part");
    assert!(
        matches!(store.length(name), Err(ObjectError::Missing { .. })),
        "an unfinished object is not seen"
    );
    drop(upload);
    assert!(matches!(
        store.length(name),
        Err(ObjectError::Missing { .. })
    ));
    let mut upload = store.begin(name).expect("begin again");
    upload.part(first.clone()).expect("the first part");
    upload.part(second.clone()).expect("the last part");
    upload.finish().expect("finish");
    let length = (first.len() + second.len()) as u64;
    assert_eq!(store.length(name).expect("its length"), length);
    let all = store.read(name, 0..length).expect("all of it");
    assert!(all.starts_with(&first) && all.ends_with(&second));
    store.delete(name).expect("delete");
    store.delete(name).expect("delete what is not there");
    assert!(matches!(
        store.length(name),
        Err(ObjectError::Missing { .. })
    ));
}

fn ranges_are_exact(store: &dyn Objects, name: &str) {
    let bytes = body(10_000);
    store.put(name, bytes.clone()).expect("put");
    for (from, to) in [(0, 10_000), (0, 1), (9_999, 10_000), (1234, 5678)] {
        let read = store.read(name, from..to).expect("a range");
        let at = |offset| usize::try_from(offset).unwrap_or(0);
        assert_eq!(read, bytes.slice(at(from)..at(to)), "{from} to {to}");
    }
    for range in [9_000..10_001, 10_000..20_000] {
        let short = store.read(name, range);
        assert!(matches!(short, Err(ObjectError::Short { .. })), "{short:?}");
    }
    store.delete(name).expect("delete");
}

fn what_is_not_there_is_told(store: &dyn Objects, name: &str) {
    let read = store.read(name, 0..10);
    assert!(matches!(read, Err(ObjectError::Missing { .. })), "{read:?}");
}

fn a_listing_has_whole_names(store: &dyn Objects, below: &str) {
    let inside = [format!("{below}/list/a"), format!("{below}/list/b/c")];
    let outside = format!("{below}/list-not");
    for name in inside.iter().chain([&outside]) {
        store.put(name, body(17)).expect("put");
    }
    let mut found: Vec<(String, u64)> = Vec::new();
    let mut note = |meta: Meta| found.push((meta.name, meta.bytes));
    store
        .list(&format!("{below}/list"), &mut note)
        .expect("list");
    found.sort();
    let expected: Vec<_> = inside.iter().map(|name| (name.clone(), 17)).collect();
    assert_eq!(found, expected);
    for name in inside.iter().chain([&outside]) {
        store.delete(name).expect("delete");
    }
}
