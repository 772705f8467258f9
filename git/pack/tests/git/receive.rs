use std::io::BufReader;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use git_id::HashKind;
use git_pack::{Defect, NoProgress, Objects, Progress, ReceiveError, ReceiveOptions, receive};

use crate::fixture::{NEVER, Repository, directory, git, listing, options, take, try_git};
use crate::packs::{BLOB, Entry, TREE, delta, id, pack, seal};

const HASHES: [HashKind; 2] = [HashKind::Sha1, HashKind::Sha256];

#[test]
fn the_index_is_the_one_git_makes() {
    for hash in HASHES {
        let repository = Repository::with_history(hash);
        for flags in [&["--delta-base-offset"][..], &[], &["--window=0"]] {
            let bytes = repository.pack("--all", flags);
            for threads in [1, 3] {
                let directory = directory();
                let options = ReceiveOptions {
                    threads,
                    ..options(hash)
                };
                let bases = Objects::empty(hash);
                let received = receive(
                    &mut &bytes[..],
                    directory.path(),
                    &bases,
                    &options,
                    &NoProgress,
                    &NEVER,
                )
                .unwrap();
                assert_eq!(std::fs::read(&received.pack).unwrap(), bytes);
                assert_eq!(received.bytes, bytes.len() as u64);
                assert_eq!(received.completed_bases, 0);
                let ours = std::fs::read(&received.index).unwrap();
                let theirs = directory.path().join("theirs.idx");
                let format = format!("--object-format={}", hash.name());
                git(
                    directory.path(),
                    &[
                        "index-pack",
                        &format,
                        "-o",
                        "theirs.idx",
                        received.pack.to_str().unwrap(),
                    ],
                );
                assert!(
                    ours == std::fs::read(theirs).unwrap(),
                    "{hash} {flags:?} {threads}"
                );
            }
        }
    }
}

#[test]
fn small_reads_change_nothing_and_nothing_behind_the_pack_is_taken() {
    let repository = Repository::with_history(HashKind::Sha1);
    let bytes = [repository.pack("main~50", &[]), b"and more".to_vec()].concat();
    for capacity in [1, 7, 4096] {
        let directory = directory();
        let mut input = BufReader::with_capacity(capacity, &bytes[..]);
        let options = options(HashKind::Sha1);
        let bases = Objects::empty(HashKind::Sha1);
        receive(
            &mut input,
            directory.path(),
            &bases,
            &options,
            &NoProgress,
            &NEVER,
        )
        .unwrap();
        let mut rest = Vec::new();
        std::io::Read::read_to_end(&mut input, &mut rest).unwrap();
        assert_eq!(rest, b"and more");
    }
}

#[test]
fn a_thin_pack_is_completed() {
    for hash in HASHES {
        let repository = Repository::with_history(hash);
        let thin = repository.pack("main\n^main~5\n", &["--thin", "--delta-base-offset"]);
        let target = Repository::empty(hash);
        let store = target.path().join("objects/pack");
        let base = take(
            &repository.pack("main~5", &[]),
            &store,
            &Objects::empty(hash),
        )
        .unwrap();
        let bases = target.packed();
        let received = take(&thin, &store, &bases).unwrap();
        assert!(received.completed_bases > 0);
        target.git(&[
            "update-ref",
            "refs/heads/main",
            &repository.id("main").to_string(),
        ]);
        target.git(&["fsck", "--strict"]);
        target.git(&["verify-pack", received.index.to_str().unwrap()]);
        assert_eq!(target.rev_list(&["main"]), repository.rev_list(&["main"]));
        assert_ne!(base.checksum, received.checksum);
    }
}

#[test]
fn a_delta_against_something_unknown_is_refused() {
    let repository = Repository::with_history(HashKind::Sha1);
    let thin = repository.pack("main\n^main~5\n", &["--thin"]);
    let directory = directory();
    let error = take(&thin, directory.path(), &Objects::empty(HashKind::Sha1)).unwrap_err();
    let ReceiveError::MissingBase { base, deltas } = error else {
        panic!("{error}")
    };
    assert!(repository.rev_list(&["main~5"]).contains(&base));
    assert!(deltas > 0);
    assert!(listing(directory.path()).is_empty());
}

#[test]
fn an_empty_pack_stores_nothing() {
    let directory = directory();
    let received = take(
        &pack(&[]),
        directory.path(),
        &Objects::empty(HashKind::Sha1),
    )
    .unwrap();
    assert_eq!((received.objects, received.bytes), (0, 32));
    assert!(listing(directory.path()).is_empty());
}

#[test]
fn any_damaged_byte_is_noticed_and_nothing_stays() {
    let repository = Repository::with_history(HashKind::Sha1);
    let bytes = repository.pack("main~52", &["--delta-base-offset"]);
    let directory = directory();
    let bases = Objects::empty(HashKind::Sha1);
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        let error = take(&damaged, directory.path(), &bases).unwrap_err();
        assert!(
            !matches!(error, ReceiveError::Store { .. } | ReceiveError::Input(_)),
            "byte {at}: {error}"
        );
        assert!(listing(directory.path()).is_empty(), "byte {at}");
    }
}

#[test]
fn a_pack_that_ends_early_is_noticed_wherever_it_ends() {
    let repository = Repository::with_history(HashKind::Sha1);
    let bytes = repository.pack("main~52", &[]);
    let directory = directory();
    for length in 0..bytes.len() {
        let error = take(
            &bytes[..length],
            directory.path(),
            &Objects::empty(HashKind::Sha1),
        )
        .unwrap_err();
        let ReceiveError::Truncated { bytes } = error else {
            panic!("{length}: {error}")
        };
        assert_eq!(bytes, length as u64);
        assert!(listing(directory.path()).is_empty());
    }
}

/// What is wrong, a pack, and whether an error is the right one.
type Case = (&'static str, Vec<u8>, fn(&ReceiveError) -> bool);

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_is_not_sound_gets_its_own_error() {
    let tree = b"100644 a\0abcdefghijklmnopqrst";
    let blob = b"some content";
    let cases: Vec<Case> = vec![
        ("no pack", b"GET / HTTP/1.1\r\n\r\n".to_vec(), |e| {
            matches!(e, ReceiveError::NotAPack)
        }),
        (
            "version 4",
            seal(b"PACK\0\0\0\x04\0\0\0\0".to_vec(), HashKind::Sha1),
            |e| matches!(e, ReceiveError::UnsupportedVersion { version: 4 }),
        ),
        (
            "too many",
            b"PACK\0\0\0\x02\xff\xff\xff\xff".to_vec(),
            |e| {
                matches!(
                    e,
                    ReceiveError::TooManyObjects {
                        objects: u32::MAX,
                        ..
                    }
                )
            },
        ),
        (
            "a claimed terabyte",
            pack(&[Entry::Lying(BLOB, 1 << 40, b"x")]),
            |e| {
                matches!(
                    e,
                    ReceiveError::ObjectTooLarge {
                        offset: 12,
                        size: 0x100_0000_0000,
                        ..
                    }
                )
            },
        ),
        (
            "less than claimed",
            pack(&[Entry::Lying(BLOB, 50, b"x")]),
            |e| {
                matches!(
                    e,
                    ReceiveError::Corrupt {
                        offset: 12,
                        defect: Defect::SizeMismatch
                    }
                )
            },
        ),
        (
            "more than claimed",
            pack(&[Entry::Lying(BLOB, 1, b"xyz")]),
            |e| {
                matches!(
                    e,
                    ReceiveError::Corrupt {
                        offset: 12,
                        defect: Defect::SizeMismatch
                    }
                )
            },
        ),
        ("a reserved type", pack(&[Entry::Lying(5, 1, b"x")]), |e| {
            matches!(
                e,
                ReceiveError::Corrupt {
                    offset: 12,
                    defect: Defect::BadHeader
                }
            )
        }),
        (
            "a delta that lies",
            pack(&[
                Entry::Whole(BLOB, blob),
                Entry::OffsetDelta(1, &delta(b"another base", b"x")[..3]),
            ]),
            |e| {
                matches!(
                    e,
                    ReceiveError::Corrupt {
                        defect: Defect::BadDelta,
                        ..
                    }
                )
            },
        ),
        (
            "a delta bomb",
            pack(&[
                Entry::Whole(BLOB, blob),
                Entry::OffsetDelta(1, &[12, 0x80, 0x80, 0x80, 0x80, 0x80, 1]),
            ]),
            |e| {
                matches!(
                    e,
                    ReceiveError::ObjectTooLarge {
                        size: 0x8_0000_0000,
                        ..
                    }
                )
            },
        ),
        (
            "deltas in a circle",
            pack(&[
                Entry::ReferenceDelta(&id(BLOB, b"two"), &delta(b"two", b"one")),
                Entry::ReferenceDelta(&id(BLOB, b"one"), &delta(b"one", b"two")),
            ]),
            |e| matches!(e, ReceiveError::MissingBase { deltas: 2, .. }),
        ),
        (
            "one object twice",
            pack(&[Entry::Whole(BLOB, blob), Entry::Whole(BLOB, blob)]),
            |e| matches!(e, ReceiveError::Duplicate { .. }),
        ),
        (
            "a tree taken for a blob",
            pack(&[
                Entry::Whole(TREE, tree),
                Entry::Whole(TREE, &[&b"100644 b\0"[..], &id(TREE, tree)].concat()),
            ]),
            |e| matches!(e, ReceiveError::WrongKind { .. }),
        ),
    ];
    let directory = directory();
    for (what, bytes, expected) in cases {
        let error = take(&bytes, directory.path(), &Objects::empty(HashKind::Sha1)).unwrap_err();
        assert!(expected(&error), "{what}: {error:?}");
        assert!(listing(directory.path()).is_empty(), "{what}");
    }
}

#[test]
fn limits_hold() {
    let repository = Repository::with_history(HashKind::Sha1);
    let bytes = repository.pack("main", &[]);
    let directory = directory();
    let bases = Objects::empty(HashKind::Sha1);
    let with = |options: ReceiveOptions| {
        receive(
            &mut &bytes[..],
            directory.path(),
            &bases,
            &options,
            &NoProgress,
            &NEVER,
        )
        .unwrap_err()
    };
    let max_bytes = bytes.len() as u64 - 1;
    let error = with(ReceiveOptions {
        max_bytes,
        ..options(HashKind::Sha1)
    });
    assert!(matches!(error, ReceiveError::TooLarge { limit } if limit == max_bytes));
    let error = with(ReceiveOptions {
        max_objects: 3,
        ..options(HashKind::Sha1)
    });
    assert!(matches!(
        error,
        ReceiveError::TooManyObjects { limit: 3, .. }
    ));
    let error = with(ReceiveOptions {
        max_object_bytes: 1000,
        ..options(HashKind::Sha1)
    });
    assert!(matches!(
        error,
        ReceiveError::ObjectTooLarge { limit: 1000, .. }
    ));
    let cancelled = AtomicBool::new(true);
    let options = options(HashKind::Sha1);
    let error = receive(
        &mut &bytes[..],
        directory.path(),
        &bases,
        &options,
        &NoProgress,
        &cancelled,
    )
    .unwrap_err();
    assert!(matches!(error, ReceiveError::Cancelled));
    assert!(listing(directory.path()).is_empty());
}

#[test]
fn deltas_may_come_before_their_bases() {
    let (one, two, three) = (b"first content", b"second content", b"third content");
    let bytes = pack(&[
        Entry::ReferenceDelta(&id(BLOB, two), &delta(two, three)),
        Entry::ReferenceDelta(&id(BLOB, one), &delta(one, two)),
        Entry::Whole(BLOB, one),
    ]);
    let directory = directory();
    let received = take(&bytes, directory.path(), &Objects::empty(HashKind::Sha1)).unwrap();
    let objects = Objects::open_packs(HashKind::Sha1, &[received.pack]).unwrap();
    for content in [&one[..], two, three] {
        let id = git_id::ObjectId::from_bytes(&id(BLOB, content)).unwrap();
        assert_eq!(objects.read(&id).unwrap().unwrap().data, content);
        assert_eq!(
            objects.header(&id).unwrap().unwrap().size,
            content.len() as u64
        );
    }
}

#[test]
fn an_object_that_is_stored_already_may_come_as_a_delta() {
    let (one, two, three) = (b"first content", b"second content", b"third content");
    let directory = directory();
    let stored = pack(&[Entry::Whole(BLOB, one), Entry::Whole(BLOB, two)]);
    let stored = take(&stored, directory.path(), &Objects::empty(HashKind::Sha1)).unwrap();
    let bases = Objects::open_packs(HashKind::Sha1, &[stored.pack]).unwrap();
    let bytes = pack(&[
        Entry::ReferenceDelta(&id(BLOB, two), &delta(two, three)),
        Entry::ReferenceDelta(&id(BLOB, one), &delta(one, two)),
    ]);
    let received = take(&bytes, directory.path(), &bases).unwrap();
    assert_eq!(
        (received.objects, received.completed_bases),
        (2, 1),
        "the second is not added again"
    );
    let format = ["verify-pack", received.index.to_str().unwrap()];
    assert!(try_git(directory.path(), &format, b"").status.success());

    let circle = pack(&[
        Entry::ReferenceDelta(&id(BLOB, two), &delta(two, one)),
        Entry::ReferenceDelta(&id(BLOB, one), &delta(one, two)),
    ]);
    let error = take(&circle, directory.path(), &bases).unwrap_err();
    assert!(matches!(error, ReceiveError::Corrupt { .. }), "{error}");
}

#[test]
fn the_same_pack_twice_is_kept_once() {
    let repository = Repository::with_history(HashKind::Sha1);
    let bytes = repository.pack("main", &[]);
    let directory = directory();
    let bases = Objects::empty(HashKind::Sha1);
    let first = take(&bytes, directory.path(), &bases).unwrap();
    let before = listing(directory.path());
    let second = take(&bytes, directory.path(), &bases).unwrap();
    assert_eq!((first.pack, first.edges), (second.pack, second.edges));
    assert_eq!(listing(directory.path()), before);
}

#[derive(Default)]
struct Recorded(Mutex<Vec<(String, Option<u64>, u64)>>);

impl Progress for Recorded {
    fn stage(&self, title: &str, total: Option<u64>) {
        self.0.lock().unwrap().push((title.to_owned(), total, 0));
    }

    fn advance(&self, by: u64) {
        self.0.lock().unwrap().last_mut().unwrap().2 += by;
    }

    fn done(&self) {}
}

#[test]
fn progress_adds_up() {
    let repository = Repository::with_history(HashKind::Sha1);
    let bytes = repository.pack("main", &[]);
    let directory = directory();
    let progress = Recorded::default();
    let bases = Objects::empty(HashKind::Sha1);
    let options = options(HashKind::Sha1);
    let received = receive(
        &mut &bytes[..],
        directory.path(),
        &bases,
        &options,
        &progress,
        &NEVER,
    )
    .unwrap();
    let stages = progress.0.into_inner().unwrap();
    assert_eq!(stages.len(), 2);
    let objects = u64::from(received.objects);
    assert_eq!(
        stages[0],
        ("Indexing objects".to_owned(), Some(objects), objects)
    );
    assert_eq!(stages[1].0, "Resolving deltas");
    assert_eq!(stages[1].1, Some(stages[1].2));
    assert!(stages[1].2 > 0);
}
