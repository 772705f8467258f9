//! Holds, and what a restore may write.

use std::fmt::Write as _;

use storage_node_api::backup::{FeedBounds, Hold, NumberedPack, RepositoryCopy, Restore, SlotSpan};
use storage_node_api::limits::MAX_HOLD;
use storage_node_api::order::{Answer, Command, Query, Refusal, Reply};
use storage_node_api::repository::State;
use storage_node_api::{BlobOwner, Generation, OwnerId, Slot, Timestamp};

use crate::group::{Group, SLOT, blob, command, create, pack, push, repository};

const ME: OwnerId = OwnerId([1; 16]);
const OTHER: OwnerId = OwnerId([2; 16]);
const ALL: SlotSpan = SlotSpan {
    first: Slot(0),
    last: Slot(1023),
};

fn hold(holder: OwnerId, until: u64) -> Command {
    let until = Timestamp(until);
    Command::Hold { holder, until }
}

fn held(group: &Group) -> Option<Hold> {
    match group.ask(&Query::Hold) {
        Answer::Hold(hold) => hold,
        other => panic!("{other:?}"),
    }
}

fn copy(group: &Group, number: u8) -> RepositoryCopy {
    match group.ask(&Query::RepositoryCopy(repository(number))) {
        Answer::RepositoryCopy(Some(copy)) => *copy,
        other => panic!("{other:?}"),
    }
}

fn with_a_pack(group: &mut Group, number: u8) {
    group.create(repository(number));
    let mut first = push(repository(number), vec![command("refs/heads/main", 0, 1)]);
    first.pack = Some(pack(number));
    group.pushed(first);
}

#[test]
fn a_hold_lasts_until_its_time_and_each_has_a_number() {
    let mut group = Group::data();
    assert_eq!(held(&group), None);
    group.done(hold(ME, 2_000));
    let first = held(&group).unwrap();
    assert_eq!(
        (first.holder, first.fence, first.until),
        (ME, 1, Timestamp(2_000))
    );
    let refusal = group.refused(hold(OTHER, 3_000));
    assert_eq!(
        refusal,
        Refusal::Held {
            until: Timestamp(2_000)
        }
    );
    group.done(hold(ME, 3_000));
    assert_eq!(held(&group).unwrap().fence, 1, "longer, not another");
    group.time = 3_000;
    group.done(hold(ME, 4_000));
    assert_eq!(held(&group).unwrap().fence, 2, "it had ended in between");
    group.done(Command::Release(OTHER));
    assert!(held(&group).is_some());
    group.done(Command::Release(ME));
    assert_eq!(held(&group), None);
    group.done(hold(OTHER, u64::MAX));
    let longest = 3_000 + u64::try_from(MAX_HOLD.as_millis()).unwrap();
    let last = held(&group).unwrap();
    assert_eq!((last.fence, last.until), (3, Timestamp(longest)));
    group.check_hash();
    let mut cluster = Group::cluster();
    assert_eq!(cluster.refused(hold(ME, 2_000)), Refusal::WrongGroup);
}

#[test]
fn while_it_is_held_a_group_takes_no_owner_from_a_blob() {
    let mut group = Group::data();
    with_a_pack(&mut group, 1);
    group.create(repository(2));
    group.done(Command::SealRepository(repository(2)));
    let owner = BlobOwner::Named(OTHER);
    let put = blob("named");
    let id = put.id;
    group.done(Command::PutBlob {
        slot: SLOT,
        blob: put,
        owner,
        domain: crate::group::DOMAIN,
    });
    let losses = [
        Command::SealRepository(repository(1)),
        Command::DeleteRepository(repository(2)),
        Command::RemoveOwner {
            slot: SLOT,
            blob: id,
            owner,
        },
    ];
    group.done(hold(ME, 2_000));
    for command in &losses {
        let refusal = group.refused(command.clone());
        assert_eq!(
            refusal,
            Refusal::Held {
                until: Timestamp(2_000)
            },
            "{command:?}"
        );
    }
    group.pushed(push(repository(1), vec![command("refs/heads/b", 0, 2)]));
    group.create(repository(3));
    group.time = 2_000;
    for command in losses {
        group.done(command);
    }
    group.check_hash();
}

#[test]
fn a_repository_comes_back_in_parts_each_of_which_may_be_repeated() {
    let mut group = Group::data();
    with_a_pack(&mut group, 1);
    let whole = copy(&group, 1);
    let id = repository(1);
    let mut other = Group::data();
    let begin = || {
        Command::Restore(Restore::Repository {
            repository: whole.repository.clone(),
            hidden: whole.hidden,
        })
    };
    let packs = || {
        Command::Restore(Restore::Packs {
            repository: id,
            packs: whole.packs.clone(),
        })
    };
    let refs = || {
        Command::Restore(Restore::Refs {
            repository: id,
            refs: whole.refs.clone(),
        })
    };
    let finish = || {
        Command::Restore(Restore::Finish {
            repository: id,
            state: State::Active,
            refs: 1,
            packs: 1,
        })
    };
    assert_eq!(other.refused(refs()), Refusal::NoRepository(id));
    other.done(begin());
    other.done(begin());
    let missing = whole.packs[0].pack.pack;
    assert_eq!(other.refused(packs()), Refusal::NoBlob(missing));
    for blob in [pack(1).pack, pack(1).index] {
        other.done(Command::PutBlob {
            slot: SLOT,
            blob,
            owner: BlobOwner::Named(ME),
            domain: crate::group::DOMAIN,
        });
    }
    other.done(packs());
    other.done(packs());
    let incomplete = Refusal::NotRestored {
        repository: id,
        refs: 0,
        packs: 1,
    };
    assert_eq!(other.refused(finish()), incomplete);
    let early = push(id, vec![command("refs/heads/x", 0, 2)]);
    let refusal = other.refused(Command::Push(early));
    assert_eq!(refusal, Refusal::RepositoryExists(id), "nobody else writes");
    other.done(refs());
    other.done(finish());
    assert_eq!(copy(&other, 1), whole);
    for late in [begin(), refs(), packs(), finish()] {
        let refusal = other.refused(late);
        let known = [Refusal::NotRestoring(id), Refusal::RepositoryExists(id)];
        assert!(known.contains(&refusal), "{refusal:?}");
    }
    other.pushed(push(id, vec![command("refs/heads/main", 1, 2)]));
    other.check_hash();
}

#[test]
fn a_feed_that_has_begun_is_not_restored_over() {
    let mut group = Group::data();
    with_a_pack(&mut group, 1);
    let events = group.events(SLOT, 0).events;
    let bounds = FeedBounds {
        slot: SLOT,
        first_kept: 1,
        last: 2,
    };
    let part = |events| Command::Restore(Restore::Events(events));
    let mut other = Group::data();
    other.done(part(events.clone()));
    other.done(part(events.clone()));
    other.done(Command::Restore(Restore::Feed(bounds)));
    other.done(Command::Restore(Restore::Feed(bounds)));
    assert_eq!(other.events(SLOT, 0).events, events);
    assert_eq!(other.ask(&Query::Feeds(ALL)), Answer::Feeds(vec![bounds]));
    assert_eq!(other.refused(part(events)), Refusal::FeedBegun(SLOT));
    other.create(repository(4));
    assert_eq!(other.events(SLOT, 2).events[0].sequence, 3);
    let late = Command::Restore(Restore::Feed(bounds));
    assert_eq!(other.refused(late), Refusal::FeedBegun(SLOT));
}

#[test]
fn listings_show_the_slots_that_were_asked_for() {
    let mut group = Group::data();
    let mut ids: Vec<_> = (1..5).map(repository).collect();
    for id in &ids {
        group.run(create(*id));
    }
    ids.sort();
    let ask = |slots, after| group.ask(&Query::Repositories { slots, after });
    assert_eq!(ask(ALL, None), Answer::Repositories(ids.clone()));
    let rest = Answer::Repositories(ids[2..].to_vec());
    assert_eq!(ask(ALL, Some(ids[1])), rest);
    let after_it = SlotSpan {
        first: Slot(SLOT.0 + 1),
        last: Slot(u16::MAX),
    };
    assert_eq!(ask(after_it, None), Answer::Repositories(Vec::new()));
}

#[test]
fn the_generation_rises_in_the_cluster_group_alone() {
    let mut cluster = Group::cluster();
    cluster.done(Command::Found(crate::group::map(1)));
    let raise = |to| Command::Restore(Restore::Generation(Generation(to)));
    let generation = |group: &Group| match group.ask(&Query::Map) {
        Answer::Map(Some(map)) => (map.generation.0, map.epoch.0),
        other => panic!("{other:?}"),
    };
    let (_, epoch) = generation(&cluster);
    cluster.done(raise(900));
    assert_eq!(generation(&cluster), (900, epoch + 1));
    cluster.done(raise(5));
    assert_eq!(generation(&cluster), (900, epoch + 1), "never back");
    assert_eq!(Group::data().refused(raise(5)), Refusal::WrongGroup);
}

/// What earlier releases wrote, this and later ones read.
#[test]
fn entries_are_as_they_were_written() {
    let commands = [
        hold(ME, 300),
        Command::Release(ME),
        Command::Restore(Restore::Generation(Generation(9))),
        Command::Restore(Restore::Feed(FeedBounds {
            slot: SLOT,
            first_kept: 1,
            last: 2,
        })),
        Command::Restore(Restore::Packs {
            repository: repository(1),
            packs: Vec::<NumberedPack>::new(),
        }),
        Command::Restore(Restore::Finish {
            repository: repository(1),
            state: State::Restoring,
            refs: 3,
            packs: 4,
        }),
    ];
    let mut text = String::new();
    for command in commands {
        let request = storage_node_api::order::Request {
            id: storage_node_api::RequestId([0; 16]),
            time: Timestamp(1),
            command,
        };
        let entry = storage_node_machine::encode_request(&request).unwrap();
        for byte in &entry[18..] {
            write!(text, "{byte:02x}").unwrap();
        }
        text.push('\n');
    }
    assert_eq!(text, include_str!("../../golden/backups.txt"), "{text}");
    let held = Reply::Refused(Refusal::Held {
        until: Timestamp(1),
    });
    assert_eq!(storage_node_machine::encode_reply(&held)[..], [1, 3, 27, 1]);
}
