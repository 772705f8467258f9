//! Slots go from one group to another: everything of them, once, and nobody answers for them twice.

use storage_node_api::map::{
    ClusterMap, FIRST_DATA_GROUP, Phase, SLOTS_VERSION, SlotsChange, SlotsError,
};
use storage_node_api::order::{Answer, Command, Query, Refusal, Reply};
use storage_node_api::slots::{Borders, Import, SlotPage};
use storage_node_api::{Generation, GroupId, MapEpoch, RepositoryId, RequestId, Slot};

use crate::blobs::{owner, put, remove};
use crate::group::{DOMAIN, Group, SLOT, blob, command, map, name, push, repository};

const TO: GroupId = GroupId(FIRST_DATA_GROUP.0 + 1);

/// The giver with two repositories, one of a slot that moves and one of a slot that stays, the
/// receiver, and the map when slots 0 to 63 are on their way.
struct Move {
    from: Group,
    to: Group,
    map: ClusterMap,
}

fn staying() -> RepositoryId {
    let mut id = [7; 16];
    id[..2].copy_from_slice(&900_u16.to_be_bytes());
    RepositoryId(id)
}

fn step(map: &mut ClusterMap, change: &SlotsChange) {
    *map = map.moved(change).unwrap();
}

impl Move {
    fn begin() -> Self {
        let mut map = map(3);
        map.machine_version = SLOTS_VERSION;
        let mut from = Group::empty(FIRST_DATA_GROUP);
        from.done(Command::AdoptMap(map.clone()));
        for id in [repository(1), staying()] {
            from.create(id);
            for batch in 0..4 {
                let name = |n| format!("refs/heads/b{}", batch * 300 + n);
                let names = (0..300).map(|n| command(&name(n), 0, 1));
                from.pushed(push(id, names.collect()));
            }
        }
        for seed in ["kept", "removed"] {
            from.done(put(blob(seed), owner(1)));
        }
        from.done(remove("removed", owner(1)));
        let mut to = Group::empty(TO);
        step(&mut map, &SlotsChange::Divide(2));
        step(&mut map, &SlotsChange::Up(TO));
        let (first, last) = (Slot(0), Slot(63));
        step(
            &mut map,
            &SlotsChange::Move {
                first,
                last,
                to: TO,
            },
        );
        step(&mut map, &SlotsChange::Begin(0));
        assert_eq!(map.moves.moving.unwrap().last, Slot(63));
        assert_eq!(from.ask(&page(Vec::new())), Answer::SlotPage(None));
        for group in [&mut from, &mut to] {
            group.done(Command::AdoptMap(map.clone()));
        }
        Self { from, to, map }
    }

    fn page(&self, after: Vec<u8>) -> SlotPage {
        match self.from.ask(&page(after)) {
            Answer::SlotPage(Some(page)) => *page,
            other => panic!("{other:?}"),
        }
    }

    /// Copies everything; how many pages it took.
    fn copy(&mut self) -> u64 {
        let (mut after, mut part) = (Some(Vec::new()), 0);
        while let Some(from) = after {
            let page = self.page(from);
            after = page.next.clone();
            self.to.done(import(part, page));
            part += 1;
        }
        part
    }

    fn adopt(&mut self, change: &SlotsChange) {
        step(&mut self.map, change);
        for group in [&mut self.from, &mut self.to] {
            group.done(Command::AdoptMap(self.map.clone()));
        }
    }
}

fn page(after: Vec<u8>) -> Query {
    Query::SlotPage { number: 1, after }
}

fn import(part: u64, page: SlotPage) -> Command {
    let number = 1;
    Command::Import(Box::new(Import { number, part, page }))
}

fn borders(group: &Group) -> Borders {
    match group.ask(&Query::Borders) {
        Answer::Borders(borders) => borders,
        other => panic!("{other:?}"),
    }
}

fn everything(group: &Group, id: RepositoryId) -> Vec<Answer> {
    let known = None;
    let (slot, repository) = (id.slot(), id);
    let queries = [
        Query::Repository(id),
        Query::Refs { repository, known },
        Query::Packs { repository, known },
        Query::Events {
            slot,
            after: 0,
            limit: 1000,
        },
        Query::RepositoryCopy(id),
    ];
    queries.iter().map(|query| group.ask(query)).collect()
}

#[test]
fn a_slot_moves_with_everything_and_one_group_answers_for_it_at_a_time() {
    let mut world = Move::begin();
    let (id, known) = (repository(1), None);
    let refs = Query::Refs {
        repository: id,
        known,
    };
    let before = everything(&world.from, id);
    // While it is copied the giver answers and nobody writes; what stays goes on.
    let another = push(id, vec![command("refs/heads/x", 0, 1)]);
    let refused = world.from.refused(Command::Push(another.clone()));
    assert_eq!(refused, Refusal::Moving);
    world
        .from
        .pushed(push(staying(), vec![command("refs/heads/x", 0, 1)]));
    assert_eq!(world.to.ask(&refs), Answer::Elsewhere);
    assert!(world.copy() > 1);
    assert_eq!(world.to.ask(&refs), Answer::Elsewhere);
    assert_eq!(everything(&world.from, id), before);
    // While it closes nobody answers.
    world.adopt(&SlotsChange::Copied(1));
    for group in [&world.from, &world.to] {
        assert_eq!(group.ask(&refs), Answer::Elsewhere);
    }
    assert_eq!(
        world.from.refused(Command::Push(another.clone())),
        Refusal::Moving
    );
    // Then it is the receiver's.
    world.adopt(&SlotsChange::Closed(1));
    assert_eq!(everything(&world.to, id), before);
    assert!(world.to.has_blob(SLOT, DOMAIN, blob("kept").id));
    assert_eq!(world.from.ask(&refs), Answer::Elsewhere);
    assert_eq!(
        world.from.refused(Command::Push(another.clone())),
        Refusal::WrongGroup
    );
    world.to.pushed(another);
    // Event numbers go on where they were.
    let events = world.to.events(SLOT, 0);
    let numbers: Vec<u64> = events.events.iter().map(|event| event.sequence).collect();
    assert_eq!(numbers, (1..=events.last).collect::<Vec<_>>());
    // The giver forgets it, and nothing else.
    while !borders(&world.from).leftover.is_empty() {
        world.from.done(Command::ForgetSlots);
    }
    for (family, left) in [(0x10, 1), (0x11, 1201), (0x20, 0), (0x23, 0), (0x30, 1)] {
        assert_eq!(world.from.count(family), left, "{family:x}");
    }
    assert_eq!(world.from.refs(staying()).len(), 1201);
    for group in [&world.from, &world.to] {
        group.check_hash();
    }
}

#[test]
fn a_retry_after_the_move_answers_what_was_answered_before_it() {
    let mut world = Move::begin();
    let (id, request) = (repository(1), RequestId([9; 16]));
    // Answered before the move; and refused because of it, which is no answer.
    let set = Command::SetHead {
        repository: staying(),
        head: name("refs/heads/b1"),
    };
    assert_eq!(world.from.request(request, set.clone()), Reply::Done);
    let moving = RequestId([8; 16]);
    let head = Command::SetHead {
        repository: id,
        head: name("refs/heads/b2"),
    };
    let refused = Reply::Refused(Refusal::Moving);
    assert_eq!(world.from.request(moving, head.clone()), refused);
    world.copy();
    world.adopt(&SlotsChange::Copied(1));
    world.adopt(&SlotsChange::Closed(1));
    assert_eq!(world.to.request(request, set), Reply::Done);
    assert_eq!(world.to.request(moving, head), Reply::Done);
}

#[test]
fn pages_come_once_in_their_order_and_only_for_the_move_that_is_under_way() {
    let mut world = Move::begin();
    let first = world.page(Vec::new());
    let second = world.page(first.next.clone().unwrap());
    assert_eq!(
        world.to.refused(import(1, second.clone())),
        Refusal::NotImporting
    );
    world.to.done(import(0, first.clone()));
    let state = world.to.state.len();
    world.to.done(import(0, second.clone()));
    assert_eq!(world.to.state.len(), state, "a page again changes nothing");
    // Not into a group that does not receive, not under another number, not of another slot.
    assert_eq!(
        world.from.refused(import(0, first.clone())),
        Refusal::NotImporting
    );
    let other = Import {
        number: 2,
        part: 1,
        page: second.clone(),
    };
    assert_eq!(
        world.to.refused(Command::Import(Box::new(other))),
        Refusal::NotImporting
    );
    let mut strange = second.clone();
    strange.pairs[0].0[2] = 200;
    assert_eq!(world.to.refused(import(1, strange)), Refusal::NotImporting);
    world.to.done(import(1, second));
    world.to.check_hash();
}

#[test]
fn what_comes_back_does_not_mix_with_what_was_left() {
    let mut world = Move::begin();
    world.copy();
    world.adopt(&SlotsChange::Copied(1));
    world.adopt(&SlotsChange::Closed(1));
    world
        .to
        .pushed(push(repository(1), vec![command("refs/heads/b7", 1, 0)]));
    let (first, last) = (Slot(0), Slot(62));
    world.adopt(&SlotsChange::Move {
        first,
        last,
        to: FIRST_DATA_GROUP,
    });
    world.adopt(&SlotsChange::Begin(1));
    assert_eq!(world.map.moves.moving.unwrap().phase, Phase::Copying);
    let asked = Query::SlotPage {
        number: 2,
        after: Vec::new(),
    };
    let Answer::SlotPage(Some(page)) = world.to.ask(&asked) else {
        panic!()
    };
    let back = Command::Import(Box::new(Import {
        number: 2,
        part: 0,
        page: *page,
    }));
    // Not before the giver of then has forgotten what it had.
    assert_eq!(world.from.refused(back.clone()), Refusal::NotImporting);
    while !borders(&world.from).leftover.is_empty() {
        world.from.done(Command::ForgetSlots);
    }
    world.from.done(back);
    assert!(borders(&world.from).received.is_some());
}

#[test]
fn the_receiver_is_at_no_earlier_generation_and_removed_manifests_stay_listed() {
    let mut world = Move::begin();
    world.copy();
    world.adopt(&SlotsChange::Copied(1));
    world.adopt(&SlotsChange::Closed(1));
    assert_eq!(listed(&world.to), (Generation(2), 2));
    let mut world = Move::begin();
    // The giver is a barrier ahead: it lists what was removed before no more, and so does who gets it.
    world.from.done(Command::Barrier(Generation(3)));
    assert_eq!(listed(&world.from).0, Generation(3));
    world.copy();
    assert_eq!(listed(&world.to), (Generation(3), 1));
    // What is on its way is not forgotten in the middle; what has arrived is.
    assert_eq!((world.from.count(0x23), world.to.count(0x23)), (1, 1));
    world.adopt(&SlotsChange::Copied(1));
    world.adopt(&SlotsChange::Closed(1));
    world.to.done(Command::Barrier(Generation(3)));
    assert_eq!(world.to.count(0x23), 0);
    world.to.check_hash();
}

/// At which generation a group lists, and how many chunks.
fn listed(group: &Group) -> (Generation, usize) {
    let (after, removed) = (Vec::new(), true);
    match group.ask(&Query::Listing { after, removed }) {
        Answer::Listing {
            generation, chunks, ..
        } => (generation, chunks.len()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_cluster_group_divides_once_for_a_map_and_says_why_not() {
    let mut cluster = Group::cluster();
    let mut first = map(3);
    first.machine_version = SLOTS_VERSION - 1;
    cluster.done(Command::Found(first.clone()));
    let change = |seen: MapEpoch, change| Command::ChangeSlots { seen, change };
    let early = cluster.refused(change(first.epoch, SlotsChange::Divide(2)));
    assert!(
        matches!(
            early,
            Refusal::TooEarly {
                needed: SLOTS_VERSION,
                ..
            }
        ),
        "{early}"
    );
    cluster.done(Command::RaiseMachineVersion(SLOTS_VERSION));
    let seen = MapEpoch(first.epoch.0 + 1);
    cluster.done(change(seen, SlotsChange::Divide(4)));
    let second = cluster.refused(change(seen, SlotsChange::Divide(8)));
    assert!(matches!(second, Refusal::MapChanged { .. }), "{second}");
    let fewer = cluster.refused(change(MapEpoch(seen.0 + 1), SlotsChange::Divide(1)));
    assert_eq!(fewer, Refusal::Slots(SlotsError::BadCount { now: 4 }));
    // Who leads a group tells of its steps, whatever map it has seen.
    cluster.done(change(MapEpoch(0), SlotsChange::Up(TO)));
    let past = cluster.refused(change(MapEpoch(0), SlotsChange::Copied(1)));
    assert_eq!(past, Refusal::Slots(SlotsError::Past));
    cluster.check_hash();
    let mut data = Group::data();
    let elsewhere = data.refused(change(seen, SlotsChange::Divide(2)));
    assert_eq!(elsewhere, Refusal::WrongGroup);
}
