use git_id::HashKind;
use storage_node_api::event::Kind;
use storage_node_api::order::{Answer, Command, Query, Refusal, Reply};
use storage_node_api::repository::State;
use storage_node_api::{DedupDomain, RepositoryId, Slot, Timestamp};

use crate::group::{DOMAIN, Group, SLOT, command, create, name, object, pack, push, repository};

#[test]
fn a_repository_is_created_once() {
    let mut group = Group::data();
    let id = repository(1);
    assert_eq!(group.ask(&Query::Repository(id)), Answer::Repository(None));
    assert_eq!(
        group.ask(&Query::Refs {
            repository: id,
            known: None
        }),
        Answer::Refs(None)
    );
    group.create(id);
    let made = group.repository(id).unwrap();
    assert_eq!((made.hash, made.domain), (HashKind::Sha1, DOMAIN));
    assert_eq!((made.version, made.packs, made.bytes), (1, 0, 0));
    assert_eq!(
        (made.state, made.changed),
        (State::Active, Timestamp(1_000))
    );
    group.time = 2_000;
    group.create(id);
    assert_eq!(group.repository(id).unwrap(), made, "again: no effect");
    assert_eq!(group.events(SLOT, 0).events.len(), 1);
    for other in [
        Command::CreateRepository {
            id,
            hash: HashKind::Sha256,
            head: name("refs/heads/main"),
            domain: DOMAIN,
        },
        Command::CreateRepository {
            id,
            hash: HashKind::Sha1,
            head: name("refs/heads/main"),
            domain: DedupDomain(2),
        },
    ] {
        assert_eq!(group.refused(other), Refusal::RepositoryExists(id));
    }
    group.check_hash();
}

#[test]
fn only_the_group_of_the_slot_takes_a_repository() {
    let mut cluster = Group::cluster();
    let mut fresh = Group::empty(storage_node_api::map::FIRST_DATA_GROUP);
    let mut other = Group::empty(storage_node_api::GroupId(17));
    other.done(Command::AdoptMap(crate::group::map(1)));
    for group in [&mut cluster, &mut fresh, &mut other] {
        assert_eq!(group.refused(create(repository(1))), Refusal::WrongGroup);
        group.check_hash();
    }
}

#[test]
fn a_fork_shares_packs_and_starts_with_the_same_refs() {
    let mut group = Group::data();
    let (from, id) = (repository(1), repository(2));
    group.create(from);
    let mut first = push(from, vec![command("refs/heads/main", 0, 1)]);
    first.pack = Some(pack(1));
    group.pushed(first);
    group.done(Command::ForkRepository { id, from });
    let (original, fork) = (
        group.repository(from).unwrap(),
        group.repository(id).unwrap(),
    );
    assert_eq!((fork.packs, fork.bytes), (1, 20));
    assert_eq!((fork.version, fork.events), (1, 1));
    assert_eq!(fork.head, original.head);
    assert_eq!(group.refs(id), group.refs(from));
    assert_eq!(group.packs(id), group.packs(from));
    group.done(Command::ForkRepository { id, from });
    assert_eq!(group.repository(id).unwrap(), fork, "again: no effect");
    assert_eq!(group.events(SLOT, 2).events[0].kind, Kind::Forked { from });
    assert_eq!(group.refused(create(id)), Refusal::RepositoryExists(id));
    let own = Command::ForkRepository { id: from, from };
    assert_eq!(group.refused(own), Refusal::RepositoryExists(from));

    // Each goes its own way.
    group.pushed(push(id, vec![command("refs/heads/main", 1, 2)]));
    assert_eq!(group.refs(from), [("refs/heads/main".into(), object(1))]);

    let mut far = id;
    far.0[..2].copy_from_slice(&7u16.to_be_bytes());
    let far_fork = Command::ForkRepository { id: far, from };
    assert_eq!(group.refused(far_fork), Refusal::OtherSlot(far));
    let nothing = Command::ForkRepository {
        id: repository(3),
        from: repository(4),
    };
    let refusal = Refusal::NoRepository(repository(4));
    assert_eq!(group.refused(nothing), refusal);
    group.check_hash();
}

#[test]
fn deleting_takes_a_seal_and_frees_what_no_fork_shares() {
    let mut group = Group::data();
    let (from, fork) = (repository(1), repository(2));
    group.create(from);
    for number in [1, 2] {
        let full = format!("refs/heads/b{number}");
        let mut next = push(from, vec![command(&full, 0, 1)]);
        next.pack = Some(pack(number));
        group.pushed(next);
        if number == 1 {
            group.done(Command::ForkRepository { id: fork, from });
        }
    }
    let delete = || Command::DeleteRepository(from);
    assert_eq!(group.refused(delete()), Refusal::NotSealed(from));
    group.done(Command::SealRepository(from));
    group.done(Command::SealRepository(from));
    assert_eq!(group.repository(from).unwrap().state, State::Sealed);
    assert_eq!(group.refs(from).len(), 2, "still readable");
    let sealed = Refusal::RepositorySealed(from);
    for write in [
        create(from),
        Command::SetHead {
            repository: from,
            head: name("refs/heads/x"),
        },
        Command::Push(push(from, vec![command("refs/heads/b1", 1, 0)])),
        Command::ForkRepository {
            id: repository(3),
            from,
        },
    ] {
        assert_eq!(group.refused(write), sealed);
    }
    group.done(delete());
    assert_eq!(group.repository(from), None);
    assert_eq!(group.refused(delete()), Refusal::NoRepository(from));
    for (seed, kept) in [("pack 1", true), ("index 1", true), ("pack 2", false)] {
        let blob = crate::group::blob(seed).id;
        assert_eq!(group.has_blob(SLOT, DOMAIN, blob), kept, "{seed}");
    }
    let kinds: Vec<Kind> = group
        .events(SLOT, 4)
        .events
        .into_iter()
        .map(|e| e.kind)
        .collect();
    assert_eq!(kinds, [Kind::Sealed, Kind::Deleted]);

    group.done(Command::SealRepository(fork));
    group.done(Command::DeleteRepository(fork));
    for family in [0x10, 0x11, 0x12, 0x13, 0x20, 0x21, 0x22] {
        assert_eq!(group.count(family), 0, "family {family:#04x} is empty");
    }
    group.check_hash();
}

#[test]
fn head_moves_and_counts_as_a_version() {
    let mut group = Group::data();
    let repository = repository(1);
    group.create(repository);
    let head = name("refs/heads/other");
    let set = |head| Command::SetHead { repository, head };
    group.done(set(head.clone()));
    group.done(set(head.clone()));
    let now = group.repository(repository).unwrap();
    assert_eq!((now.version, now.events, &now.head), (2, 2, &head));
    let refusal = Refusal::NotAReference(name("HEAD"));
    assert_eq!(group.refused(set(name("HEAD"))), refusal);
    let known = Some(2);
    assert_eq!(
        group.ask(&Query::Refs { repository, known }),
        Answer::Unchanged
    );
    assert_eq!(
        group.ask(&Query::Packs { repository, known }),
        Answer::Unchanged
    );
    group.check_hash();
}

#[test]
fn time_never_runs_backwards() {
    let mut group = Group::data();
    group.time = 5_000;
    group.create(repository(1));
    group.time = 4_000;
    group.create(repository(2));
    group.time = 6_000;
    group.create(repository(3));
    let times: Vec<u64> = group
        .events(SLOT, 0)
        .events
        .iter()
        .map(|e| e.time.0)
        .collect();
    assert_eq!(times, [5_000, 5_000, 6_000]);
}

#[test]
fn slots_have_feeds_and_keys_of_their_own() {
    let mut group = Group::data();
    let other = RepositoryId([0; 16]);
    group.create(repository(1));
    group.create(other);
    for (slot, id) in [(SLOT, repository(1)), (Slot(0), other)] {
        let events = group.events(slot, 0);
        assert_eq!((events.last, events.events.len()), (1, 1));
        assert_eq!(events.events[0].repository, id);
    }
    assert_eq!(group.run(create(other)), Reply::Done);
}
