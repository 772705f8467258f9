use std::collections::BTreeSet;

use chunking::ChunkId;
use proptest::prelude::{Strategy, any, prop, proptest};

use super::{Placement, order, place};
use crate::map::tests::{anywhere, map, regions};
use crate::map::{ClusterMap, FailureDomain};
use crate::{DedupDomain, NodeId};

const DOMAIN: DedupDomain = DedupDomain(0);
const NINE: &str = "a1 a2 a3 b1 b2 b3 c1 c2 c3";

fn chunk(number: u32) -> ChunkId {
    ChunkId::of(&number.to_le_bytes())
}

fn weighted(places: &str, capacities: &[u64]) -> ClusterMap {
    let mut map = map(places);
    for (node, capacity) in map.nodes.iter_mut().zip(capacities) {
        node.capacity = *capacity;
    }
    map
}

fn numbers(nodes: &[NodeId]) -> Vec<u64> {
    nodes.iter().map(|node| node.0).collect()
}

/// Every process of every release computes these: a change moves content.
#[test]
fn orders_are_these() {
    let orders = |map: &ClusterMap| -> Vec<Vec<u64>> {
        (0..4)
            .map(|number| numbers(&order(&chunk(number), DOMAIN, map)))
            .collect()
    };
    let alike = map("a1 a1 a1 a1 a1");
    assert_eq!(
        orders(&alike),
        [
            [2, 1, 5, 3, 4],
            [2, 3, 4, 1, 5],
            [3, 4, 2, 5, 1],
            [2, 4, 3, 5, 1]
        ]
    );
    let mut spread = weighted(NINE, &[1, 2, 3, 4, 5, 6, 7, 8, 1 << 50]);
    assert_eq!(
        orders(&spread),
        [
            [9, 7, 8, 5, 2, 4, 3, 6, 1],
            [9, 2, 8, 7, 6, 4, 3, 5, 1],
            [9, 7, 6, 8, 3, 5, 4, 2, 1],
            [9, 4, 2, 7, 8, 5, 3, 6, 1],
        ]
    );
    spread.policies.default.copies = regions("a2 c1");
    spread.policies.default.home = Some("c".to_owned());
    spread.nodes[0].draining = true;
    assert_eq!(
        orders(&spread),
        [
            [9, 2, 3, 7, 8, 5, 4, 6, 1],
            [9, 2, 3, 8, 7, 6, 4, 5, 1],
            [9, 3, 2, 7, 8, 6, 5, 4, 1],
            [9, 2, 3, 7, 8, 4, 5, 6, 1],
        ]
    );
}

/// How many of 30,000 chunks each node holds.
fn held(map: &ClusterMap) -> Vec<u64> {
    let placement = Placement::new(DOMAIN, map);
    let mut held = vec![0; map.nodes.len()];
    for number in 0..30_000 {
        for node in placement.place(&chunk(number)) {
            held[usize::try_from(node.0).unwrap() - 1] += 1;
        }
    }
    held
}

#[test]
fn nodes_hold_what_their_capacity_is_of_all_within_a_tenth() {
    let by_region = |shares| {
        let mut map = weighted(NINE, &[2, 3, 4, 2, 3, 4, 2, 3, 4]);
        map.policies.default.copies = regions(shares);
        map
    };
    let cases = [
        (map("a1 a1 a1 a1 a1 a1 a1 a1 a1"), "alike"),
        (
            weighted("a1 a1 a1 a1 a1 a1 a1 a1 a1", &[6, 7, 8, 6, 7, 8, 9, 9, 9]),
            "up to half as much again",
        ),
        (
            // Each zone has the same in all, as its copies do.
            weighted("a1 a1 a1 a2 a2 a2 a3 a3 a3", &[1, 2, 6, 3, 3, 3, 5, 3, 1]),
            "one copy per zone",
        ),
        (by_region("a1 b1 c1"), "one copy per region"),
    ];
    for (map, what) in cases {
        let total: u64 = map.nodes.iter().map(|node| node.capacity).sum();
        let held = held(&map);
        let copies: u64 = held.iter().sum();
        assert_eq!(copies, 90_000, "{what}");
        for (node, held) in map.nodes.iter().zip(&held) {
            let share = copies * node.capacity / total;
            let off = held.abs_diff(share);
            assert!(
                off * 10 <= share,
                "{what}: {} of {share} on {}",
                held,
                node.id
            );
        }
    }
}

fn places() -> impl Strategy<Value = String> {
    prop::collection::vec((0..3_u8, 0..3_u8), 1..12).prop_map(|places| {
        let text = places.into_iter().map(|(region, zone)| {
            let region = ['a', 'b', 'c'][usize::from(region)];
            format!("{region}{zone}")
        });
        text.collect::<Vec<_>>().join(" ")
    })
}

/// A map of some nodes under some policy.
fn maps() -> impl Strategy<Value = ClusterMap> {
    let policy = (any::<bool>(), 1..5_u8, 0..3_usize, 0..3_u8, 0..3_u8);
    let capacities = prop::collection::vec(1..9_u64, 12);
    (places(), policy, capacities).prop_map(|(places, policy, capacities)| {
        let (is_anywhere, copies, survive, more, yet_more) = policy;
        let mut map = weighted(&places, &capacities);
        map.policies.default.survive = [
            FailureDomain::Node,
            FailureDomain::Zone,
            FailureDomain::Region,
        ][survive];
        map.policies.default.copies = match is_anywhere {
            true => anywhere(copies),
            false => regions(&format!("a{copies} b{more} c{yet_more}")),
        };
        map
    })
}

fn placed(map: &ClusterMap, number: u32) -> BTreeSet<NodeId> {
    place(&chunk(number), DOMAIN, map).into_iter().collect()
}

proptest! {
    #[test]
    fn copies_are_as_many_and_as_far_apart_as_can_be(map in maps(), number in any::<u32>()) {
        let placement = Placement::new(DOMAIN, &map);
        let order = placement.order(&chunk(number));
        let place = placement.place(&chunk(number));
        assert_eq!(place.len(), placement.copies());
        assert_eq!(order[..place.len()], place);
        assert!(place.iter().all(|node| placement.is_placed(&chunk(number), *node)));
        let all: BTreeSet<NodeId> = order.iter().copied().collect();
        assert_eq!((order.len(), all.len()), (map.nodes.len(), map.nodes.len()));
        let policy = map.policy_of(DOMAIN);
        for (index, node) in order.iter().enumerate() {
            let node = map.node(*node).unwrap();
            assert_eq!(policy.places_on(node), index < placement.takers());
        }
        for (copies, takers) in placement.scopes() {
            let takers: BTreeSet<NodeId> = takers.collect();
            let unit = |node: &NodeId| {
                let node = map.node(*node).unwrap();
                match policy.survive {
                    FailureDomain::Region => (node.region.as_str(), ""),
                    _ => (node.region.as_str(), node.zone.as_str()),
                }
            };
            let here: Vec<&NodeId> = place.iter().filter(|node| takers.contains(node)).collect();
            assert_eq!(here.len(), copies);
            let units: BTreeSet<_> = here.iter().map(|node| unit(node)).collect();
            let there: BTreeSet<_> = takers.iter().map(unit).collect();
            assert_eq!(units.len(), copies.min(there.len()));
        }
    }

    #[test]
    fn copies_move_to_and_from_the_node_that_changes_only(
        map in maps(),
        which in any::<usize>(),
        capacity in 1..20_u64,
        drains in any::<bool>(),
    ) {
        let index = which % map.nodes.len();
        let node = map.nodes[index].id;
        let mut without = map.clone();
        match drains {
            true => without.nodes[index].draining = true,
            false => drop(without.nodes.remove(index)),
        }
        let mut other = map.clone();
        let before = std::mem::replace(&mut other.nodes[index].capacity, capacity);
        for number in 0..60 {
            let with = placed(&map, number);
            let lost: Vec<NodeId> = with.difference(&placed(&without, number)).copied().collect();
            assert!(lost.is_empty() || lost == [node], "leaves: {lost:?} for {node}");
            let resized = placed(&other, number);
            let gained: Vec<NodeId> = resized.difference(&with).copied().collect();
            let lost: Vec<NodeId> = with.difference(&resized).copied().collect();
            let (grows, shrinks) = (capacity > before, capacity < before);
            assert_eq!(gained.len(), lost.len());
            assert!(gained.is_empty() || (grows && gained == [node]) || (shrinks && lost == [node]));
            assert!(gained.len() <= 1);
        }
    }
}
