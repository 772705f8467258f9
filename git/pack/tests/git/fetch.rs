use git_id::{HashKind, ObjectId};
use git_pack::{PackOptions, Selection, all_wants_reach_common};

use crate::clone::{PLAIN, planned, written};
use crate::fixture::{NEVER, Repository};

/// A repository that has only what these revisions of another reach.
fn having(source: &Repository, revisions: &[&str]) -> Repository {
    let target = Repository::empty(source.hash);
    target.index(&source.pack(&format!("{}\n", revisions.join("\n")), &[]));
    target
}

const CASES: &[(&[&str], &[&str])] = &[
    (&["main"], &["main~1"]),
    (&["main"], &["main~20"]),
    (&["main"], &["main~53"]),
    (&["main", "side"], &["main~33", "side~2"]),
    (&["v2-signed"], &["main"]),
    (&["side"], &["main~4"]),
    (&["main~52"], &["main~53"]),
    (&["main~30"], &["main"]),
    (&["main^{tree}"], &["main~3"]),
    (&["main:kept"], &["main~3"]),
];

/// What clients may ask for; the first is what git asks for.
const OPTIONS: [PackOptions; 4] = [
    PLAIN,
    PackOptions {
        thin: false,
        ..PLAIN
    },
    PackOptions {
        ofs_delta: false,
        ..PLAIN
    },
    PackOptions {
        thin: false,
        ofs_delta: false,
        threads: 1,
    },
];

fn fetches_complete_what_clients_have(hash: HashKind, options: &[PackOptions]) {
    let source = Repository::with_history(hash);
    let objects = source.packed();
    for (wants, haves) in CASES {
        let ids = |revisions: &[&str]| revisions.iter().map(|name| source.id(name)).collect();
        let selection = Selection {
            wants: ids(wants),
            haves: ids(haves),
            ..Selection::default()
        };
        let before = having(&source, haves);
        let had = before.all_objects();
        let wanted: Vec<String> = selection.wants.iter().map(ToString::to_string).collect();
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        let expected = source.rev_list(&wanted);
        let needed = expected.difference(&had).count();
        for options in options {
            let plan = planned(&objects, &selection, *options);
            let bytes = written(&plan);
            if !options.thin {
                Repository::empty(hash).index(&bytes);
            }
            let client = before.borrower();
            client.index(&bytes);
            assert_eq!(
                client.rev_list(&wanted),
                expected,
                "{wants:?} {haves:?} {options:?}"
            );
            let excess = plan.objects() as usize - needed;
            assert!(
                excess <= 4,
                "{wants:?} {haves:?}: {excess} objects more than needed"
            );
        }
    }
}

#[test]
fn a_fetch_completes_what_the_client_has() {
    fetches_complete_what_clients_have(HashKind::Sha1, &OPTIONS);
}

#[test]
fn a_fetch_of_sha256_completes_what_the_client_has() {
    fetches_complete_what_clients_have(HashKind::Sha256, &OPTIONS[..1]);
}

#[test]
fn thin_packs_are_about_as_small_as_those_of_git() {
    let source = Repository::with_history(HashKind::Sha1);
    for (want, have) in [
        ("main", "main~1"),
        ("main", "main~20"),
        ("main~20", "main~30"),
    ] {
        let selection = Selection {
            wants: vec![source.id(want)],
            haves: vec![source.id(have)],
            ..Selection::default()
        };
        let thin = written(&planned(&source.packed(), &selection, PLAIN)).len();
        let revisions = format!("{want}\n^{have}\n");
        let theirs = source
            .pack(&revisions, &["--thin", "--delta-base-offset"])
            .len();
        assert!(
            thin <= theirs * 5 / 4 + 500,
            "{want} {have}: {thin}, git {theirs}"
        );
    }
}

#[test]
fn directories_that_swapped_places_both_arrive() {
    let source = Repository::with_history(HashKind::Sha1);
    let selection = Selection {
        wants: vec![source.id("main~52")],
        ..Selection::default()
    };
    let bytes = written(&planned(&source.packed(), &selection, PLAIN));
    let client = Repository::empty(HashKind::Sha1);
    client.index(&bytes);
    assert_eq!(client.all_objects(), source.rev_list(&["main~52"]));
}

#[test]
fn readiness_is_what_history_says() {
    let source = Repository::with_history(HashKind::Sha1);
    let objects = source.packed();
    let ready = |wants: &[&str], haves: &[&str]| {
        let ids = |revisions: &[&str]| {
            revisions
                .iter()
                .map(|revision| source.id(revision))
                .collect::<Vec<_>>()
        };
        all_wants_reach_common(&objects, &ids(wants), &ids(haves), &NEVER).unwrap()
    };
    assert!(ready(&["main"], &["main~10"]));
    assert!(ready(&["main", "v1"], &["main~25"]));
    assert!(ready(&["main", "main^{tree}"], &["main~10"]));
    assert!(
        !ready(&["main", "main~20"], &["main~10"]),
        "one want is older"
    );
    assert!(!ready(&["main"], &[]));
    assert!(!ready(&["main~5"], &["main"]));
    assert!(ready(&["main"], &["main", "main~53"]));
    let unknown = ObjectId::from_bytes(&[1; 20]).unwrap();
    assert!(!all_wants_reach_common(&objects, &[source.id("main")], &[unknown], &NEVER).unwrap());
}
