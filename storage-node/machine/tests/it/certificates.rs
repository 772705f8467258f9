use storage_node_api::blob::{Chunks, StoredBlob};
use storage_node_api::content::{Receipt, Run};
use storage_node_api::map::{
    Assigned, ClusterMap, Copies, FailureDomain, NamedPolicy, POLICIES_VERSION, Policy, RegionShare,
};
use storage_node_api::order::{Command, Refusal, Reply};
use storage_node_api::{
    BlobOwner, DedupDomain, Generation, Incarnation, MapEpoch, NodeId, OwnerId,
};

use crate::group::{DOMAIN, Group, SLOT, blob, chunk, map, receipt};

/// What is special, the certificate, and what comes of it.
type Case = (&'static str, Vec<Receipt>, Vec<Run>, Option<Refusal>);

fn put(blob: StoredBlob) -> Command {
    Command::PutBlob {
        slot: SLOT,
        blob,
        owner: BlobOwner::Named(OwnerId([1; 16])),
        domain: DOMAIN,
    }
}

fn certified(receipts: Vec<Receipt>, runs: Vec<Run>) -> Command {
    let mut blob = blob("b");
    blob.certificate.receipts = receipts;
    blob.certificate.runs = runs;
    put(blob)
}

fn run(chunks: u32, holders: &[u16]) -> Run {
    Run {
        chunks,
        holders: holders.to_vec(),
    }
}

fn short(chunk: u32, domains: u32, needed: u32) -> Refusal {
    Refusal::NotDurable {
        chunk,
        domains,
        needed,
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn a_chunk_needs_a_quorum_of_receipts_that_count() {
    let with = |change: fn(&mut Receipt)| {
        let mut receipts = vec![receipt(1), receipt(2)];
        change(&mut receipts[1]);
        receipts
    };
    let both = vec![run(1, &[0, 1])];
    let expired = Some(Refusal::SessionExpired);
    let cases: Vec<Case> = vec![
        ("two of three", with(|_| {}), both.clone(), None),
        ("nothing", vec![], vec![], Some(short(0, 0, 2))),
        (
            "no holder",
            with(|_| {}),
            vec![run(1, &[])],
            Some(short(0, 0, 2)),
        ),
        (
            "one",
            with(|_| {}),
            vec![run(1, &[0])],
            Some(short(0, 1, 2)),
        ),
        (
            "one twice",
            with(|_| {}),
            vec![run(1, &[0, 0])],
            Some(short(0, 1, 2)),
        ),
        (
            "no such receipt",
            with(|_| {}),
            vec![run(1, &[0, 9])],
            Some(short(0, 1, 2)),
        ),
        (
            "an empty run",
            with(|_| {}),
            vec![run(0, &[0, 1])],
            Some(short(0, 0, 2)),
        ),
        (
            "one node twice",
            with(|r| r.node = NodeId(1)),
            both.clone(),
            Some(short(0, 1, 2)),
        ),
        (
            "old generation",
            with(|r| r.generation = Generation(1)),
            both.clone(),
            expired.clone(),
        ),
        (
            "new generation",
            with(|r| r.generation = Generation(9)),
            both.clone(),
            None,
        ),
        (
            "old incarnation",
            with(|r| r.incarnation = Incarnation(0)),
            both.clone(),
            expired.clone(),
        ),
        (
            "new incarnation",
            with(|r| r.incarnation = Incarnation(7)),
            both.clone(),
            None,
        ),
        (
            "other domain",
            with(|r| r.domain = DedupDomain(2)),
            both.clone(),
            expired.clone(),
        ),
        (
            "unknown node",
            with(|r| r.node = NodeId(8)),
            both.clone(),
            expired,
        ),
        (
            "earlier epoch, only joins since",
            with(|r| r.epoch = MapEpoch(1)),
            both.clone(),
            None,
        ),
        ("later epoch", with(|r| r.epoch = MapEpoch(6)), both, None),
    ];
    for (case, receipts, runs, refusal) in cases {
        let mut group = Group::data();
        let expected = refusal.map_or(Reply::Done, Reply::Refused);
        assert_eq!(group.run(certified(receipts, runs)), expected, "{case}");
        assert_eq!(
            group.has_blob(SLOT, DOMAIN, blob("b").id),
            expected == Reply::Done,
            "{case}"
        );
        group.check_hash();
    }
}

#[test]
fn every_chunk_is_covered() {
    let sizes = chunking::Profile::GitPackV1.sizes();
    for (runs, refusal) in [
        (vec![run(3, &[0, 1])], None),
        (
            vec![run(1, &[0, 1]), run(1, &[1, 2]), run(1, &[0, 2])],
            None,
        ),
        (vec![run(9, &[0, 1])], None),
        (vec![run(2, &[0, 1])], Some(short(2, 0, 2))),
        (vec![run(1, &[0, 1]), run(2, &[2])], Some(short(1, 1, 2))),
    ] {
        let mut long = blob("long");
        long.length = u64::from(sizes.min) * 2 + 1;
        long.chunks = Chunks::Inline(vec![
            chunk(b"1", sizes.min),
            chunk(b"2", sizes.min),
            chunk(b"3", 1),
        ]);
        long.certificate.receipts = vec![receipt(1), receipt(2), receipt(3)];
        long.certificate.runs = runs.clone();
        let expected = refusal.map_or(Reply::Done, Reply::Refused);
        assert_eq!(Group::data().run(put(long)), expected, "{runs:?}");
    }
    // Nothing to be held.
    let mut empty = blob("");
    (empty.length, empty.chunks) = (0, Chunks::Inline(Vec::new()));
    (empty.certificate.receipts, empty.certificate.runs) = (Vec::new(), Vec::new());
    Group::data().done(put(empty));
}

#[test]
fn what_fails_together_counts_once() {
    let two_zones = |survive| -> ClusterMap {
        let mut map = map(3);
        map.policies.default.survive = survive;
        map.nodes[2].zone = "other".into();
        map
    };
    for (survive, holders, refusal) in [
        (FailureDomain::Node, &[0, 1][..], None),
        (FailureDomain::Zone, &[0, 1], Some(short(0, 1, 2))),
        (FailureDomain::Zone, &[0, 2], None),
        // There is one region: losing it is beyond what the nodes can give.
        (FailureDomain::Region, &[0], None),
    ] {
        let mut group = Group::empty(storage_node_api::map::FIRST_DATA_GROUP);
        group.done(Command::AdoptMap(two_zones(survive)));
        let receipts = vec![receipt(1), receipt(2), receipt(3)];
        let expected = refusal.map_or(Reply::Done, Reply::Refused);
        let reply = group.run(certified(receipts, vec![run(1, holders)]));
        assert_eq!(reply, expected, "{survive:?} {holders:?}");
    }
}

#[test]
fn the_policy_of_the_blobs_domain_decides() {
    let mut map = map(6);
    map.machine_version = POLICIES_VERSION;
    for (index, node) in map.nodes.iter_mut().enumerate() {
        node.region = ["a", "b", "c"][index / 2].into();
    }
    let share = |region: &str| RegionShare {
        region: region.into(),
        copies: 2,
    };
    map.policies.named = vec![NamedPolicy {
        name: "wide".into(),
        policy: Policy {
            copies: Copies::Regions(vec![share("a"), share("b")]),
            survive: FailureDomain::Region,
            home: None,
        },
    }];
    let by_default = map.clone();
    map.policies.domains = vec![Assigned {
        domain: DOMAIN,
        policy: "wide".into(),
    }];
    let receipts = || (1..=6).map(receipt).collect::<Vec<_>>();
    for (map, holders, refusal) in [
        (&by_default, &[0, 1][..], None),
        (&map, &[0, 1], Some(short(0, 1, 2))),
        (&map, &[1, 2], None),
        // Region c has no copies by the policy: what is there does not count.
        (&map, &[0, 4, 5], Some(short(0, 1, 2))),
    ] {
        let mut group = Group::empty(storage_node_api::map::FIRST_DATA_GROUP);
        group.done(Command::AdoptMap(map.clone()));
        let expected = refusal.map_or(Reply::Done, Reply::Refused);
        let reply = group.run(certified(receipts(), vec![run(1, holders)]));
        assert_eq!(reply, expected, "{holders:?}");
    }
}

#[test]
fn barriers_and_removed_nodes_expire_sessions() {
    let receipts = || vec![receipt(1), receipt(2)];
    let both = || vec![run(1, &[0, 1])];
    let mut group = Group::data();
    group.done(Command::Barrier(Generation(2)));
    group.done(Command::Barrier(Generation(1)));
    group.done(certified(receipts(), both()));

    let mut group = Group::data();
    group.done(Command::Barrier(Generation(3)));
    let reply = group.refused(certified(receipts(), both()));
    assert_eq!(reply, Refusal::SessionExpired);

    let mut group = Group::data();
    let mut smaller = map(2);
    smaller.epoch = MapEpoch(6);
    group.done(Command::AdoptMap(smaller));
    let reply = group.refused(certified(receipts(), both()));
    assert_eq!(reply, Refusal::SessionExpired);
    let mut touched = receipts();
    touched
        .iter_mut()
        .for_each(|receipt| receipt.epoch = MapEpoch(6));
    group.done(certified(touched, both()));
}
