use futures_util::future::join_all;
use git_id::ObjectId;

use super::world::{DOMAIN, World, command, create, name, object, push};
use crate::limits::EVENT_CHANGES;
use crate::order::{Command, Reply};
use crate::refs::{RefCommand, RefOutcome, Target};
use crate::repository::{Commands, Pushed};

use RefOutcome::{Aborted, Conflict, Stale, Updated};

/// How many pushes race.
const RACERS: u8 = 12;

fn stale(actual: u8) -> RefOutcome {
    Stale {
        actual: (actual != 0).then(|| object(actual)),
    }
}

pub(super) async fn references_are_compared_and_swapped(world: World) {
    let id = world.create().await;
    let (a, b) = ("refs/heads/a", "refs/heads/b");
    for (commands, outcomes, moves) in [
        (
            vec![command(a, 0, 1), command(b, 0, 1)],
            vec![Updated, Updated],
            true,
        ),
        (vec![command(a, 0, 2)], vec![stale(1)], false),
        (vec![command(a, 2, 3)], vec![stale(1)], false),
        (vec![command(a, 1, 1)], vec![Updated], false),
        (vec![command("refs/x", 1, 2)], vec![stale(0)], false),
        // Each on its own: those that pass take effect.
        (
            vec![command(a, 9, 2), command(b, 1, 2)],
            vec![stale(1), Updated],
            true,
        ),
        (vec![command(b, 1, 0)], vec![stale(2)], false),
        (vec![command(b, 2, 0)], vec![Updated], true),
        (vec![command(b, 0, 4)], vec![Updated], true),
        (vec![], vec![], false),
    ] {
        let before = world.refs(id).await;
        let pushed = world.push(push(id, commands.clone())).await;
        assert_eq!(pushed.outcomes, outcomes, "{commands:?}");
        let after = world.refs(id).await;
        assert_eq!(after.version, before.version + u64::from(moves));
        assert_eq!(pushed.version, after.version);
        assert_eq!(after.refs != before.refs, moves, "{commands:?}");
    }
    let expected = [(a.to_owned(), object(1)), (b.to_owned(), object(4))];
    assert_eq!(world.targets(id).await, expected);

    let tagged = RefCommand {
        new: Some(Target {
            id: object(7),
            peeled: Some(object(1)),
        }),
        ..command("refs/tags/t", 0, 7)
    };
    world.push(push(id, vec![tagged.clone()])).await;
    let refs = world.refs(id).await.refs;
    assert_eq!(refs.last().map(|r| r.target), tagged.new);
}

pub(super) async fn an_atomic_push_is_all_or_nothing(world: World) {
    let id = world.create().await;
    let commands = vec![
        command("refs/heads/a", 0, 1),
        command("refs/heads/b", 5, 6),
        command("refs/heads/c", 0, 1),
    ];
    let before = world.refs(id).await;
    let mut atomic = push(id, commands.clone());
    atomic.atomic = true;
    let pushed = world.push(atomic.clone()).await;
    assert_eq!(pushed.outcomes, [Aborted, stale(0), Aborted]);
    assert_eq!(world.refs(id).await, before);
    atomic.commands = Commands::Inline(vec![commands[0].clone(), commands[2].clone()]);
    let pushed = world.push(atomic).await;
    assert_eq!(pushed.outcomes, [Updated, Updated]);
    assert_eq!(world.refs(id).await.refs.len(), 2);
}

pub(super) async fn names_that_exclude_each_other_conflict(world: World) {
    let id = world.create().await;
    let conflict = |with| Conflict { with: name(with) };
    let (file, below) = ("refs/heads/a", "refs/heads/a/b/c");
    for (commands, outcomes) in [
        (
            vec![command(file, 0, 1), command(below, 0, 1)],
            vec![Updated, conflict(file)],
        ),
        (vec![command(below, 0, 1)], vec![conflict(file)]),
        (vec![command("refs/heads/a-b", 0, 1)], vec![Updated]),
        // A file makes room for a directory in one push, and the reverse.
        (
            vec![command(below, 0, 1), command(file, 1, 0)],
            vec![Updated, Updated],
        ),
        (vec![command(file, 0, 1)], vec![conflict(below)]),
        (
            vec![command(file, 0, 1), command(below, 1, 0)],
            vec![Updated, Updated],
        ),
    ] {
        let pushed = world.push(push(id, commands.clone())).await;
        assert_eq!(pushed.outcomes, outcomes, "{commands:?}");
    }
    let names: Vec<String> = world
        .targets(id)
        .await
        .into_iter()
        .map(|(n, _)| n)
        .collect();
    assert_eq!(names, ["refs/heads/a", "refs/heads/a-b"]);
}

pub(super) async fn a_pack_is_visible_only_with_a_reference_that_moved(world: World) {
    let id = world.create().await;
    let pack = world.pack(DOMAIN).await;
    let mut rejected = push(id, vec![command("refs/heads/a", 3, 4)]);
    rejected.pack = Some(pack.clone());
    assert_eq!(world.push(rejected).await.outcomes, [stale(0)]);
    assert_eq!(world.packs(id).await.packs, []);
    assert_eq!(world.manifest(id.slot(), pack.pack.id).await, None);

    let mut accepted = push(id, vec![command("refs/heads/a", 0, 1)]);
    accepted.pack = Some(pack.clone());
    assert_eq!(world.push(accepted.clone()).await.outcomes, [Updated]);
    let listed = world.packs(id).await.packs;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].checksum, pack.checksum);
    assert_eq!(
        (listed[0].pack, listed[0].index),
        (pack.pack.id, pack.index.id)
    );
    assert_eq!((listed[0].objects, listed[0].bytes), (3, pack.pack.length));
    let now = world.repository(id).await.expect("it is there");
    assert_eq!(now.bytes, pack.pack.length + pack.index.length);
    for blob in [pack.pack.id, pack.index.id] {
        let manifest = world.manifest(id.slot(), blob).await;
        let manifest = manifest.expect("the pack list owns it");
        let bytes = world.download(&manifest, 0..u64::MAX).await;
        assert_eq!(bytes.len() as u64, manifest.length);
    }
    // The same pack again, with the next move: it is listed once.
    accepted.commands = Commands::Inline(vec![command("refs/heads/a", 1, 2)]);
    assert_eq!(world.push(accepted).await.outcomes, [Updated]);
    assert_eq!(world.packs(id).await.packs, listed);
}

pub(super) async fn ten_thousand_references_move_at_once(world: World) {
    const COUNT: usize = 10_000;
    let id = world.create().await;
    let cursor = world.events(id, 0).await.last;
    for (old, new) in [(0, 1), (1, 2)] {
        let commands: Vec<RefCommand> = (0..COUNT)
            .map(|number| command(&format!("refs/heads/{number}"), old, new))
            .collect();
        let (commands, parts) = Commands::staged(commands, world.upload_id());
        for part in parts {
            world.done(id.slot(), part).await;
        }
        let before = world.refs(id).await.version;
        let mut many = push(id, Vec::new());
        many.commands = commands;
        many.atomic = true;
        let pushed = world.push(many).await;
        assert_eq!(pushed.version, before + 1, "one version");
        assert!(pushed.outcomes.len() == COUNT);
        assert!(pushed.outcomes.iter().all(|outcome| *outcome == Updated));
        let refs = world.refs(id).await.refs;
        assert_eq!(refs.len(), COUNT);
        assert!(refs.iter().all(|r| r.target.id == object(new)));
    }
    let events = world.events(id, cursor).await;
    assert!(events.last - cursor >= 2 * COUNT.div_ceil(EVENT_CHANGES) as u64);
}

pub(super) async fn a_retry_answers_the_first_result(world: World) {
    let id = world.repository_id();
    let slot = id.slot();
    let steps = [
        create(id),
        Command::Push(push(id, vec![command("refs/heads/a", 0, 1)])),
        Command::Push(push(id, vec![command("refs/heads/a", 1, 2)])),
        Command::Push(push(id, vec![command("refs/heads/a", 1, 3)])),
        Command::DeleteRepository(id),
    ];
    let mut done = Vec::new();
    for step in steps {
        let request = world.request_id();
        let committed = world.request(slot, request, step.clone()).await;
        done.push((request, step, committed.expect("it commits").reply));
    }
    let before = world.refs(id).await;
    for (request, step, reply) in done {
        let retried = world.request(slot, request, step).await;
        assert_eq!(retried.expect("it commits").reply, reply);
    }
    assert_eq!(world.refs(id).await, before, "nothing is applied twice");
}

pub(super) async fn one_of_many_racing_pushes_wins(world: World) {
    let id = world.create().await;
    let full = "refs/heads/main";
    for old in [0, 1] {
        let racers = (0..RACERS).map(|racer| {
            let new = if old == 0 { 1 } else { 10 + racer };
            let mut racing = push(id, vec![command(full, old, new)]);
            racing.actor.0 = u64::from(racer);
            world.push(racing)
        });
        let pushed: Vec<Pushed> = join_all(racers).await;
        let winners: Vec<&Pushed> = pushed.iter().filter(|p| p.outcomes == [Updated]).collect();
        let now: Vec<ObjectId> = world
            .targets(id)
            .await
            .into_iter()
            .map(|(_, id)| id)
            .collect();
        assert_eq!(winners.len(), 1, "compare-and-swap from {old}");
        for (pushed, racer) in pushed.iter().zip(0..) {
            let won = pushed.outcomes == [Updated];
            let new = if old == 0 { 1 } else { 10 + racer };
            match won {
                true => assert_eq!(now, [object(new)]),
                false => assert_eq!(
                    pushed.outcomes,
                    [Stale {
                        actual: Some(now[0])
                    }]
                ),
            }
        }
        if old == 1 {
            return;
        }
    }
}

pub(super) async fn pushes_to_one_repository_lose_nothing(world: World) {
    let id = world.create().await;
    let before = world.refs(id).await.version;
    let pushes = (1..=RACERS).map(|racer| {
        let full = format!("refs/heads/r{racer}");
        let request = Command::Push(push(id, vec![command(&full, 0, racer)]));
        world.propose(id.slot(), request)
    });
    let mut versions: Vec<u64> = join_all(pushes)
        .await
        .into_iter()
        .map(|reply| match reply {
            Reply::Pushed(pushed) => pushed.version,
            other => panic!("a result of the push is expected, not {other:?}"),
        })
        .collect();
    versions.sort_unstable();
    let each: Vec<u64> = (1..=u64::from(RACERS)).map(|n| before + n).collect();
    assert_eq!(versions, each, "each push has a version of its own");
    assert_eq!(world.refs(id).await.refs.len(), usize::from(RACERS));
}
