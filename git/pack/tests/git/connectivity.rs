use std::cell::RefCell;

use git_id::{HashKind, ObjectId};
use git_pack::{ConnectivityError, NoProgress, Objects, ReceiveOptions, check_connected, receive};
use tempfile::TempDir;

use crate::fixture::{NEVER, Repository, directory, git_bytes, options, take};

/// A store that has what `revision` reaches, and a place for more.
struct Store {
    directory: TempDir,
    copies: RefCell<Vec<TempDir>>,
    objects: Objects,
}

impl Store {
    fn new(source: &Repository, revision: &str) -> Self {
        let directory = directory();
        let empty = Objects::empty(source.hash);
        let pack = take(&source.pack(revision, &[]), directory.path(), &empty).unwrap();
        Self {
            objects: empty.with_pack(&pack.pack).unwrap(),
            directory,
            copies: RefCell::default(),
        }
    }

    /// The objects with one more pack, with and without what is known about it.
    fn with(&self, pack: &[u8]) -> [Objects; 2] {
        let received = take(pack, self.directory.path(), &self.objects).unwrap();
        let with = self.objects.with_pack(&received.pack).unwrap();
        let other = directory();
        let copy = other.path().join("x.pack");
        std::fs::copy(&received.pack, &copy).unwrap();
        std::fs::copy(&received.index, copy.with_extension("idx")).unwrap();
        self.copies.borrow_mut().push(other);
        [with, self.objects.with_pack(&copy).unwrap()]
    }
}

fn pack_of(source: &Repository, ids: &[ObjectId]) -> Vec<u8> {
    let list: String = ids.iter().map(|id| format!("{id}\n")).collect();
    git_bytes(
        source.path(),
        &["pack-objects", "-q", "--stdout"],
        list.as_bytes(),
    )
}

#[test]
fn what_git_pushes_is_connected() {
    for hash in [HashKind::Sha1, HashKind::Sha256] {
        let source = Repository::with_history(hash);
        for (old, new) in [
            ("main~53", "main"),
            ("main~3", "main"),
            ("main~40", "v2-signed"),
            ("main~30", "main~10"),
        ] {
            let store = Store::new(&source, old);
            let (old, new) = (source.id(old), source.id(new));
            for objects in store.with(&source.pack(&format!("{new}\n^{old}\n"), &["--thin"])) {
                check_connected(&objects, &[new], &[old], &NEVER).unwrap();
                check_connected(&objects, &[new, old], &[old], &NEVER).unwrap();
            }
        }
        let store = Store::new(&source, "main");
        check_connected(
            &store.objects,
            &[source.id("main~7")],
            &[source.id("main")],
            &NEVER,
        )
        .unwrap();
        check_connected(&store.objects, &[source.id("main")], &[], &NEVER).unwrap();
    }
}

#[test]
fn every_object_that_is_left_out_is_missed() {
    let source = Repository::with_history(HashKind::Sha1);
    let (old, new) = (source.id("main~3"), source.id("main"));
    let store = Store::new(&source, "main~3");
    let fresh: Vec<ObjectId> = source.rev_list(&["main", "^main~3"]).into_iter().collect();
    for left_out in &fresh {
        let rest: Vec<ObjectId> = fresh.iter().copied().filter(|id| id != left_out).collect();
        for objects in store.with(&pack_of(&source, &rest)) {
            let error = check_connected(&objects, &[new], &[old], &NEVER).unwrap_err();
            let ConnectivityError::Missing { id, referrer } = error else {
                panic!("{error}")
            };
            assert_eq!(id, *left_out);
            assert_eq!(referrer.is_none(), id == new);
        }
    }
}

#[test]
fn what_is_stored_but_reachable_from_no_ref_proves_nothing() {
    let source = Repository::with_history(HashKind::Sha1);
    let store = Store::new(&source, "main~10");
    let (old, middle, new) = (source.id("main~10"), source.id("main~1"), source.id("main"));
    let torn: Vec<ObjectId> = source
        .rev_list(&["main~1", "^main~10"])
        .into_iter()
        .filter(|id| *id != source.id("main~5") && *id != source.id("main~1:large"))
        .collect();
    let with_torn = store
        .with(&pack_of(&source, &torn))
        .into_iter()
        .next()
        .unwrap();
    let rest: Vec<ObjectId> = source.rev_list(&["main", "^main~1"]).into_iter().collect();
    let received = take(&pack_of(&source, &rest), store.directory.path(), &with_torn).unwrap();
    let objects = with_torn.with_pack(&received.pack).unwrap();
    assert!(objects.contains(&middle));
    let error = check_connected(&objects, &[new], &[old], &NEVER).unwrap_err();
    assert!(
        matches!(error, ConnectivityError::Missing { .. }),
        "{error}"
    );
}

#[test]
fn trees_that_come_back_from_older_history_are_fine() {
    let source = Repository::with_history(HashKind::Sha1);
    let tree = source.id("main~40^{tree}").to_string();
    let revert = source.git(&["commit-tree", "-m", "revert", "-p", "main", &tree]);
    let revert: ObjectId = revert.parse().unwrap();
    let store = Store::new(&source, "main");
    for objects in store.with(&pack_of(&source, &[revert])) {
        check_connected(&objects, &[revert], &[source.id("main")], &NEVER).unwrap();
        check_connected(&objects, &[revert], &[], &NEVER).unwrap();
    }
}

#[test]
fn superfluous_objects_do_no_harm() {
    let source = Repository::with_history(HashKind::Sha1);
    let store = Store::new(&source, "main~1");
    let fresh: Vec<ObjectId> = source.rev_list(&["main", "^main~1"]).into_iter().collect();
    let stray = git_bytes(
        source.path(),
        &["mktree", "--missing"],
        format!("100644 blob {}\ta\n", "1".repeat(40)).as_bytes(),
    );
    let stray: ObjectId = String::from_utf8(stray)
        .unwrap()
        .trim_end()
        .parse()
        .unwrap();
    for objects in store.with(&pack_of(&source, &[fresh, vec![stray]].concat())) {
        check_connected(
            &objects,
            &[source.id("main")],
            &[source.id("main~1")],
            &NEVER,
        )
        .unwrap();
        let error =
            check_connected(&objects, &[stray], &[source.id("main~1")], &NEVER).unwrap_err();
        assert!(matches!(error, ConnectivityError::Missing { .. }));
    }
}

#[test]
fn unchecked_nonsense_is_found_when_it_is_walked() {
    let source = Repository::with_history(HashKind::Sha1);
    let broken = git_bytes(
        source.path(),
        &[
            "hash-object",
            "-t",
            "commit",
            "-w",
            "--literally",
            "--stdin",
        ],
        b"tree of no name\n",
    );
    let broken: ObjectId = String::from_utf8(broken)
        .unwrap()
        .trim_end()
        .parse()
        .unwrap();
    let bytes = crate::packs::pack(&[crate::packs::Entry::Whole(
        crate::packs::COMMIT,
        b"tree of no name\n",
    )]);
    let directory = directory();
    let options = ReceiveOptions {
        check: false,
        ..options(HashKind::Sha1)
    };
    let empty = Objects::empty(HashKind::Sha1);
    let received = receive(
        &mut &bytes[..],
        directory.path(),
        &empty,
        &options,
        &NoProgress,
        &NEVER,
    )
    .unwrap();
    assert_eq!(received.edges, None);
    let objects = empty.with_pack(&received.pack).unwrap();
    let error = check_connected(&objects, &[broken], &[], &NEVER).unwrap_err();
    assert!(matches!(error, ConnectivityError::Read(_)), "{error}");
}
