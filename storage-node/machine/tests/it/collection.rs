//! The collector's clock, its barriers, and what stays listed until when.

use storage_node_api::map::{
    CLUSTER_GROUP, COLLECTION_VERSION, ClusterMap, FIRST_DATA_GROUP, POLICIES_VERSION,
};
use storage_node_api::order::{Answer, Command, Query, Refusal};
use storage_node_api::{BlobOwner, Generation, GroupId, MapEpoch, OwnerId};

use crate::group::{DOMAIN, Group, SLOT, blob, command, map, pack, push, repository};

const OWNER: BlobOwner = BlobOwner::Named(OwnerId([1; 16]));
const FIRST: Generation = Generation(2);
const SECOND: Generation = Generation(3);
const THIRD: Generation = Generation(4);

fn collecting() -> ClusterMap {
    let mut map = map(3);
    map.machine_version = COLLECTION_VERSION;
    map
}

fn data() -> Group {
    let mut group = Group::empty(FIRST_DATA_GROUP);
    group.done(Command::AdoptMap(collecting()));
    group
}

fn put(seed: &str, generation: Generation) -> Command {
    let mut blob = blob(seed);
    for receipt in &mut blob.certificate.receipts {
        receipt.generation = generation;
    }
    Command::PutBlob {
        slot: SLOT,
        blob,
        owner: OWNER,
        domain: DOMAIN,
    }
}

fn remove(seed: &str) -> Command {
    Command::RemoveOwner {
        slot: SLOT,
        blob: blob(seed).id,
        owner: OWNER,
    }
}

/// How many chunks are listed, with what was removed and without.
fn listed(group: &Group) -> (usize, usize) {
    let count = |removed| {
        let after = Vec::new();
        match group.ask(&Query::Listing { after, removed }) {
            Answer::Listing { chunks, next, .. } => {
                assert_eq!(next, None);
                chunks.len()
            }
            other => panic!("{other:?}"),
        }
    };
    (count(true), count(false))
}

fn forgets(group: &Group) -> bool {
    match group.ask(&Query::Cycle) {
        Answer::Cycle { forgets, .. } => forgets,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_removed_stays_listed_until_the_next_barrier_and_is_read_no_more() {
    let mut group = data();
    group.done(put("b", FIRST));
    group.done(put("c", FIRST));
    assert_eq!(listed(&group), (2, 2));
    group.done(remove("b"));
    assert!(!group.has_blob(SLOT, DOMAIN, blob("b").id));
    assert_eq!(listed(&group), (2, 1));
    // The barrier that is in force already changes nothing.
    group.done(Command::Barrier(FIRST));
    assert_eq!(listed(&group), (2, 1));
    group.done(Command::Barrier(SECOND));
    assert_eq!(listed(&group), (1, 1));
    assert!(!forgets(&group));
    assert_eq!(group.count(0x20) + group.count(0x21), 2);
    assert_eq!(group.count(0x23), 0);
    group.check_hash();
}

#[test]
fn a_barrier_forgets_a_bounded_number_and_the_next_entry_goes_on() {
    let mut group = data();
    let seeds: Vec<String> = (0..100).map(|number| format!("b{number}")).collect();
    for seed in &seeds {
        group.done(put(seed, FIRST));
        group.done(remove(seed));
    }
    assert_eq!(listed(&group), (100, 0));
    group.done(Command::Barrier(SECOND));
    assert_eq!(listed(&group), (0, 0), "none of them is listed");
    assert!(forgets(&group));
    group.done(Command::Barrier(SECOND));
    assert!(!forgets(&group));
    assert_eq!(group.count(0x20) + group.count(0x23), 0);
    group.check_hash();
}

#[test]
fn what_was_removed_takes_a_new_certificate_to_come_back() {
    let mut group = data();
    group.done(put("b", FIRST));
    group.done(remove("b"));
    let mut bare = put("b", FIRST);
    if let Command::PutBlob { blob, .. } = &mut bare {
        blob.certificate = Default::default();
    }
    let refusal = group.refused(bare);
    assert!(matches!(refusal, Refusal::NotDurable { .. }), "{refusal:?}");
    group.done(put("b", FIRST));
    assert!(group.has_blob(SLOT, DOMAIN, blob("b").id));
    assert_eq!((listed(&group), group.count(0x23)), ((1, 1), 0));
    // Removed again in a later generation, it stays for that one.
    group.done(Command::Barrier(SECOND));
    assert_eq!(listed(&group), (1, 1));
    group.done(remove("b"));
    group.done(Command::Barrier(SECOND));
    assert_eq!(listed(&group), (1, 0));
    group.done(Command::Barrier(THIRD));
    assert_eq!(listed(&group), (0, 0));
    group.check_hash();
}

#[test]
fn a_session_from_before_the_barrier_is_refused_and_a_renewed_one_passes() {
    let mut group = data();
    group.done(Command::Barrier(SECOND));
    assert_eq!(group.refused(put("b", FIRST)), Refusal::SessionExpired);
    assert_eq!(listed(&group), (0, 0));
    group.done(put("b", SECOND));
}

#[test]
fn a_fork_keeps_what_its_original_loses() {
    let mut group = data();
    let (original, fork) = (repository(1), repository(2));
    group.create(original);
    let mut first = push(original, vec![command("refs/heads/a", 0, 1)]);
    first.pack = Some(pack(1));
    group.pushed(first);
    group.done(Command::ForkRepository {
        id: fork,
        from: original,
    });
    group.done(Command::SealRepository(original));
    group.done(Command::DeleteRepository(original));
    group.done(Command::Barrier(SECOND));
    assert_eq!(listed(&group), (2, 2), "pack and index");
    group.done(Command::SealRepository(fork));
    group.done(Command::DeleteRepository(fork));
    assert_eq!(listed(&group), (2, 0));
    group.done(Command::Barrier(THIRD));
    assert_eq!(listed(&group), (0, 0));
    group.check_hash();
}

#[test]
fn before_every_replica_knows_it_nothing_is_kept_for_the_collector() {
    let mut group = Group::data();
    group.done(put("b", FIRST));
    group.done(remove("b"));
    assert_eq!((listed(&group), group.count(0x20)), ((0, 0), 0));
}

#[test]
fn the_clock_advances_once_for_who_has_seen_it_and_only_after_all_barriers() {
    let mut group = Group::cluster();
    let mut early = collecting();
    early.machine_version = POLICIES_VERSION;
    early.groups = ClusterMap::divide_slots(2);
    group.done(Command::Found(early));
    let advance = |seen| Command::Advance { seen };
    let needed = COLLECTION_VERSION;
    let actual = POLICIES_VERSION;
    let refusal = Refusal::TooEarly { needed, actual };
    assert_eq!(group.refused(advance(FIRST)), refusal);
    group.done(Command::RaiseMachineVersion(COLLECTION_VERSION));
    let second = GroupId(FIRST_DATA_GROUP.0 + 1);
    let passed = |group, generation| Command::BarrierPassed { group, generation };
    for outstanding in [FIRST_DATA_GROUP, second] {
        let refusal = Refusal::BarrierOutstanding {
            group: outstanding,
            generation: FIRST,
        };
        assert_eq!(group.refused(advance(FIRST)), refusal);
        group.done(passed(outstanding, FIRST));
    }
    let actual = FIRST;
    let seen = SECOND;
    let moved = Refusal::GenerationMoved { seen, actual };
    assert_eq!(group.refused(passed(second, SECOND)), moved);
    assert_eq!(group.refused(advance(SECOND)), moved);
    group.done(advance(FIRST));
    let (seen, actual) = (FIRST, SECOND);
    let moved = Refusal::GenerationMoved { seen, actual };
    assert_eq!(group.refused(advance(FIRST)), moved);
    let Answer::Map(Some(map)) = group.ask(&Query::Map) else {
        panic!("no map");
    };
    assert_eq!((map.generation, map.epoch), (SECOND, MapEpoch(7)));
    // What a group of another map says is not kept.
    group.done(passed(GroupId(99), SECOND));
    group.done(passed(second, FIRST));
    let Answer::Cycle { cycle, .. } = group.ask(&Query::Cycle) else {
        panic!("no cycle");
    };
    assert_eq!(
        cycle.passed,
        [(FIRST_DATA_GROUP, FIRST), (second, FIRST)],
        "as of group {CLUSTER_GROUP}"
    );
    group.check_hash();
}

#[test]
fn only_the_cluster_group_has_the_clock() {
    let mut group = data();
    let refusal = Refusal::WrongGroup;
    assert_eq!(group.refused(Command::Advance { seen: FIRST }), refusal);
    let passed = Command::BarrierPassed {
        group: FIRST_DATA_GROUP,
        generation: FIRST,
    };
    assert_eq!(group.refused(passed), refusal);
}
