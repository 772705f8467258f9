//! What every implementation of [`Files`] must do; called by the tests of each.
//!
//! Part of the library rather than of its tests so that an implementation elsewhere can run it.

use std::io::{ErrorKind, IoSlice};
use std::sync::Arc;

use crate::{File, Files};

/// Runs all cases that need no crash. `make` returns a new, empty tree.
///
/// # Panics
/// If the implementation does not behave.
pub fn files(make: &mut dyn FnMut() -> Arc<dyn Files>) {
    names(&*make());
    directories(&*make());
    bytes(&*make());
    bad_paths(&*make());
    concurrent_writes(&*make());
}

/// Checks that what was synced is there when the tree is opened anew. `open` returns the empty
/// tree first and later the same tree, reopened after a crash.
///
/// # Panics
/// If something that was synced is missing.
pub fn synced_survives(open: &mut dyn FnMut() -> Arc<dyn Files>) {
    let files = open();
    check(files.create_dir("d"), "create directory");
    check(files.sync_dir(""), "sync root");
    let file = check(files.create("d/f"), "create");
    check(file.write_at(b"hello", 0), "write");
    check(file.sync_data(), "sync");
    check(files.rename("d/f", "d/g"), "rename");
    check(files.sync_dir("d"), "sync directory");
    check(file.write_at(b" world", 5), "write without sync");
    drop(file);
    drop(files);

    let files = open();
    assert_eq!(check(files.list("d"), "list"), ["g"]);
    let content = read_all(&*check(files.open("d/g"), "open"));
    assert!(content.starts_with(b"hello"), "{content:?}");
    check(files.remove("d/g"), "remove");
    check(files.sync_dir("d"), "sync directory");
    drop(files);

    let files = open();
    assert!(check(files.list("d"), "list").is_empty());
}

fn check<T>(result: std::io::Result<T>, doing: &str) -> T {
    result.unwrap_or_else(|error| panic!("{doing}: {error}"))
}

fn kind<T>(result: std::io::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

fn read_all(file: &dyn File) -> Vec<u8> {
    let len = check(file.len(), "length");
    let mut bytes = vec![0; usize::try_from(len).expect("test files are small")];
    let read = check(file.read_at(&mut bytes, 0), "read");
    assert_eq!(read, bytes.len());
    bytes
}

fn names(files: &dyn Files) {
    assert!(check(files.list(""), "list").is_empty());
    check(files.create("b"), "create");
    check(files.create("a"), "create");
    assert_eq!(kind(files.create("a")), Some(ErrorKind::AlreadyExists));
    assert_eq!(kind(files.open("c")), Some(ErrorKind::NotFound));
    assert_eq!(kind(files.rename("c", "d")), Some(ErrorKind::NotFound));
    assert_eq!(kind(files.remove("c")), Some(ErrorKind::NotFound));
    assert_eq!(check(files.list(""), "list"), ["a", "b"]);

    let a = check(files.open("a"), "open");
    check(a.write_at(b"from a", 0), "write");
    check(files.rename("a", "b"), "rename over");
    assert_eq!(check(files.list(""), "list"), ["b"]);
    let b = check(files.open("b"), "open");
    assert_eq!(read_all(&*b), b"from a");
    check(files.remove("b"), "remove");
    check(b.write_at(b"F", 0), "write to a removed file");
    assert_eq!(read_all(&*b), b"From a");
    assert!(check(files.list(""), "list").is_empty());
    assert!(check(files.available_bytes(), "available") > 0);
}

fn directories(files: &dyn Files) {
    check(files.create_dir("d"), "create directory");
    check(files.create_dir("d"), "create directory again");
    check(files.create_dir("d/e"), "create directory");
    assert_eq!(kind(files.create_dir("x/y")), Some(ErrorKind::NotFound));
    check(files.create("d/e/f"), "create");
    assert_eq!(check(files.list("d"), "list"), ["e"]);
    assert_eq!(check(files.list("d/e"), "list"), ["f"]);
    assert_eq!(kind(files.remove("d")), Some(ErrorKind::DirectoryNotEmpty));
    assert!(files.list("d/e/f").is_err());
    assert!(files.create_dir("d/e/f").is_err());
    check(files.rename("d/e/f", "d/g"), "rename between directories");
    check(files.sync_dir("d/e"), "sync");
    check(files.sync_dir("d"), "sync");
    check(files.remove("d/e"), "remove directory");
    assert_eq!(check(files.list("d"), "list"), ["g"]);
}

fn bytes(files: &dyn Files) {
    let file = check(files.create("f"), "create");
    assert!(check(file.is_empty(), "empty"));
    check(file.write_at(b"world", 6), "write past the end");
    assert_eq!(read_all(&*file), b"\0\0\0\0\0\0world");
    let parts = [b"he".as_slice(), b"", b"llo", b","].map(IoSlice::new);
    check(file.write_vectored_at(&parts, 0), "write vectored");
    check(file.write_vectored_at(&[], 0), "write nothing");
    assert_eq!(read_all(&*file), b"hello,world");

    let mut buf = [0; 8];
    assert_eq!(check(file.read_at(&mut buf, 6), "read over the end"), 5);
    assert_eq!(&buf[..5], b"world");
    assert_eq!(check(file.read_at(&mut buf, 11), "read at the end"), 0);
    assert_eq!(check(file.read_at(&mut buf, 999), "read past the end"), 0);

    check(file.set_len(5), "cut");
    assert_eq!(read_all(&*file), b"hello");
    check(file.set_len(7), "extend");
    assert_eq!(read_all(&*file), b"hello\0\0");
    check(file.allocate(6), "allocate less");
    assert_eq!(check(file.len(), "length"), 7);
    check(file.allocate(4096), "allocate more");
    assert_eq!(check(file.len(), "length"), 4096);
    assert!(read_all(&*file)[5..].iter().all(|byte| *byte == 0));
    check(file.sync_data(), "sync");

    let many: Vec<Vec<u8>> = (0..3000_u32).map(|i| i.to_le_bytes().to_vec()).collect();
    let parts: Vec<IoSlice<'_>> = many.iter().map(|part| IoSlice::new(part)).collect();
    check(file.write_vectored_at(&parts, 0), "write many parts");
    assert_eq!(read_all(&*file), many.concat());
}

fn bad_paths(files: &dyn Files) {
    for path in ["..", "../x", "/x", "a/../b", "a//b", "x/"] {
        assert_eq!(kind(files.create(path)), Some(ErrorKind::InvalidInput));
        assert_eq!(kind(files.open(path)), Some(ErrorKind::InvalidInput));
        assert_eq!(kind(files.list(path)), Some(ErrorKind::InvalidInput));
        assert_eq!(kind(files.remove(path)), Some(ErrorKind::InvalidInput));
        assert_eq!(kind(files.create_dir(path)), Some(ErrorKind::InvalidInput));
        assert_eq!(kind(files.rename(path, "y")), Some(ErrorKind::InvalidInput));
        assert_eq!(kind(files.rename("y", path)), Some(ErrorKind::InvalidInput));
    }
}

fn concurrent_writes(files: &dyn Files) {
    let file = check(files.create("shared"), "create");
    std::thread::scope(|scope| {
        for i in 0..4_u8 {
            let file = &file;
            scope.spawn(move || {
                for j in 0..50_u64 {
                    let offset = (j * 4 + u64::from(i)) * 10;
                    check(file.write_at(&[i; 10], offset), "write");
                    check(file.sync_data(), "sync");
                }
            });
        }
    });
    let content = read_all(&*file);
    assert_eq!(content.len(), 2000);
    for (i, byte) in content.iter().enumerate() {
        assert_eq!(usize::from(*byte), (i / 10) % 4);
    }
}
