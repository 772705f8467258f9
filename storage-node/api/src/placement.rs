//! Which nodes hold a chunk: rendezvous hashing, a pure function of the chunk's
//! id and the cluster map.
//!
//! Writers, readers and repair walk the same order. Weights by capacity come
//! with the policies of several regions; nodes count alike until then.

use chunking::ChunkId;

use crate::NodeId;
use crate::map::ClusterMap;

/// All nodes in the order in which they are asked to hold this chunk.
pub fn order(chunk: &ChunkId, map: &ClusterMap) -> Vec<NodeId> {
    let mut scored: Vec<(u64, NodeId)> = map
        .nodes
        .iter()
        .map(|node| (score(chunk, node.id), node.id))
        .collect();
    scored.sort_unstable_by(|a, b| b.cmp(a));
    scored.into_iter().map(|(_, node)| node).collect()
}

/// The nodes that should hold this chunk: the first of [`order`].
pub fn place(chunk: &ChunkId, map: &ClusterMap) -> Vec<NodeId> {
    let mut nodes = order(chunk, map);
    nodes.truncate(map.copies());
    nodes
}

fn score(chunk: &ChunkId, node: NodeId) -> u64 {
    // The id is already uniform: mixing eight of its bytes with the node's
    // number (the finaliser of SplitMix64, by Steele and others) is enough.
    let mut word = [0; 8];
    word.copy_from_slice(&chunk.as_bytes()[..8]);
    let mut x = u64::from_le_bytes(word) ^ node.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use chunking::ChunkId;

    use super::{order, place};
    use crate::map::{ClusterMap, Node, Policy};
    use crate::{ClusterId, Generation, Incarnation, MapEpoch, NodeId};

    fn map(nodes: u64) -> ClusterMap {
        ClusterMap {
            cluster: ClusterId([0; 16]),
            epoch: MapEpoch(1),
            generation: Generation(1),
            machine_version: 1,
            policy: Policy::default(),
            nodes: (1..=nodes)
                .map(|id| Node {
                    id: NodeId(id),
                    control: String::new(),
                    bulk: String::new(),
                    zone: String::new(),
                    region: String::new(),
                    capacity: 1,
                    incarnation: Incarnation(1),
                })
                .collect(),
            groups: ClusterMap::divide_slots(1),
        }
    }

    #[test]
    fn chunks_spread_evenly_and_move_little() {
        let (nine, ten) = (map(9), map(10));
        let mut held = [0u32; 11];
        let mut moved = 0;
        for number in 0..10_000u32 {
            let chunk = ChunkId::of(&number.to_le_bytes());
            let before = place(&chunk, &nine);
            let after = place(&chunk, &ten);
            assert_eq!(before.len(), 3);
            for node in &before {
                held[usize::try_from(node.0).unwrap()] += 1;
            }
            // Only the new node may take a chunk; none moves between the old.
            moved += after.iter().filter(|node| !before.contains(node)).count();
            assert!(
                after
                    .iter()
                    .all(|node| before.contains(node) || *node == NodeId(10))
            );
            assert_eq!(order(&chunk, &ten).len(), 10);
        }
        for (node, held) in held.iter().enumerate().take(10).skip(1) {
            assert!((3_000..3_700).contains(held), "node {node} holds {held}");
        }
        assert!((2_700..3_300).contains(&moved), "{moved} copies moved");
    }
}
