//! Pushes that are as they should be.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use git_serve::Policy;

use crate::sandbox::{Over, Printed, Sandbox, server_program};
use crate::wire_client::push;

const PUSH_WAYS: [(Over, u8); 4] = [
    (Over::Pipes, 0),
    (Over::Pipes, 1),
    (Over::Pipes, 2),
    (Over::Http, 2),
];

/// A working repository with the history, and an empty served one.
struct Pair {
    sandbox: Sandbox,
    work: PathBuf,
    served: PathBuf,
}

impl Pair {
    fn new(commits: usize) -> Self {
        let sandbox = Sandbox::new();
        let work = sandbox.history("work.git", commits);
        let served = sandbox.init("served.git", "sha1");
        Self {
            sandbox,
            work,
            served,
        }
    }

    fn push(&self, way: (Over, u8), arguments: &[&str]) -> Printed {
        let version = format!("protocol.version={}", way.1);
        let receive = format!("--receive-pack={} receive-pack", server_program().display());
        let url = self.sandbox.url(way.0, "served.git");
        let mut all = vec!["-c", &version, "push", &receive];
        all.extend(
            arguments
                .iter()
                .take_while(|argument| argument.starts_with('-')),
        );
        all.push(&url);
        all.extend(
            arguments
                .iter()
                .skip_while(|argument| argument.starts_with('-')),
        );
        self.sandbox.git_in(&self.work, &all, b"")
    }

    fn commit(&self, branch: &str, text: &str) -> String {
        let stream = format!(
            "commit {branch}\ncommitter A <a@example.org> 1700000000 +0000\ndata {}\n{text}\n\
             from {branch}^0\nM 644 inline file\ndata {}\n{text}\n",
            text.len(),
            text.len()
        );
        self.sandbox
            .git_in(&self.work, &["fast-import", "--quiet"], stream.as_bytes())
            .expect_ok();
        self.sandbox.id(&self.work, branch)
    }
}

/// No push leaves anything behind.
fn assert_tidy(served: &Path) {
    let entries = std::fs::read_dir(served.join("objects")).unwrap();
    for entry in entries {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.contains("incoming"), "{name} was left behind");
    }
}

#[test]
fn a_whole_history_arrives() {
    for way in PUSH_WAYS {
        let pair = Pair::new(60);
        pair.push(way, &["-q", "--mirror"]).expect_ok();
        pair.sandbox.assert_same(&pair.work, &pair.served);
        // Thin packs: one line changes in a large file.
        for n in 0..3 {
            pair.commit("refs/heads/main", &format!("change {n}"));
            pair.push(way, &["-q", "main"]).expect_ok();
            pair.sandbox.assert_same(&pair.work, &pair.served);
        }
        assert_tidy(&pair.served);
    }
}

#[test]
fn refs_are_created_moved_and_deleted() {
    for way in PUSH_WAYS {
        let pair = Pair::new(12);
        pair.push(way, &["main", "side", "v9"]).expect_ok();
        let back = pair.push(way, &["main~2:main"]);
        assert!(
            !back.success && back.err.contains("non-fast-forward"),
            "{back:?}"
        );
        pair.push(way, &["-f", "main~2:main", "v9~1:refs/tags/light"])
            .expect_ok();
        assert_eq!(
            pair.sandbox.id(&pair.served, "main"),
            pair.sandbox.id(&pair.work, "main~2")
        );
        let moved = pair.push(way, &["--delete", "side", "v9"]);
        assert!(moved.err.contains("- [deleted]"), "{moved:?}");
        let refs = pair.sandbox.refs(&pair.served);
        let names: Vec<&str> = refs.lines().map(|line| &line[41..]).collect();
        assert_eq!(names, ["refs/heads/main", "refs/tags/light"]);
        let current = pair.push(way, &["--delete", "main"]);
        assert!(
            current
                .err
                .contains("deletion of the current branch prohibited"),
            "{current:?}"
        );
        assert!(
            current
                .err
                .contains("remote: error: refusing to delete the current branch: refs/heads/main")
        );
        pair.sandbox.at(&pair.served, &["fsck", "--strict"]);
        assert_tidy(&pair.served);
    }
}

#[test]
fn commands_are_judged_one_by_one_or_all_together() {
    for way in PUSH_WAYS {
        let pair = Pair::new(12);
        pair.push(way, &["main", "side"]).expect_ok();
        pair.sandbox.at(
            &pair.served,
            &["config", "receive.denyNonFastForwards", "true"],
        );
        let new = pair.commit("refs/heads/side", "new");
        let before = pair.sandbox.refs(&pair.served);
        let both = ["+main~2:main", "side"];
        let atomic = pair.push(way, &[&["--atomic"], &both[..]].concat());
        assert!(
            !atomic.success && atomic.err.contains("atomic push failure"),
            "{atomic:?}"
        );
        assert_eq!(pair.sandbox.refs(&pair.served), before);
        let absent = pair
            .sandbox
            .git_in(&pair.served, &["cat-file", "-e", &new], b"");
        assert!(
            !absent.success,
            "objects of a rejected push are not visible"
        );
        let single = pair.push(way, &both);
        assert!(
            single
                .err
                .contains("[remote rejected] main~2 -> main (non-fast-forward)"),
            "{single:?}"
        );
        assert!(
            single
                .err
                .contains("denying non-fast-forward refs/heads/main")
        );
        assert_eq!(pair.sandbox.id(&pair.served, "side"), new);
        assert_tidy(&pair.served);
    }
}

#[test]
fn ten_thousand_refs_arrive_in_one_push() {
    let pair = Pair::new(12);
    let id = pair.sandbox.id(&pair.work, "main");
    let mut updates = String::new();
    for n in 0..10_000 {
        writeln!(updates, "create refs/heads/many/{n:05} {id}").unwrap();
    }
    pair.sandbox
        .git_in(&pair.work, &["update-ref", "--stdin"], updates.as_bytes())
        .expect_ok();
    // Not over HTTP: there git's client itself takes a minute for so many refs.
    let way = (Over::Pipes, 0);
    pair.push(way, &["-q", "--mirror"]).expect_ok();
    assert_eq!(
        pair.sandbox.refs(&pair.served),
        pair.sandbox.refs(&pair.work)
    );
    for way in [(Over::Http, 2), (Over::Pipes, 0)] {
        let copy = pair
            .sandbox
            .clone(way, "served.git", &format!("{way:?}"), &["--mirror"]);
        assert_eq!(pair.sandbox.refs(&copy), pair.sandbox.refs(&pair.work));
    }
    pair.push(way, &["-q", "--delete", "many/00007"])
        .expect_ok();
    let listed = pair
        .sandbox
        .at(&pair.served, &["for-each-ref", "refs/heads/many"]);
    assert_eq!(listed.lines().count(), 9_999);
    // The same as one stateless request.
    let null = "0".repeat(40);
    let command = |n| format!("{null} {id} refs/heads/again/{n}");
    let commands: Vec<String> = (0..10_000).map(command).collect();
    let empty_pack = pair.sandbox.empty_pack();
    let answer = push(&pair.served, &Policy::default(), &commands, &empty_pack);
    assert_eq!(
        answer
            .report
            .iter()
            .filter(|line| line.starts_with("ok "))
            .count(),
        10_000
    );
    let listed = pair
        .sandbox
        .at(&pair.served, &["for-each-ref", "refs/heads/again"]);
    assert_eq!(listed.lines().count(), 10_000);
}

#[test]
fn a_push_from_a_shallow_clone_needs_only_what_is_known() {
    for way in PUSH_WAYS {
        let pair = Pair::new(20);
        pair.push(way, &["-q", "--mirror"]).expect_ok();
        let copy = pair
            .sandbox
            .clone(way, "served.git", "shallow", &["--depth=1", "-b", "main"]);
        pair.sandbox
            .at(&copy, &["commit", "-q", "--allow-empty", "-m", "on top"]);
        pair.sandbox.at(&copy, &["push", "-q", "origin", "main"]);
        assert_eq!(
            pair.sandbox.id(&pair.served, "main"),
            pair.sandbox.id(&copy, "main")
        );
        let other = pair.sandbox.init("other.git", "sha1");
        let url = pair
            .sandbox
            .url(way.0, other.file_name().unwrap().to_str().unwrap());
        let receive = format!("--receive-pack={} receive-pack", server_program().display());
        let refused = pair
            .sandbox
            .git_in(&copy, &["push", &receive, &url, "main"], b"");
        assert!(
            refused.err.contains("shallow update not allowed"),
            "{refused:?}"
        );
        assert!(pair.sandbox.refs(&other).is_empty());
    }
}

#[test]
fn push_options_are_taken_where_they_are_offered() {
    let pair = Pair::new(5);
    let refused = pair.push((Over::Pipes, 0), &["-o", "x", "main"]);
    assert!(!refused.success);
    pair.sandbox.at(
        &pair.served,
        &["config", "receive.advertisePushOptions", "true"],
    );
    pair.push((Over::Pipes, 0), &["--push-option=x", "main"])
        .expect_ok();
    pair.push((Over::Http, 2), &["--push-option=x", "side"])
        .expect_ok();
    assert_eq!(pair.sandbox.refs(&pair.served).lines().count(), 2);
}

#[test]
fn a_checked_out_branch_is_refused_and_hidden_refs_too() {
    let pair = Pair::new(5);
    pair.sandbox
        .at(&pair.served, &["config", "core.bare", "false"]);
    pair.sandbox
        .at(&pair.served, &["config", "receive.hideRefs", "refs/hidden"]);
    let printed = pair.push((Over::Pipes, 0), &["main", "main:refs/hidden/x", "side"]);
    assert!(
        printed.err.contains("(branch is currently checked out)"),
        "{printed:?}"
    );
    assert!(
        printed.err.contains("(deny updating a hidden ref)"),
        "{printed:?}"
    );
    assert!(
        pair.sandbox
            .refs(&pair.served)
            .ends_with("refs/heads/side\n")
    );
}

#[test]
fn a_repository_with_sha256_takes_pushes() {
    let sandbox = Sandbox::new();
    let work = sandbox.init("work.git", "sha256");
    sandbox.import(&work, 0..20);
    let served = sandbox.init("served.git", "sha256");
    sandbox.at(&served, &["config", "receive.fsckObjects", "true"]);
    sandbox.at(
        &work,
        &[
            "push",
            "-q",
            "--mirror",
            &sandbox.url(Over::Http, "served.git"),
        ],
    );
    sandbox.assert_same(&work, &served);
}

#[test]
fn name_conflicts_and_moved_refs_are_reported_for_their_ref_alone() {
    let pair = Pair::new(12);
    pair.push((Over::Pipes, 0), &["main"]).expect_ok();
    let printed = pair.push((Over::Pipes, 0), &["main:refs/heads/main/sub", "side"]);
    assert!(
        printed
            .err
            .contains("refname conflict: 'refs/heads/main' exists"),
        "{printed:?}"
    );
    assert!(pair.sandbox.refs(&pair.served).contains("refs/heads/side"));
    let atomic = [
        "--atomic",
        "main:refs/heads/main/sub",
        "main:refs/heads/new",
    ];
    let printed = pair.push((Over::Pipes, 0), &atomic);
    let cause =
        "main -> main/sub (atomic transaction failed: refname conflict: 'refs/heads/main' exists)";
    let other = "main -> new (atomic transaction failed)";
    assert!(
        printed.err.contains(cause) && printed.err.contains(other),
        "{printed:?}"
    );
    let tree = pair.sandbox.id(&pair.work, "main^{tree}");
    let printed = pair.push((Over::Http, 2), &[&format!("{tree}:refs/heads/tree")]);
    assert!(
        printed.err.contains("trying to write non-commit object"),
        "{printed:?}"
    );
    let printed = pair.push((Over::Http, 2), &[&format!("{tree}:refs/tags/tree")]);
    printed.expect_ok();
}
