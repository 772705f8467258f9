use std::collections::{BTreeMap, BTreeSet};

use chunking::ChunkId;
use proptest::prelude::{Strategy, any, proptest};
use storage_node_api::content::{PutError, Receipt};
use storage_node_api::map::{
    ClusterMap, Copies, FailureDomain, Node, Policies, Policy, RegionShare,
};
use storage_node_api::placement::Placement;
use storage_node_api::{
    ClusterId, DedupDomain, Generation, Incarnation, MapEpoch, NodeId, placement,
};

use super::{Asks, Quorum, Refusal, Verdict};

const DOMAIN: DedupDomain = DedupDomain(0);

/// A map with one node per zone named.
fn map(zones: &[u8], survive: FailureDomain) -> ClusterMap {
    ClusterMap {
        cluster: ClusterId([0; 16]),
        epoch: MapEpoch(1),
        generation: Generation(1),
        machine_version: 1,
        policies: Policies {
            default: Policy {
                survive,
                ..Policy::default()
            },
            ..Policies::default()
        },
        nodes: zones
            .iter()
            .zip(1..)
            .map(|(zone, id)| Node {
                id: NodeId(id),
                control: String::new(),
                bulk: String::new(),
                zone: zone.to_string(),
                region: String::new(),
                capacity: 1,
                incarnation: Incarnation(1),
                draining: false,
            })
            .collect(),
        groups: ClusterMap::divide_slots(1),
        members: Box::default(),
        moves: Box::default(),
    }
}

fn chunk(number: u32) -> ChunkId {
    ChunkId::of(&number.to_le_bytes())
}

fn receipt(node: NodeId) -> Receipt {
    Receipt {
        node,
        incarnation: Incarnation(1),
        epoch: MapEpoch(1),
        generation: Generation(1),
        domain: DOMAIN,
    }
}

fn asked(asks: &Asks) -> Vec<NodeId> {
    asks.keys().copied().collect()
}

fn sorted(nodes: &[NodeId]) -> Vec<NodeId> {
    let mut nodes = nodes.to_vec();
    nodes.sort_unstable();
    nodes
}

#[test]
fn the_placement_is_asked_and_a_majority_is_enough() {
    let map = map(&[1, 2, 3, 4, 5], FailureDomain::Node);
    let order = placement::order(&chunk(0), DOMAIN, &map);
    let mut quorum = Quorum::new(&map, DOMAIN, [chunk(0)]);
    assert_eq!(asked(&quorum.ask()), sorted(&order[..3]));
    assert_eq!(quorum.verdict(), Verdict::Waiting);
    quorum.held(receipt(order[2]), &[0]);
    assert!(quorum.ask().is_empty());
    assert_eq!(quorum.verdict(), Verdict::Waiting);
    quorum.held(receipt(order[0]), &[0]);
    assert_eq!(quorum.verdict(), Verdict::Held);
    let receipts: Vec<Receipt> = quorum.into_receipts().flatten().collect();
    let expected: Vec<Receipt> = sorted(&[order[0], order[2]])
        .into_iter()
        .map(receipt)
        .collect();
    assert_eq!(receipts, expected);
}

#[test]
fn failed_and_late_nodes_are_replaced_in_order_up_to_twice_the_copies() {
    let map = map(&[1, 2, 3, 4, 5, 6, 7], FailureDomain::Node);
    let order = placement::order(&chunk(0), DOMAIN, &map);
    let mut quorum = Quorum::new(&map, DOMAIN, [chunk(0)]);
    quorum.ask();
    quorum.failed(order[1], Refusal::Failed);
    assert_eq!(asked(&quorum.ask()), [order[3]]);
    quorum.late(order[0]);
    assert_eq!(asked(&quorum.ask()), [order[4]]);
    for node in [order[2], order[3], order[4]] {
        quorum.failed(node, Refusal::Failed);
    }
    // The seventh is no candidate, and the late one alone is no quorum.
    assert_eq!(asked(&quorum.ask()), [order[5]]);
    assert_eq!(quorum.verdict(), Verdict::Waiting);
    quorum.held(receipt(order[5]), &[0]);
    assert_eq!(quorum.verdict(), Verdict::Waiting);
    quorum.held(receipt(order[0]), &[0]);
    assert_eq!(quorum.verdict(), Verdict::Held);
}

#[test]
fn a_put_that_cannot_succeed_says_why() {
    let map = map(&[1, 2, 3], FailureDomain::Node);
    let fail = |refusals: [Option<Refusal>; 3]| {
        let mut quorum = Quorum::new(&map, DOMAIN, [chunk(0), chunk(1)]);
        quorum.ask();
        for (node, refusal) in map.nodes.iter().zip(refusals) {
            match refusal {
                Some(refusal) => quorum.failed(node.id, refusal),
                None => quorum.held(receipt(node.id), &[0, 1]),
            }
            assert!(quorum.ask().is_empty());
        }
        quorum.verdict()
    };
    let (full, failed) = (Some(Refusal::Full), Some(Refusal::Failed));
    let no_quorum = |held| Verdict::Failed(PutError::NoQuorum { held, needed: 2 });
    assert_eq!(fail([full, full, full]), Verdict::Failed(PutError::Full));
    assert_eq!(fail([full, full, None]), Verdict::Failed(PutError::Full));
    assert_eq!(fail([full, failed, full]), no_quorum(0));
    assert_eq!(fail([failed, failed, None]), no_quorum(1));
    assert_eq!(fail([failed, None, None]), Verdict::Held);
}

#[test]
fn nodes_of_one_zone_are_no_quorum_where_a_zone_may_be_lost() {
    // All but the last of the order are in one zone.
    let single = map(&[1; 9], FailureDomain::Zone);
    let order = placement::order(&chunk(0), DOMAIN, &single);
    let mut mixed = single.clone();
    for node in &mut mixed.nodes {
        if node.id == order[8] {
            node.zone = "2".to_owned();
        }
    }
    let mut quorum = Quorum::new(&mixed, DOMAIN, [chunk(0)]);
    let first = quorum.ask();
    assert!(first.contains_key(&order[8]), "{first:?}");
    quorum.held(receipt(order[0]), &[0]);
    quorum.held(receipt(order[1]), &[0]);
    assert_eq!(quorum.verdict(), Verdict::Waiting);
    quorum.held(receipt(order[8]), &[0]);
    assert_eq!(quorum.verdict(), Verdict::Held);

    // One zone is all there is: it is enough, and the map says what that means.
    let mut only = Quorum::new(&single, DOMAIN, [chunk(0)]);
    only.ask();
    only.held(receipt(order[0]), &[0]);
    assert_eq!(only.verdict(), Verdict::Held);
    assert!(single.durability(DOMAIN).is_degraded());
}

/// Three regions of three nodes, each in a zone of its own; `copies` in each.
fn regions(copies: u8, survive: FailureDomain) -> ClusterMap {
    let mut map = map(&[1, 2, 3, 1, 2, 3, 1, 2, 3], survive);
    let names = ["a", "b", "c"];
    for (index, node) in map.nodes.iter_mut().enumerate() {
        node.region = names[index / 3].to_owned();
    }
    let shares = names.map(|region| RegionShare {
        region: region.to_owned(),
        copies,
    });
    map.policies.default.copies = Copies::Regions(shares.to_vec());
    map
}

fn region(node: NodeId) -> u64 {
    (node.0 - 1) / 3
}

#[test]
fn a_region_that_fails_is_made_up_for_in_its_own_and_then_by_others() {
    let map = regions(2, FailureDomain::Region);
    let mut quorum = Quorum::new(&map, DOMAIN, [chunk(0)]);
    let first = asked(&quorum.ask());
    for number in 0..3 {
        let here = first.iter().filter(|node| region(**node) == number);
        assert_eq!(here.count(), 2, "{first:?}");
    }
    let of = |number| {
        first
            .iter()
            .copied()
            .filter(move |node| region(*node) == number)
    };
    for node in of(0) {
        quorum.held(receipt(node), &[0]);
    }
    // Both copies of one region: one failure domain.
    assert_eq!(quorum.verdict(), Verdict::Waiting);
    for node in of(1) {
        quorum.failed(node, Refusal::Failed);
        let next = asked(&quorum.ask());
        assert!(next.iter().all(|node| region(*node) == 1), "{next:?}");
    }
    assert_eq!(quorum.verdict(), Verdict::Waiting);
    let third = of(2).next().unwrap();
    quorum.held(receipt(third), &[0]);
    assert_eq!(quorum.verdict(), Verdict::Held);
}

#[test]
fn a_region_that_is_lost_stops_no_put_and_two_are_too_many() {
    let map = regions(1, FailureDomain::Region);
    for lost in [vec![0], vec![0, 1]] {
        let does = map.nodes.iter().map(|node| {
            let fails = lost.contains(&region(node.id));
            (node.id, if fails { Does::Fails } else { Does::Holds })
        });
        let mut quorum = Quorum::new(&map, DOMAIN, (0..5).map(chunk));
        let verdict = play(&mut quorum, &does.collect(), 1).0;
        let expected = match lost.len() {
            1 => Verdict::Held,
            _ => Verdict::Failed(PutError::NoQuorum { held: 1, needed: 2 }),
        };
        assert_eq!(verdict, expected);
    }
    // Where only a node may be lost, one region is enough for a success.
    let map = regions(2, FailureDomain::Node);
    let does = map.nodes.iter().map(|node| {
        let far = region(node.id) != 2;
        (node.id, if far { Does::Fails } else { Does::Holds })
    });
    let mut quorum = Quorum::new(&map, DOMAIN, (0..5).map(chunk));
    assert_eq!(play(&mut quorum, &does.collect(), 1).0, Verdict::Held);
}

#[test]
fn nodes_that_are_drained_or_elsewhere_are_given_nothing() {
    let mut map = regions(3, FailureDomain::Node);
    let Copies::Regions(shares) = &mut map.policies.default.copies else {
        panic!("regions are named");
    };
    shares.truncate(1);
    map.nodes[1].draining = true;
    let mut quorum = Quorum::new(&map, DOMAIN, [chunk(0)]);
    assert_eq!(asked(&quorum.ask()), [NodeId(1), NodeId(3)]);
    quorum.failed(NodeId(1), Refusal::Failed);
    assert!(quorum.ask().is_empty());
    let error = PutError::NoQuorum { held: 0, needed: 2 };
    assert_eq!(quorum.verdict(), Verdict::Failed(error));
}

/// What a node does when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Holds,
    HoldsLate,
    HoldsSomeThenFails,
    Fails,
    IsFull,
}

fn does() -> impl Strategy<Value = Does> {
    (0..5_usize).prop_map(|index| {
        [
            Does::Holds,
            Does::HoldsLate,
            Does::HoldsSomeThenFails,
            Does::Fails,
            Does::IsFull,
        ][index]
    })
}

/// Feeds a quorum the answers of nodes until it decides, in an order by `seed`.
fn play(
    quorum: &mut Quorum,
    nodes: &BTreeMap<NodeId, Does>,
    mut seed: u64,
) -> (Verdict, BTreeMap<NodeId, BTreeSet<usize>>) {
    let mut holders: BTreeMap<NodeId, BTreeSet<usize>> = BTreeMap::new();
    let mut waiting: Vec<(NodeId, Vec<usize>, bool)> = Vec::new();
    loop {
        let asks = quorum.ask();
        waiting.extend(asks.into_iter().map(|(node, chunks)| (node, chunks, false)));
        let verdict = quorum.verdict();
        if verdict != Verdict::Waiting {
            return (verdict, holders);
        }
        assert!(!waiting.is_empty(), "waits for nobody");
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let next = usize::try_from(seed >> 33).unwrap() % waiting.len();
        let (node, chunks, was_late) = waiting.swap_remove(next);
        match nodes[&node] {
            Does::HoldsLate if !was_late => {
                quorum.late(node);
                waiting.push((node, chunks, true));
            }
            Does::Holds | Does::HoldsLate => {
                holders.entry(node).or_default().extend(&chunks);
                quorum.held(receipt(node), &chunks);
            }
            Does::HoldsSomeThenFails => {
                let some = &chunks[..chunks.len() / 2];
                holders.entry(node).or_default().extend(some);
                quorum.held(receipt(node), some);
                quorum.failed(node, Refusal::Failed);
            }
            Does::Fails => quorum.failed(node, Refusal::Failed),
            Does::IsFull => quorum.failed(node, Refusal::Full),
        }
    }
}

proptest! {
    #[test]
    fn a_put_is_held_exactly_when_enough_candidates_hold_it(
        nodes in proptest::collection::vec((0..4_u8, does()), 1..10),
        by_zone in any::<bool>(),
        chunks in 1..6_u32,
        seed in any::<u64>(),
    ) {
        let survive = if by_zone { FailureDomain::Zone } else { FailureDomain::Node };
        let zones: Vec<u8> = nodes.iter().map(|(zone, _)| *zone).collect();
        let map = map(&zones, survive);
        let does: BTreeMap<NodeId, Does> =
            map.nodes.iter().map(|node| node.id).zip(nodes.iter().map(|(_, does)| *does)).collect();
        let mut quorum = Quorum::new(&map, DOMAIN, (0..chunks).map(chunk));
        let (verdict, holders) = play(&mut quorum, &does, seed);
        let domain = |node: NodeId| map.unit_of(DOMAIN, map.node(node).unwrap());
        match verdict {
            Verdict::Held => {
                for (index, receipts) in quorum.into_receipts().enumerate() {
                    let domains: BTreeSet<_> = receipts.iter().map(|r| domain(r.node)).collect();
                    assert!(domains.len() >= map.quorum(DOMAIN));
                    assert!(receipts.iter().all(|r| holders[&r.node].contains(&index)));
                }
            }
            Verdict::Failed(PutError::NoQuorum { held, needed }) => {
                assert_eq!(needed, map.quorum(DOMAIN));
                assert!(held < needed);
                // Some chunk has too few candidates that would hold it.
                let short = (0..chunks).any(|number| {
                    let order = placement::order(&chunk(number), DOMAIN, &map);
                    let good = order
                        .into_iter()
                        .take(2 * Placement::new(DOMAIN, &map).copies())
                        .filter(|node| matches!(does[node], Does::Holds | Does::HoldsLate));
                    good.map(domain).collect::<BTreeSet<_>>().len() < needed
                });
                assert!(short, "{does:?}");
            }
            Verdict::Failed(PutError::Full) => assert!(does.values().any(|d| *d == Does::IsFull)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_put_survives_as_many_failing_nodes_as_the_policy_says(
        count in 1..10_usize,
        failing in proptest::collection::vec((any::<usize>(), any::<bool>()), 0..2),
        chunks in 1..6_u32,
        seed in any::<u64>(),
    ) {
        let zones: Vec<u8> = (0..10).take(count).collect();
        let map = map(&zones, FailureDomain::Node);
        let mut does: BTreeMap<NodeId, Does> =
            map.nodes.iter().map(|node| (node.id, Does::Holds)).collect();
        let spare = Placement::new(DOMAIN, &map).copies() - map.quorum(DOMAIN);
        for (index, is_full) in failing.into_iter().take(spare) {
            let node = map.nodes[index % count].id;
            does.insert(node, if is_full { Does::IsFull } else { Does::Fails });
        }
        let mut quorum = Quorum::new(&map, DOMAIN, (0..chunks).map(chunk));
        assert_eq!(play(&mut quorum, &does, seed).0, Verdict::Held);
    }
}
