use std::collections::BTreeSet;

use git_id::{HashKind, ObjectId};
use git_pack::{Depth, Filter, Selection, ShallowChange, ShallowError, shallow_boundary};

use crate::clone::{PLAIN, planned, written};
use crate::fixture::{NEVER, Repository, git_bytes, ids};

fn change(source: &Repository, client: &[ObjectId], depth: &Depth) -> ShallowChange {
    let wants = [source.id("main"), source.id("v2")];
    shallow_boundary(&source.packed(), &wants, client, depth, &NEVER).unwrap()
}

/// What `git clone` with these options has for its boundary, and all it has.
fn cloned(source: &Repository, options: &[&str]) -> (BTreeSet<ObjectId>, Repository) {
    let client = Repository::empty(source.hash);
    let url = format!("file://{}", source.path().display());
    let spec = [
        "+refs/heads/main:refs/heads/main",
        "+refs/tags/v2:refs/tags/v2",
    ];
    client.git(&[&["fetch", "-q", "--no-tags", &url], &spec[..], options].concat());
    let shallow = std::fs::read_to_string(client.path().join("shallow")).unwrap_or_default();
    (ids(&shallow).into_iter().collect(), client)
}

/// Applies a plan's pack and a change to a client, and has git judge.
fn apply(source: &Repository, client: &Repository, change: &ShallowChange, selection: Selection) {
    client.index(&written(&planned(&source.packed(), &selection, PLAIN)));
    let path = client.path().join("shallow");
    let old = std::fs::read_to_string(&path).unwrap_or_default();
    let mut shallow: BTreeSet<ObjectId> = ids(&old).into_iter().collect();
    shallow.extend(&change.shallow);
    shallow.retain(|id| !change.unshallow.contains(id));
    let lines: String = shallow.iter().map(|id| format!("{id}\n")).collect();
    if lines.is_empty() {
        let _ = std::fs::remove_file(&path);
    } else {
        std::fs::write(&path, lines).unwrap();
    }
    client.git(&[
        "update-ref",
        "refs/heads/main",
        &source.id("main").to_string(),
    ]);
    client.git(&["fsck", "--strict", "--no-dangling"]);
}

fn selection(
    source: &Repository,
    client: &[ObjectId],
    haves: Vec<ObjectId>,
    change: &ShallowChange,
) -> Selection {
    Selection {
        wants: vec![source.id("main"), source.id("v2")],
        haves,
        shallow: client.to_vec(),
        boundary: change.boundary.clone(),
        deepen_unshallow: change.unshallow.clone(),
        include_tags: Vec::new(),
        filter: Filter::default(),
    }
}

#[test]
fn boundaries_are_where_git_puts_them_and_the_pack_is_what_is_inside() {
    for hash in [HashKind::Sha1, HashKind::Sha256] {
        let source = Repository::with_history(hash);
        let since = Depth::Excluding {
            since: Some(1_600_042_500),
            not: Vec::new(),
        };
        let not = Depth::Excluding {
            since: None,
            not: vec![source.id("v1")],
        };
        for (depth, option) in [
            (Depth::Commits(1), "--depth=1"),
            (Depth::Commits(3), "--depth=3"),
            (Depth::Commits(40), "--depth=40"),
            (Depth::Commits(1000), "--depth=1000"),
            (Depth::Commits(0x7fff_ffff), "--depth=2147483647"),
            (since, "--shallow-since=1600042500"),
            (not, "--shallow-exclude=refs/tags/v1"),
        ] {
            let change = change(&source, &[], &depth);
            let (boundary, theirs) = cloned(&source, &[option]);
            assert_eq!(
                change.shallow.iter().copied().collect::<BTreeSet<_>>(),
                boundary,
                "{option}"
            );
            assert_eq!(change.unshallow, []);
            let client = Repository::empty(hash);
            apply(
                &source,
                &client,
                &change,
                selection(&source, &[], Vec::new(), &change),
            );
            assert_eq!(client.all_objects(), theirs.all_objects(), "{option}");
        }
    }
}

#[test]
fn a_shallow_clone_is_deepened() {
    let source = Repository::with_history(HashKind::Sha1);
    for (start, depth, option) in [
        ("--depth=2", Depth::Commits(5), "--depth=5"),
        ("--depth=2", Depth::Relative(4), "--deepen=4"),
        ("--depth=5", Depth::Relative(1), "--deepen=1"),
        ("--depth=2", Depth::Commits(0x7fff_ffff), "--unshallow"),
        ("--depth=8", Depth::Commits(3), "--depth=3"),
    ] {
        let (before, client) = cloned(&source, &[start]);
        let before: Vec<ObjectId> = before.into_iter().collect();
        let change = change(&source, &before, &depth);
        let (_, theirs) = cloned(&source, &[start]);
        let url = format!("file://{}", source.path().display());
        theirs.git(&[
            "fetch",
            "-q",
            "--no-tags",
            option,
            &url,
            "+refs/heads/main:refs/heads/main",
        ]);
        let haves = vec![source.id("main")];
        apply(
            &source,
            &client,
            &change,
            selection(&source, &before, haves, &change),
        );
        let file = |repository: &Repository| {
            let text =
                std::fs::read_to_string(repository.path().join("shallow")).unwrap_or_default();
            ids(&text).into_iter().collect::<BTreeSet<_>>()
        };
        assert_eq!(file(&client), file(&theirs), "{start} {option}");
        assert_eq!(
            client.rev_list(&["main"]),
            theirs.rev_list(&["main"]),
            "{start} {option}"
        );
    }
}

#[test]
fn a_shallow_clone_is_brought_up_to_date() {
    let source = Repository::with_history(HashKind::Sha1);
    let old = source.id("main~5");
    let client = Repository::empty(HashKind::Sha1);
    source.git(&["update-ref", "refs/heads/old", &old.to_string()]);
    let url = format!("file://{}", source.path().display());
    client.git(&[
        "fetch",
        "-q",
        "--no-tags",
        "--depth=1",
        &url,
        "+refs/heads/old:refs/heads/main",
    ]);
    for depth in [None, Some(Depth::Commits(1))] {
        let change = depth
            .as_ref()
            .map(|depth| change(&source, &[old], depth))
            .unwrap_or_default();
        let selection = selection(&source, &[old], vec![old], &change);
        let plan = planned(&source.packed(), &selection, PLAIN);
        assert!(
            plan.objects() < 60,
            "{depth:?}: what the client has is not sent again"
        );
        apply(&source, &client, &change, selection);
    }
}

#[test]
fn a_depth_that_leaves_nothing_is_an_error() {
    let source = Repository::with_history(HashKind::Sha1);
    let depth = Depth::Excluding {
        since: Some(1_900_000_000),
        not: Vec::new(),
    };
    let error =
        shallow_boundary(&source.packed(), &[source.id("main")], &[], &depth, &NEVER).unwrap_err();
    assert!(matches!(error, ShallowError::NothingSelected));
}

#[test]
fn more_history_is_counted_from_what_is_wanted_where_a_merge_has_a_shorter_way() {
    let source = Repository::empty(HashKind::Sha1);
    let commit = |branch: usize, mark: usize, from: &str| {
        format!(
            "commit refs/heads/b{branch}\nmark :{mark}\ncommitter C <c@example.org> {} +0000\n\
             data 0\n{from}\n",
            1_500_000_000 + mark
        )
    };
    // 1 - 2 - 3 ------- 6
    //          \       /
    //           4 - 5 -
    let script = [
        commit(0, 1, ""),
        commit(0, 2, "from :1\n"),
        commit(0, 3, "from :2\n"),
        commit(1, 4, "from :3\n"),
        commit(1, 5, "from :4\n"),
        commit(0, 6, "from :3\nmerge :5\n"),
    ];
    let import = ["fast-import", "--quiet"];
    git_bytes(source.path(), &import, script.concat().as_bytes());
    source.git(&["repack", "-q", "-ad"]);
    let id = |revision: &str| source.id(revision);
    let change = |client: &[ObjectId], depth| {
        let objects = source.packed();
        shallow_boundary(&objects, &[id("b0")], client, &depth, &NEVER).unwrap()
    };
    let cloned = change(&[], Depth::Commits(3));
    let boundary: BTreeSet<_> = cloned.shallow.iter().copied().collect();
    assert_eq!(boundary, BTreeSet::from([id("b0~2"), id("b1~1")]));
    let deepened = change(&cloned.shallow, Depth::Relative(1));
    assert_eq!(
        deepened.shallow,
        [id("b0~3")],
        "nothing that was there is cut off"
    );
    let unshallow: BTreeSet<_> = deepened.unshallow.into_iter().collect();
    assert_eq!(unshallow, boundary);
}
