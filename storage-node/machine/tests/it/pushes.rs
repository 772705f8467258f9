use std::time::Instant;

use git_id::ObjectId;
use storage_node_api::UploadId;
use storage_node_api::event::Kind;
use storage_node_api::order::{Command, Refusal};
use storage_node_api::refs::{RefCommand, RefOutcome, Target};
use storage_node_api::repository::Commands;

use crate::group::{
    Group, SLOT, blob, command, name, object, pack, push, repository, stale, target,
};

use RefOutcome::{Aborted, Updated};

fn conflict(with: &str) -> RefOutcome {
    RefOutcome::Conflict { with: name(with) }
}

/// A group whose repository 1 has these refs, all at object 1.
fn group_with(refs: &[&str]) -> Group {
    let mut group = Group::data();
    group.create(repository(1));
    let commands = refs.iter().map(|full| command(full, 0, 1)).collect();
    group.pushed(push(repository(1), commands));
    group
}

#[test]
fn each_command_is_compared_and_swapped() {
    let cases: &[(&[&str], RefCommand, RefOutcome)] = &[
        (&[], command("refs/heads/a", 0, 1), Updated),
        (&[], command("refs/heads/a", 1, 2), stale(0)),
        (&[], command("refs/heads/a", 1, 0), stale(0)),
        (&[], command("refs/heads/a", 0, 0), Updated),
        (&["refs/heads/a"], command("refs/heads/a", 1, 2), Updated),
        (&["refs/heads/a"], command("refs/heads/a", 1, 1), Updated),
        (&["refs/heads/a"], command("refs/heads/a", 1, 0), Updated),
        (&["refs/heads/a"], command("refs/heads/a", 0, 2), stale(1)),
        (&["refs/heads/a"], command("refs/heads/a", 2, 3), stale(1)),
        (&["refs/heads/a"], command("refs/heads/a", 2, 0), stale(1)),
        (&["refs/heads/a"], command("refs/heads/ab", 0, 1), Updated),
        (
            &["refs/heads/a"],
            command("refs/heads/a/b", 0, 1),
            conflict("refs/heads/a"),
        ),
        (
            &["refs/heads/a"],
            command("refs/heads/a/b/c", 0, 1),
            conflict("refs/heads/a"),
        ),
        (
            &["refs/heads/a/b/c"],
            command("refs/heads/a", 0, 1),
            conflict("refs/heads/a/b/c"),
        ),
        (
            &["refs/heads/a/b/c"],
            command("refs/heads/a/b", 0, 1),
            conflict("refs/heads/a/b/c"),
        ),
        (&["refs/heads/a-b"], command("refs/heads/a", 0, 1), Updated),
        (&["refs/heads/a0"], command("refs/heads/a", 0, 1), Updated),
        (&["refs/tags/a/b"], command("refs/heads/a", 0, 1), Updated),
    ];
    for (refs, command, outcome) in cases {
        let mut group = group_with(refs);
        let before = group.repository(repository(1)).unwrap();
        let pushed = group.pushed(push(repository(1), vec![command.clone()]));
        assert_eq!(
            pushed.outcomes,
            std::slice::from_ref(outcome),
            "{refs:?} {command:?}"
        );
        let moves = *outcome == Updated && command.old != command.new.map(|t| t.id);
        let grown = before.version + u64::from(moves);
        assert_eq!(pushed.version, grown, "{refs:?} {command:?}");
        let after = group.repository(repository(1)).unwrap();
        assert_eq!(
            (after.version, after.events),
            (grown, before.events + u64::from(moves))
        );
        let now = group.refs(repository(1));
        let now = now.iter().find(|(full, _)| full == command.name.as_str());
        if *outcome == Updated {
            assert_eq!(now.map(|(_, id)| *id), command.new.map(|t| t.id));
        }
        group.check_hash();
    }
}

#[test]
fn commands_of_one_push_see_each_other() {
    let cases: &[(&[&str], Vec<RefCommand>, Vec<RefOutcome>)] = &[
        (
            &[],
            vec![
                command("refs/heads/a", 0, 1),
                command("refs/heads/a/b", 0, 1),
            ],
            vec![Updated, conflict("refs/heads/a")],
        ),
        (
            &[],
            vec![
                command("refs/heads/a/b", 0, 1),
                command("refs/heads/a", 0, 1),
            ],
            vec![Updated, conflict("refs/heads/a/b")],
        ),
        // A directory is replaced by a file, in whatever order the client says it.
        (
            &["refs/heads/a/b", "refs/heads/a/c"],
            vec![
                command("refs/heads/a/b", 1, 0),
                command("refs/heads/a", 0, 1),
                command("refs/heads/a/c", 1, 0),
            ],
            vec![Updated, Updated, Updated],
        ),
        (
            &["refs/heads/a/b", "refs/heads/a/c"],
            vec![
                command("refs/heads/a/b", 1, 0),
                command("refs/heads/a", 0, 1),
            ],
            vec![Updated, conflict("refs/heads/a/c")],
        ),
        (
            &["refs/heads/a"],
            vec![
                command("refs/heads/a/b", 0, 1),
                command("refs/heads/a", 1, 0),
            ],
            vec![Updated, Updated],
        ),
        // The same reference twice.
        (
            &[],
            vec![command("refs/heads/a", 0, 1), command("refs/heads/a", 0, 2)],
            vec![Updated, stale(1)],
        ),
        (
            &["refs/heads/a"],
            vec![command("refs/heads/a", 0, 2), command("refs/heads/a", 1, 0)],
            vec![Updated, Updated],
        ),
    ];
    for (refs, commands, outcomes) in cases {
        let mut group = group_with(refs);
        let pushed = group.pushed(push(repository(1), commands.clone()));
        assert_eq!(&pushed.outcomes, outcomes, "{refs:?} {commands:?}");
        for (command, outcome) in commands.iter().zip(outcomes) {
            if let (Updated, Some(target)) = (outcome, command.new) {
                let entry = (command.name.to_string(), target.id);
                assert!(group.refs(repository(1)).contains(&entry));
            }
        }
        group.check_hash();
    }
}

#[test]
fn an_atomic_push_is_all_or_nothing() {
    let mut group = group_with(&["refs/heads/a"]);
    let before = group.repository(repository(1));
    let commands = vec![
        command("refs/heads/b", 0, 1),
        command("refs/heads/a", 2, 3),
        command("refs/heads/c", 0, 1),
    ];
    let mut atomic = push(repository(1), commands.clone());
    atomic.atomic = true;
    atomic.pack = Some(pack(1));
    let pushed = group.pushed(atomic);
    assert_eq!(pushed.outcomes, [Aborted, stale(1), Aborted]);
    assert_eq!(group.repository(repository(1)), before);
    assert_eq!(group.refs(repository(1)).len(), 1);

    let mut each = push(repository(1), commands);
    each.pack = Some(pack(1));
    let pushed = group.pushed(each);
    assert_eq!(pushed.outcomes, [Updated, stale(1), Updated]);
    assert_eq!(group.refs(repository(1)).len(), 3);
    assert_eq!(group.packs(repository(1)).len(), 1);
    group.check_hash();
}

#[test]
fn a_pack_is_listed_only_with_a_ref_that_moved() {
    let mut group = group_with(&["refs/heads/a"]);
    let id = repository(1);
    for commands in [vec![], vec![command("refs/heads/a", 2, 3)]] {
        let mut rejected = push(id, commands);
        rejected.pack = Some(pack(1));
        assert_eq!(group.pushed(rejected).version, 2);
        assert_eq!(group.packs(id), []);
        assert_eq!(group.count(0x20), 0, "no manifest of a rejected push");
    }
    let mut accepted = push(id, vec![command("refs/heads/a", 1, 2)]);
    accepted.pack = Some(pack(1));
    assert_eq!(group.pushed(accepted.clone()).version, 3);
    let [listed] = &group.packs(id)[..] else {
        panic!("one pack");
    };
    assert_eq!(listed.checksum, object(101));
    assert_eq!(
        (listed.pack, listed.index),
        (blob("pack 1").id, blob("index 1").id)
    );
    assert_eq!((listed.objects, listed.bytes), (3, 10));
    let now = group.repository(id).unwrap();
    assert_eq!((now.packs, now.bytes), (1, 20));

    // The same pack again is accepted and ignored, whatever its certificate.
    accepted.commands = Commands::Inline(vec![command("refs/heads/a", 2, 3)]);
    accepted
        .pack
        .as_mut()
        .unwrap()
        .pack
        .certificate
        .runs
        .clear();
    assert_eq!(group.pushed(accepted).outcomes, [Updated]);
    assert_eq!(group.packs(id).len(), 1);

    for number in [5, 3, 4] {
        let mut next = push(id, vec![command(&format!("refs/heads/x{number}"), 0, 1)]);
        next.pack = Some(pack(number));
        group.pushed(next);
    }
    let order: Vec<ObjectId> = group.packs(id).iter().map(|p| p.checksum).collect();
    assert_eq!(order, [101, 105, 103, 104].map(object), "oldest first");
    group.check_hash();
}

#[test]
fn ids_of_another_hash_function_and_head_are_refused() {
    let mut group = group_with(&["refs/heads/a"]);
    let id = repository(1);
    let sha256 = ObjectId::from_bytes(&[1; 32]).unwrap();
    let mut wrong_new = command("refs/heads/a", 1, 2);
    wrong_new.new = Some(Target {
        id: sha256,
        peeled: None,
    });
    let mut wrong_old = command("refs/heads/a", 1, 2);
    wrong_old.old = Some(sha256);
    let mut wrong_peeled = command("refs/heads/a", 1, 2);
    wrong_peeled.new = Some(Target {
        peeled: Some(sha256),
        ..target(2)
    });
    for wrong in [wrong_new, wrong_old, wrong_peeled] {
        let refused = Command::Push(push(id, vec![command("refs/heads/b", 0, 1), wrong]));
        assert_eq!(group.refused(refused), Refusal::OtherHash);
    }
    let mut wrong_pack = push(id, vec![command("refs/heads/b", 0, 1)]);
    wrong_pack.pack = Some(pack(1));
    wrong_pack.pack.as_mut().unwrap().checksum = sha256;
    assert_eq!(group.refused(Command::Push(wrong_pack)), Refusal::OtherHash);
    let head = Command::Push(push(id, vec![command("HEAD", 0, 1)]));
    assert_eq!(group.refused(head), Refusal::NotAReference(name("HEAD")));
    let nowhere = Command::Push(push(repository(9), vec![]));
    assert_eq!(group.refused(nowhere), Refusal::NoRepository(repository(9)));
    assert_eq!(group.refs(id).len(), 1);
}

#[test]
fn the_event_has_what_took_effect() {
    let mut group = group_with(&["refs/heads/a", "refs/heads/b"]);
    let mut next = push(
        repository(1),
        vec![
            command("refs/heads/a", 1, 2),
            command("refs/heads/b", 7, 8),
            command("refs/heads/b", 1, 1),
            command("refs/tags/t", 0, 3),
        ],
    );
    next.options = vec!["ci.skip".into()];
    group.pushed(next);
    let [event] = &group.events(SLOT, 2).events[..] else {
        panic!("one event");
    };
    assert_eq!((event.sequence, event.number), (3, 3));
    assert_eq!(
        event.kind,
        Kind::Pushed {
            actor: storage_node_api::repository::Actor(9),
            changes: vec![command("refs/heads/a", 1, 2), command("refs/tags/t", 0, 3)],
            options: vec!["ci.skip".into()],
        }
    );
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test measures")]
fn ten_thousand_refs_move_in_well_under_a_second() {
    let mut group = group_with(&[]);
    let id = repository(1);
    for (upload, old, new) in [(1, 0, 1), (2, 1, 2), (3, 2, 0)] {
        let upload = UploadId([upload; 16]);
        let commands: Vec<RefCommand> = (0..10_000)
            .map(|number| command(&format!("refs/heads/d{}/{number}", number % 100), old, new))
            .collect();
        let (commands, stages) = Commands::staged(commands, upload);
        stages.into_iter().for_each(|stage| group.done(stage));
        let mut big = push(id, Vec::new());
        big.commands = commands;
        big.options = vec!["once".into()];
        big.atomic = true;
        let started = Instant::now();
        let pushed = group.pushed(big);
        let took = started.elapsed();
        assert!(took.as_millis() < 1_000, "{took:?} for {old} to {new}");
        assert_eq!(pushed.outcomes, vec![Updated; 10_000]);
        assert_eq!(pushed.version, 2 + u64::from(old));
        assert_eq!(group.refs(id).len(), if new == 0 { 0 } else { 10_000 });
        assert_eq!(group.count(0x0c), 0, "no part is left");
    }
    let events = group.events(SLOT, 1).events;
    assert_eq!(events.len(), 79 * 3, "128 changes each");
    let with_options = events
        .iter()
        .filter(|event| matches!(&event.kind, Kind::Pushed { options, .. } if !options.is_empty()));
    assert_eq!(with_options.count(), 3, "the first of each push");
    group.check_hash();
}
