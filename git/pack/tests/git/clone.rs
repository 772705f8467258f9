use std::collections::BTreeSet;
use std::sync::Arc;

use git_id::{HashKind, ObjectId};
use git_pack::{NoProgress, Objects, PackOptions, Plan, PlanError, Reachability, Selection, plan};

use crate::fixture::{NEVER, Repository, directory, git_bytes, take};

pub(crate) const PLAIN: PackOptions = PackOptions {
    thin: true,
    ofs_delta: true,
    threads: 2,
};

pub(crate) fn planned(objects: &Objects, selection: &Selection, options: PackOptions) -> Plan {
    plan(objects, selection, &options, &NoProgress, &NEVER).unwrap()
}

/// Writes a plan and checks what it says about it.
pub(crate) fn written(plan: &Plan) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = plan.write(&mut bytes, &NoProgress, &NEVER).unwrap();
    assert_eq!(
        (written.objects, written.bytes),
        (plan.objects(), bytes.len() as u64)
    );
    assert_eq!(bytes[8..12], plan.objects().to_be_bytes());
    bytes
}

/// The objects of a pack without haves, as git sees them.
pub(crate) fn objects_of(pack: &[u8], hash: HashKind) -> BTreeSet<ObjectId> {
    let scratch = Repository::empty(hash);
    scratch.index(pack);
    scratch.all_objects()
}

fn wants(wants: Vec<ObjectId>) -> Selection {
    Selection {
        wants,
        ..Selection::default()
    }
}

#[test]
fn a_clone_of_everything_is_the_stored_pack() {
    for hash in [HashKind::Sha1, HashKind::Sha256] {
        let repository = Repository::with_history(hash);
        let objects = repository.packed();
        let plan = planned(&objects, &wants(repository.tips()), PLAIN);
        assert!(plan.is_stored_pack());
        assert!(written(&plan) == std::fs::read(&objects.packs()[0]).unwrap());
    }
}

#[test]
fn a_received_pack_needs_its_sidecar_only_for_speed() {
    let repository = Repository::with_history(HashKind::Sha1);
    let directory = directory();
    let received = take(
        &repository.pack("--all", &[]),
        directory.path(),
        &Objects::empty(HashKind::Sha1),
    )
    .unwrap();
    let selection = wants(repository.tips());
    let with = planned(
        &Objects::open_packs(HashKind::Sha1, std::slice::from_ref(&received.pack)).unwrap(),
        &selection,
        PLAIN,
    );
    std::fs::remove_file(received.edges.unwrap()).unwrap();
    let without = planned(
        &Objects::open_packs(HashKind::Sha1, &[received.pack]).unwrap(),
        &selection,
        PLAIN,
    );
    assert!(with.is_stored_pack() && without.is_stored_pack());
}

#[test]
fn what_was_force_pushed_away_is_not_sent() {
    let repository = Repository::with_history(HashKind::Sha1);
    let blob = git_bytes(
        repository.path(),
        &["hash-object", "-w", "--stdin"],
        b"secret",
    );
    let blob: ObjectId = String::from_utf8(blob).unwrap().trim_end().parse().unwrap();
    let tree = git_bytes(
        repository.path(),
        &["mktree"],
        format!("100644 blob {blob}\tsecret\n").as_bytes(),
    );
    let tree = String::from_utf8(tree).unwrap();
    let commit = repository.git(&["commit-tree", "-m", "oops", "-p", "main", tree.trim_end()]);
    repository.git(&["update-ref", "refs/heads/leak", &commit]);
    repository.git(&["repack", "-q", "-adf"]);
    repository.git(&["update-ref", "-d", "refs/heads/leak"]);
    let objects = repository.packed();
    assert!(objects.contains(&blob));
    for options in [
        PLAIN,
        PackOptions {
            ofs_delta: false,
            ..PLAIN
        },
    ] {
        let plan = planned(&objects, &wants(repository.tips()), options);
        assert!(!plan.is_stored_pack());
        assert_eq!(
            objects_of(&written(&plan), HashKind::Sha1),
            repository.rev_list(&["--all"])
        );
    }
}

#[test]
fn any_subset_of_the_refs_gets_exactly_what_it_reaches() {
    for hash in [HashKind::Sha1, HashKind::Sha256] {
        let repository = Repository::with_history(hash);
        let objects = repository.packed();
        for revisions in [
            &["main"][..],
            &["side"],
            &["v1"],
            &["light", "side"],
            &["v2-signed"],
            &["main^{tree}"],
            &["main:large"],
            &["main~53"],
        ] {
            let expected = repository.rev_list(revisions);
            let wanted = revisions
                .iter()
                .map(|revision| repository.id(revision))
                .collect();
            let selection = wants(wanted);
            for ofs_delta in [true, false] {
                let plan = planned(&objects, &selection, PackOptions { ofs_delta, ..PLAIN });
                let found = objects_of(&written(&plan), hash);
                assert_eq!(found, expected, "{revisions:?} {ofs_delta}");
            }
        }
    }
}

/// Splits the history into a pack for every few commits, thin ones completed, as
/// pushes one after the other do.
fn pushed_in_steps(repository: &Repository, directory: &std::path::Path) -> Objects {
    let mut objects = Objects::empty(repository.hash);
    let mut before = String::new();
    for step in [
        "main~50",
        "main~30",
        "main~29",
        "main~7",
        "main",
        "side",
        "v1",
        "v2-signed",
        "light",
    ] {
        let tip = repository.id(step);
        let pack = repository.pack(
            &format!("{tip}\n{before}"),
            &["--thin", "--delta-base-offset"],
        );
        before += &format!("^{tip}\n");
        let received = take(&pack, directory, &objects).unwrap();
        if received.objects > 0 {
            objects = objects.with_pack(&received.pack).unwrap();
        }
    }
    objects
}

#[test]
fn several_packs_are_joined_entry_by_entry() {
    let repository = Repository::with_history(HashKind::Sha1);
    let directory = directory();
    let objects = pushed_in_steps(&repository, directory.path());
    assert!(objects.packs().len() > 5);
    for ofs_delta in [true, false] {
        let plan = planned(
            &objects,
            &wants(repository.tips()),
            PackOptions { ofs_delta, ..PLAIN },
        );
        let mut bytes = Vec::new();
        let report = plan.write(&mut bytes, &NoProgress, &NEVER).unwrap();
        assert_eq!(report.reused, report.objects, "nothing is inflated");
        assert_eq!(
            objects_of(&bytes, HashKind::Sha1),
            repository.rev_list(&["--all"])
        );
        let plan = planned(
            &objects,
            &wants(vec![repository.id("main~7")]),
            PackOptions { ofs_delta, ..PLAIN },
        );
        assert_eq!(
            objects_of(&written(&plan), HashKind::Sha1),
            repository.rev_list(&["main~7"])
        );
    }
}

#[test]
fn loose_objects_are_sent_too() {
    let repository = Repository::with_history(HashKind::Sha1);
    let commit = repository.git(&["commit-tree", "-m", "loose", "-p", "main", "main^{tree}"]);
    repository.git(&["update-ref", "refs/heads/main", &commit]);
    let plan = planned(&repository.objects(), &wants(repository.tips()), PLAIN);
    assert_eq!(
        objects_of(&written(&plan), HashKind::Sha1),
        repository.rev_list(&["--all"])
    );
}

#[test]
fn what_is_known_about_reachability_is_shared() {
    let repository = Repository::with_history(HashKind::Sha1);
    let cache = Arc::new(Reachability::default());
    let objects = repository.packed().with_reachability(&cache);
    let selection = wants(vec![repository.id("side")]);
    let first = written(&planned(&objects, &selection, PLAIN));
    let again = Objects::open_packs(HashKind::Sha1, &objects.packs())
        .unwrap()
        .with_reachability(&cache);
    assert!(written(&planned(&again, &selection, PLAIN)) == first);
    let reopened = again.reopen(&objects.packs()).unwrap();
    assert!(written(&planned(&reopened, &selection, PLAIN)) == first);
}

#[test]
fn an_unknown_want_is_an_error() {
    let repository = Repository::with_history(HashKind::Sha1);
    let id = ObjectId::from_bytes(&[7; 20]).unwrap();
    let error = plan(
        &repository.packed(),
        &wants(vec![id]),
        &PLAIN,
        &NoProgress,
        &NEVER,
    )
    .unwrap_err();
    assert!(matches!(error, PlanError::UnknownWant { id: unknown } if unknown == id));
}

#[test]
fn tags_come_along_with_what_they_name() {
    let repository = Repository::with_history(HashKind::Sha1);
    let tags = || {
        ["v1", "v2", "v2-signed"]
            .iter()
            .map(|tag| (repository.id(tag), repository.id(&format!("{tag}^{{}}"))))
            .collect()
    };
    for (want, tagged) in [
        ("main", &["main", "v1", "v2-signed"][..]),
        ("main~10", &["main~10", "v1"]),
    ] {
        let selection = Selection {
            wants: vec![repository.id(want)],
            include_tags: tags(),
            ..Selection::default()
        };
        let plan = planned(&repository.packed(), &selection, PLAIN);
        assert_eq!(
            objects_of(&written(&plan), HashKind::Sha1),
            repository.rev_list(tagged)
        );
    }
}
