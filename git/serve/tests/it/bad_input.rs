//! Pushes that are not as they should be: each gets a message, and nothing of it
//! is stored.

use std::path::PathBuf;
use std::process::Command;

use bytes::BytesMut;
use git_serve::{Policy, ReceivePolicy};
use git_wire::pkt::put_data;

use crate::sandbox::{Sandbox, isolated};
use crate::wire_client::{Answer, push, raw_push};

const NULL: &str = "0000000000000000000000000000000000000000";

struct Target {
    sandbox: Sandbox,
    work: PathBuf,
    served: PathBuf,
    tip: String,
}

impl Target {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let work = sandbox.history("work.git", 12);
        let served = sandbox.init("served.git", "sha1");
        let tip = sandbox.id(&work, "main");
        Self {
            sandbox,
            work,
            served,
            tip,
        }
    }

    /// A pack made by git from revisions, `--stdout` style.
    fn pack(&self, options: &[&str], revisions: &str) -> Vec<u8> {
        let mut command = Command::new("git");
        command
            .args(["pack-objects", "-q", "--stdout", "--revs"])
            .args(options);
        command.current_dir(&self.work);
        let input = self.sandbox.path("revisions");
        std::fs::write(&input, revisions).unwrap();
        isolated(&mut command, &self.sandbox.path(""));
        command.stdin(std::fs::File::open(input).unwrap());
        command.output().unwrap().stdout
    }

    fn create_main(&self) -> Vec<String> {
        vec![format!("{NULL} {} refs/heads/main", self.tip)]
    }

    /// Nothing of a push is there.
    fn assert_untouched(&self) {
        assert_eq!(self.sandbox.refs(&self.served), "");
        let count = self.sandbox.at(&self.served, &["count-objects", "-v"]);
        assert!(
            count.contains("count: 0") && count.contains("packs: 0"),
            "{count}"
        );
        let entries = std::fs::read_dir(self.served.join("objects")).unwrap();
        assert_eq!(entries.count(), 2, "only info and pack");
    }

    fn assert_unpack_error(&self, answer: &Answer, text: &str) {
        assert!(answer.report[0].starts_with("unpack "), "{answer:?}");
        assert!(answer.report[0].contains(text), "{answer:?}");
        assert_eq!(answer.report[1], "ng refs/heads/main unpacker error");
        assert!(answer.error.is_some());
        self.assert_untouched();
    }
}

#[test]
fn a_good_push_by_hand_is_stored() {
    let target = Target::new();
    let pack = target.pack(&[], &target.tip);
    let answer = push(
        &target.served,
        &Policy::default(),
        &target.create_main(),
        &pack,
    );
    assert_eq!(
        answer.report,
        ["unpack ok", "ok refs/heads/main"],
        "{answer:?}"
    );
    target.sandbox.at(&target.served, &["fsck", "--strict"]);
    assert_eq!(target.sandbox.id(&target.served, "main"), target.tip);
}

#[test]
fn a_corrupt_pack_is_refused() {
    let target = Target::new();
    let good = target.pack(&[], &target.tip);
    for at in [0, 9, 40, good.len() / 2, good.len() - 1] {
        let mut pack = good.clone();
        pack[at] ^= 0x55;
        let answer = push(
            &target.served,
            &Policy::default(),
            &target.create_main(),
            &pack,
        );
        target.assert_unpack_error(&answer, "");
        assert_ne!(answer.report[0], "unpack ok");
    }
}

#[test]
fn a_truncated_pack_is_refused() {
    let target = Target::new();
    let good = target.pack(&[], &target.tip);
    for length in [0, 5, 12, 100, good.len() - 1] {
        let answer = push(
            &target.served,
            &Policy::default(),
            &target.create_main(),
            &good[..length],
        );
        assert_ne!(answer.report[0], "unpack ok", "{length}");
        target.assert_unpack_error(&answer, "");
    }
}

#[test]
fn bytes_after_the_pack_are_refused() {
    let target = Target::new();
    let mut pack = target.pack(&[], &target.tip);
    pack.extend_from_slice(b"more");
    let answer = push(
        &target.served,
        &Policy::default(),
        &target.create_main(),
        &pack,
    );
    target.assert_unpack_error(&answer, "followed by other bytes");
}

#[test]
fn a_pack_with_a_missing_base_is_refused() {
    let target = Target::new();
    let parent = target.sandbox.id(&target.work, "main~1");
    let thin = target.pack(&["--thin"], &format!("{}\n^{parent}", target.tip));
    let answer = push(
        &target.served,
        &Policy::default(),
        &target.create_main(),
        &thin,
    );
    assert_ne!(answer.report, ["unpack ok", "ok refs/heads/main"]);
    target.assert_untouched();
}

#[test]
fn missing_objects_reject_only_the_refs_that_need_them() {
    let target = Target::new();
    let parent = target.sandbox.id(&target.work, "main~1");
    let first = target.sandbox.id(&target.work, "main~9");
    let pack = target.pack(&[], &format!("{}\n^{parent}", target.tip));
    let answer = push(
        &target.served,
        &Policy::default(),
        &target.create_main(),
        &pack,
    );
    let rejected = "ng refs/heads/main missing necessary objects";
    assert_eq!(answer.report, ["unpack ok", rejected], "{answer:?}");
    target.assert_untouched();
    let mut commands = target.create_main();
    commands.push(format!("{NULL} {first} refs/heads/first"));
    commands.push(format!("{NULL} {} refs/heads/nothing", "12".repeat(20)));
    let pack = target.pack(&[], &format!("{}\n{first}\n^{parent}\n", target.tip));
    let whole_first = target.pack(&[], &first);
    assert_ne!(pack, whole_first);
    let answer = push(
        &target.served,
        &Policy::default(),
        &commands[1..],
        &whole_first,
    );
    let expected = [
        "unpack ok",
        "ok refs/heads/first",
        "ng refs/heads/nothing missing necessary objects",
    ];
    assert_eq!(answer.report, expected, "{answer:?}");
}

#[test]
fn an_object_that_git_would_not_pass_is_refused() {
    let target = Target::new();
    let blob = target
        .sandbox
        .git_in(&target.work, &["hash-object", "-w", "--stdin"], b"x")
        .out;
    let entry = format!("100644 blob {}\t.git\n", blob.trim());
    let tree = target
        .sandbox
        .git_in(&target.work, &["mktree"], entry.as_bytes())
        .out;
    let commit = target
        .sandbox
        .at(&target.work, &["commit-tree", tree.trim(), "-m", "bad"]);
    let commit = commit.trim();
    let pack = target.pack(&[], commit);
    let command = vec![format!("{NULL} {commit} refs/heads/main")];
    let answer = push(&target.served, &Policy::default(), &command, &pack);
    target.assert_unpack_error(&answer, "hasDotgit");
    let unchecked = ReceivePolicy {
        check_objects: false,
        ..ReceivePolicy::default()
    };
    let policy = Policy {
        receive: unchecked,
        ..Policy::default()
    };
    let answer = push(&target.served, &policy, &command, &pack);
    assert_eq!(answer.report, ["unpack ok", "ok refs/heads/main"]);
}

#[test]
fn a_push_over_a_limit_says_which() {
    let target = Target::new();
    let pack = target.pack(&[], &target.tip);
    let with = |receive| Policy {
        receive,
        ..Policy::default()
    };
    let size = with(ReceivePolicy {
        max_pack_bytes: 1000,
        ..ReceivePolicy::default()
    });
    let answer = push(&target.served, &size, &target.create_main(), &pack);
    target.assert_unpack_error(
        &answer,
        "pack exceeds the maximum allowed size of 1000 bytes",
    );
    let objects = with(ReceivePolicy {
        max_objects: 3,
        ..ReceivePolicy::default()
    });
    let answer = push(&target.served, &objects, &target.create_main(), &pack);
    target.assert_unpack_error(&answer, "3");
    let object = with(ReceivePolicy {
        max_object_bytes: 100,
        ..ReceivePolicy::default()
    });
    let answer = push(&target.served, &object, &target.create_main(), &pack);
    target.assert_unpack_error(&answer, "100");
    let commands = with(ReceivePolicy {
        max_commands: 1,
        ..ReceivePolicy::default()
    });
    let two = [
        target.create_main(),
        vec![format!("{NULL} {} refs/heads/b", target.tip)],
    ]
    .concat();
    let answer = push(&target.served, &commands, &two, &pack);
    assert_eq!(
        answer.messages,
        "a push updates at most 1 refs here: push fewer refs at a time\n"
    );
    target.assert_untouched();
}

#[test]
fn names_that_git_would_refuse_are_refused_one_by_one() {
    let target = Target::new();
    let tip = &target.tip;
    let names = [
        "refs/heads/main",
        "refs/heads/a..b",
        "HEAD",
        "main",
        "refs/heads/x.lock",
        "refs/heads/a\u{7}",
        "refs/onelevel",
    ];
    let commands: Vec<String> = names
        .iter()
        .map(|name| format!("{NULL} {tip} {name}"))
        .collect();
    let pack = target.pack(&[], tip);
    let answer = push(&target.served, &Policy::default(), &commands, &pack);
    assert_eq!(answer.report[..2], ["unpack ok", "ok refs/heads/main"]);
    for (line, name) in answer.report[2..].iter().zip(&names[1..]) {
        assert!(
            line.starts_with(&format!("ng {name} funny refname")),
            "{line}"
        );
    }
    assert!(
        answer
            .messages
            .contains("error: refusing to update funny ref 'HEAD' remotely")
    );
}

#[test]
fn a_stale_old_value_rejects_its_ref_alone() {
    let target = Target::new();
    let pack = target.pack(&[], &target.tip);
    push(
        &target.served,
        &Policy::default(),
        &target.create_main(),
        &pack,
    );
    let parent = target.sandbox.id(&target.work, "main~1");
    let commands = vec![
        format!(
            "{parent} {} refs/heads/main",
            target.sandbox.id(&target.work, "main~2")
        ),
        format!("{NULL} {parent} refs/heads/other"),
        format!("{NULL} {parent} refs/heads/main2"),
        format!("{parent} {NULL} refs/heads/absent"),
    ];
    let empty = target.pack(&[], "");
    let answer = push(&target.served, &Policy::default(), &commands, &empty);
    let expected = [
        "unpack ok",
        "ng refs/heads/main incorrect old value provided",
        "ok refs/heads/other",
        "ok refs/heads/main2",
        "ng refs/heads/absent reference does not exist",
    ];
    assert_eq!(answer.report, expected);
}

#[test]
fn two_commands_for_one_ref_are_both_refused() {
    let target = Target::new();
    let commands = [target.create_main(), target.create_main()].concat();
    let pack = target.pack(&[], &target.tip);
    let answer = push(&target.served, &Policy::default(), &commands, &pack);
    let line = "ng refs/heads/main multiple updates for ref 'refs/heads/main' not allowed";
    assert_eq!(answer.report, ["unpack ok", line, line]);
    target.assert_untouched();
}

#[test]
fn what_is_no_push_is_answered_in_the_protocol() {
    let target = Target::new();
    let answer = raw_push(&target.served, &Policy::default(), b"0000");
    assert!(answer.error.is_none() && answer.report.is_empty() && answer.messages.is_empty());
    let answer = raw_push(&target.served, &Policy::default(), b"GET / HTTP/1.1");
    assert!(
        answer.messages.starts_with("ERR protocol error"),
        "{answer:?}"
    );
    let mut certificate = BytesMut::new();
    put_data(&mut certificate, b"push-cert\0side-band-64k\n");
    let answer = raw_push(&target.served, &Policy::default(), &certificate);
    assert!(
        answer.messages.contains("signed pushes are not supported"),
        "{answer:?}"
    );
    let cut = &certificate[..10];
    assert!(
        raw_push(&target.served, &Policy::default(), cut)
            .error
            .is_some()
    );
    target.assert_untouched();
}
