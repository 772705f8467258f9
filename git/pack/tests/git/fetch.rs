use git_id::{HashKind, ObjectId};
use git_pack::{PackOptions, Selection, all_wants_reach_common};

use crate::clone::{PLAIN, planned, written};
use crate::fixture::{NEVER, Repository};

/// A repository that has only what these revisions of another reach.
fn having(source: &Repository, revisions: &[&str]) -> Repository {
    let target = Repository::empty(source.hash);
    for (number, revision) in revisions.iter().enumerate() {
        let id = source.id(revision);
        target.index(&source.pack(&format!("{id}\n"), &[]));
        target.git(&[
            "update-ref",
            &format!("refs/heads/have{number}"),
            &id.to_string(),
        ]);
    }
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

#[test]
fn a_fetch_completes_what_the_client_has() {
    for hash in [HashKind::Sha1, HashKind::Sha256] {
        let source = Repository::with_history(hash);
        let objects = source.packed();
        for (wants, haves) in CASES {
            for options in [
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
            ] {
                if hash == HashKind::Sha256 && options != PLAIN {
                    continue;
                }
                let ids = |revisions: &[&str]| {
                    revisions
                        .iter()
                        .map(|revision| source.id(revision))
                        .collect()
                };
                let selection = Selection {
                    wants: ids(wants),
                    haves: ids(haves),
                    ..Selection::default()
                };
                let plan = planned(&objects, &selection, options);
                let bytes = written(&plan);
                let client = having(&source, haves);
                let before = client.all_objects();
                if options.thin {
                    client.index(&bytes);
                } else {
                    let scratch = Repository::empty(hash);
                    scratch.index(&bytes);
                    client.index(&bytes);
                }
                for want in &selection.wants {
                    let all = client.rev_list(&[&want.to_string()]);
                    assert_eq!(
                        all,
                        source.rev_list(&[&want.to_string()]),
                        "{wants:?} {haves:?} {options:?}"
                    );
                }
                let needed: Vec<ObjectId> = client
                    .all_objects()
                    .into_iter()
                    .filter(|id| !before.contains(id))
                    .collect();
                let excess = plan.objects() as usize - needed.len();
                assert!(
                    excess <= 4,
                    "{wants:?} {haves:?}: {excess} objects more than needed"
                );
            }
        }
    }
}

#[test]
fn thin_packs_are_smaller() {
    let source = Repository::with_history(HashKind::Sha1);
    let (wants, haves) = (vec![source.id("main")], vec![source.id("main~20")]);
    let selection = Selection {
        wants,
        haves,
        ..Selection::default()
    };
    let thin = written(&planned(&source.packed(), &selection, PLAIN)).len();
    let fat = written(&planned(
        &source.packed(),
        &selection,
        PackOptions {
            thin: false,
            ..PLAIN
        },
    ))
    .len();
    assert!(thin <= fat, "{thin} {fat}");
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
