use storage_node_api::Slot;
use storage_node_api::event::Event;
use storage_node_api::limits::{EVENT_PAGE, EVENT_PAGE_BYTES, MAX_SLOT_EVENTS};
use storage_node_api::order::{Answer, Command, Query, Refusal};

use crate::group::{Group, SLOT, command, name, push, repository};

fn sequences(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.sequence).collect()
}

fn page(group: &Group, after: u64, limit: u32) -> (Vec<u64>, u64, u64) {
    let slot = SLOT;
    match group.ask(&Query::Events { slot, after, limit }) {
        Answer::Events(events) => (sequences(&events.events), events.first_kept, events.last),
        other => panic!("{other:?}"),
    }
}

fn truncate(slot: Slot, keep_from: u64) -> Command {
    Command::TruncateEvents { slot, keep_from }
}

/// A group whose feed has this many events.
fn group_with(events: u64) -> Group {
    let mut group = Group::data();
    group.create(repository(1));
    for number in 1..events {
        let head = name(if number % 2 == 0 {
            "refs/heads/a"
        } else {
            "refs/heads/b"
        });
        let repository = repository(1);
        group.done(Command::SetHead { repository, head });
    }
    group
}

#[test]
fn a_consumer_reads_on_from_its_cursor() {
    let group = group_with(5);
    assert_eq!(page(&group, 0, 2), (vec![1, 2], 1, 5));
    assert_eq!(page(&group, 2, 9), (vec![3, 4, 5], 1, 5));
    assert_eq!(page(&group, 5, 9), (vec![], 1, 5));
    assert_eq!(page(&group, 99, 9), (vec![], 1, 5));
    assert_eq!(page(&group, u64::MAX, u32::MAX), (vec![], 1, 5));
    assert_eq!(page(&group, 0, 0), (vec![], 1, 5));
    let empty = group.events(Slot(9), 0);
    assert_eq!(
        (empty.events.len(), empty.first_kept, empty.last),
        (0, 1, 0)
    );
    let numbers: Vec<u64> = group
        .events(SLOT, 0)
        .events
        .iter()
        .map(|e| e.number)
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
}

#[test]
fn truncation_leaves_a_visible_gap() {
    let mut group = group_with(5);
    group.done(truncate(SLOT, 3));
    assert_eq!(page(&group, 0, 9), (vec![3, 4, 5], 3, 5));
    group.done(truncate(SLOT, 2));
    assert_eq!(page(&group, 0, 9), (vec![3, 4, 5], 3, 5));
    group.done(truncate(SLOT, u64::MAX));
    assert_eq!(page(&group, 0, 9), (vec![], 6, 5));
    group.done(Command::SealRepository(repository(1)));
    assert_eq!(page(&group, 0, 9), (vec![6], 6, 6));
    group.done(truncate(Slot(9), 4));
    assert_eq!(group.refused(truncate(Slot(1024), 4)), Refusal::WrongGroup);
    group.check_hash();
}

#[test]
fn the_oldest_events_go_when_a_feed_is_full() {
    let mut group = group_with(MAX_SLOT_EVENTS);
    assert_eq!(group.events(SLOT, 0).first_kept, 1);
    group.done(Command::SealRepository(repository(1)));
    let events = group.events(SLOT, 0);
    assert_eq!((events.first_kept, events.last), (2, MAX_SLOT_EVENTS + 1));
    assert_eq!(group.count(0x31) as u64, MAX_SLOT_EVENTS);
    assert_eq!(events.events.len(), usize::try_from(EVENT_PAGE).unwrap());
    group.check_hash();
}

#[test]
fn a_page_is_bounded_in_bytes() {
    let mut group = Group::data();
    group.create(repository(1));
    let long = "x".repeat(900);
    for number in 0..100 {
        let commands = (0..50)
            .map(|other| command(&format!("refs/heads/{long}/{number}-{other}"), 0, 1))
            .collect();
        group.pushed(push(repository(1), commands));
    }
    let (mut after, mut pages) = (0, 0);
    loop {
        let events = group.events(SLOT, after);
        let Some(last) = events.events.last() else {
            break;
        };
        let bytes: usize = events.events.iter().map(|_| 50 * 900).sum();
        assert!(bytes <= EVENT_PAGE_BYTES);
        assert_eq!(events.events[0].sequence, after + 1);
        (after, pages) = (last.sequence, pages + 1);
    }
    assert_eq!((after, pages), (101, 3));
}
