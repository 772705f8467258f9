//! Cutting the log, and replicas that are behind where it begins.

use bytes::Bytes;
use runtime::Survives;

use super::cluster::{Cluster, GROUP, eventually, peer};
use crate::NodeId;
use crate::limits::MAX_SNAPSHOT_PART_BYTES;

async fn cut(cluster: &Cluster, node: NodeId) -> u64 {
    eventually("a cut log", || cluster.group(node, GROUP).status().purged).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_cut_only_behind_a_synced_machine() {
    let mut cluster = Cluster::of(1).await;
    for i in 0..40 {
        cluster.propose(&format!("{i}")).await;
    }
    assert_eq!(cluster.group(NodeId(1), GROUP).status().purged, None);
    for i in 40..200 {
        cluster.propose(&format!("{i}")).await;
    }
    let purged = cut(&cluster, NodeId(1)).await;
    assert!(cluster.journal(NodeId(1)).syncs() > 0);
    let last = cluster.group(NodeId(1), GROUP).status().last_log.unwrap();
    assert!(
        purged + cluster.config.keep_entries <= last,
        "{purged} of {last}"
    );
    // The machine never syncs when it applies: what is there now it was made to sync, or is
    // applied again from the log.
    cluster.crash(NodeId(1), Survives::Nothing).await;
    cluster.group(NodeId(1), GROUP).read_index().await.unwrap();
    assert_eq!(cluster.journal(NodeId(1)).commands().len(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_far_behind_gets_a_snapshot_in_parts_and_then_the_log() {
    let mut cluster = Cluster::of(3).await;
    cluster.propose("before").await;
    let leader = cluster.leader().await;
    let behind = *cluster.nodes.keys().find(|node| **node != leader).unwrap();
    let stopped = cluster.stop(behind).await;
    let group = cluster.group(leader, GROUP);
    for i in 0..150_u32 {
        let mut command = vec![b'x'; MAX_SNAPSHOT_PART_BYTES / 20];
        command[..4].copy_from_slice(&i.to_be_bytes());
        group.propose(Bytes::from(command)).await.unwrap();
    }
    cut(&cluster, leader).await;
    cluster.restart(stopped).await;
    cluster.propose("after").await;
    assert_eq!(cluster.converged().await.len(), 152);
    assert!(cluster.journal(behind).installs() >= 1);
    assert!(cluster.nodes[&behind].metrics.snapshots_installed.get() >= 1);
    cluster.crash(behind, Survives::Nothing).await;
    assert_eq!(cluster.converged().await.len(), 152);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_voter_joins_by_snapshot_over_a_bad_network() {
    let mut cluster = Cluster::of(1).await;
    for i in 0..150 {
        cluster.propose(&format!("{i}")).await;
    }
    cut(&cluster, NodeId(1)).await;
    cluster.add_node(2, &[GROUP]).await;
    cluster.network.lose(200);
    let group = cluster.group(NodeId(1), GROUP);
    group.add_voter(NodeId(2), peer(NodeId(2))).await.unwrap();
    cluster.network.heal();
    cluster.propose("after").await;
    assert_eq!(cluster.converged().await.len(), 151);
    assert!(cluster.journal(NodeId(2)).installs() >= 1);
}
