use super::world::{World, command, create, name, push};
use crate::event::{Event, Kind};
use crate::order::Command;

pub(super) async fn events_come_in_order_and_from_a_cursor(world: World) {
    let repository = world.repository_id();
    let slot = repository.slot();
    // The slot may be others' too: a cursor from here on.
    let cursor = world.events(repository, 0).await.last;
    world.done(slot, create(repository)).await;
    let commands = vec![command("refs/heads/a", 0, 1), command("refs/heads/b", 7, 8)];
    let mut options = push(repository, commands.clone());
    options.options = vec!["ci.skip".into()];
    world.push(options).await;
    world
        .push(push(repository, vec![commands[1].clone()]))
        .await;
    let head = name("refs/heads/a");
    let set = Command::SetHead {
        repository,
        head: head.clone(),
    };
    world.done(slot, set).await;
    world.done(slot, Command::SealRepository(repository)).await;
    world
        .done(slot, Command::DeleteRepository(repository))
        .await;

    let feed = world.events(repository, cursor).await;
    let own: Vec<&Event> = feed
        .events
        .iter()
        .filter(|event| event.repository == repository)
        .collect();
    let kinds: Vec<&Kind> = own.iter().map(|event| &event.kind).collect();
    let pushed = Kind::Pushed {
        actor: crate::repository::Actor(1),
        changes: vec![commands[0].clone()],
        options: vec!["ci.skip".into()],
    };
    let moved = Kind::HeadMoved { to: head };
    assert_eq!(
        kinds,
        [
            &Kind::Created,
            &pushed,
            &moved,
            &Kind::Sealed,
            &Kind::Deleted
        ]
    );
    let numbers: Vec<u64> = own.iter().map(|event| event.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5], "its own count, without holes");
    assert!(own.windows(2).all(|pair| pair[0].time <= pair[1].time));
    for (event, sequence) in feed.events.iter().zip(cursor + 1..) {
        assert_eq!(event.sequence, sequence, "the slot's count, without holes");
    }
    let last = own.last().map_or(0, |event| event.sequence);
    let rest = world.events(repository, last).await;
    assert!(rest.events.iter().all(|event| event.sequence > last));
    assert!(rest.last >= last);
}

pub(super) async fn a_truncated_feed_shows_its_gap(world: World) {
    let repository = world.create().await;
    let slot = repository.slot();
    for number in 1..4 {
        let full = format!("refs/heads/{number}");
        world
            .push(push(repository, vec![command(&full, 0, 1)]))
            .await;
    }
    let last = world.events(repository, 0).await.last;
    let keep_from = last - 1;
    let truncate = Command::TruncateEvents { slot, keep_from };
    world.done(slot, truncate.clone()).await;
    world.done(slot, truncate).await;
    let feed = world.events(repository, 0).await;
    assert!(feed.first_kept >= keep_from, "the gap is told");
    assert_eq!(feed.events[0].sequence, feed.first_kept);
    let after = world.events(repository, keep_from).await;
    assert!(after.events.iter().all(|event| event.sequence > keep_from));
}
