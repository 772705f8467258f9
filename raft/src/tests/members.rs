//! Joining.

use std::time::Duration;

use super::cluster::{Cluster, GROUP, members, peer};
use crate::{Config, MembershipError, NodeId};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_grows_from_one_voter_to_three_while_it_is_used() {
    let mut cluster = Cluster::of(1).await;
    for i in 0..20 {
        cluster.propose(&format!("alone {i}")).await;
    }
    for node in [2, 3] {
        cluster.add_node(node, &[GROUP]).await;
        let group = cluster.group(NodeId(1), GROUP);
        group
            .add_voter(NodeId(node), peer(NodeId(node)))
            .await
            .unwrap();
        group
            .add_voter(NodeId(node), peer(NodeId(node)))
            .await
            .unwrap();
        cluster.propose(&format!("with {node}")).await;
    }
    let commands = cluster.converged().await;
    assert_eq!(commands.len(), 22);
    for node in cluster.nodes.keys() {
        assert_eq!(cluster.group(*node, GROUP).status().voters, members(1..=3));
    }
    let follower = cluster.group(NodeId(2), GROUP);
    let refused = follower.add_voter(NodeId(9), peer(NodeId(9))).await;
    let leader = Some(NodeId(1));
    match refused {
        Err(MembershipError::NotLeader { leader: hint, .. }) => {
            assert_eq!(hint.map(|hint| hint.node), leader);
        }
        other => panic!("{other:?}"),
    }
    cluster.stop(NodeId(1)).await;
    let by = cluster.propose("without the first").await;
    assert_ne!(by, NodeId(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_not_there_does_not_become_a_voter() {
    let mut config = Config::for_testing();
    config.catch_up_timeout = Duration::from_millis(2500);
    let mut cluster = Cluster::empty(config);
    cluster.add_node(1, &[GROUP]).await;
    cluster.initialize(GROUP, [1]).await;
    cluster.propose("before").await;
    let group = cluster.group(NodeId(1), GROUP);
    let refused = group.add_voter(NodeId(2), peer(NodeId(2))).await;
    assert!(
        matches!(refused, Err(MembershipError::NotCaughtUp { .. })),
        "{refused:?}"
    );
    cluster.propose("still alone").await;
    assert_eq!(group.status().voters, members([1]));
    assert_eq!(group.status().learners, members([2]));
    cluster.add_node(2, &[GROUP]).await;
    group.add_voter(NodeId(2), peer(NodeId(2))).await.unwrap();
    assert_eq!(group.status().voters, members(1..=2));
    assert_eq!(cluster.converged().await.len(), 2);
}
