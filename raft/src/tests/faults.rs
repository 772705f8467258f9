//! Nodes that end, wires that are cut.

use std::time::Duration;

use bytes::Bytes;

use super::cluster::{Cluster, GROUP, eventually};
use crate::{Config, Effect, NodeId, ProposeError, ReadError};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_node_takes_over_and_the_old_leader_comes_back() {
    let mut cluster = Cluster::of(3).await;
    for i in 0..10 {
        cluster.propose(&format!("before {i}")).await;
    }
    let old = cluster.leader().await;
    let stopped = cluster.stop(old).await;
    for i in 0..10 {
        let by = cluster.propose(&format!("without {i}")).await;
        assert_ne!(by, old);
    }
    cluster.restart(stopped).await;
    cluster.group(old, GROUP).read_index().await.unwrap();
    assert!(cluster.journal(old).has("without 9"));
    cluster.propose("after").await;
    assert_eq!(cluster.converged().await.len(), 21);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minority_neither_commits_nor_reads_and_says_what_it_knows() {
    let mut config = Config::for_testing();
    config.propose_timeout = Duration::from_millis(1500);
    config.read_timeout = Duration::from_millis(1500);
    let mut cluster = Cluster::empty(config);
    for node in 1..=3 {
        cluster.add_node(node, &[GROUP]).await;
    }
    cluster.initialize(GROUP, 1..=3).await;
    cluster.propose("before").await;
    let old = cluster.leader().await;
    let others: Vec<NodeId> = cluster
        .nodes
        .keys()
        .copied()
        .filter(|n| *n != old)
        .collect();
    cluster.network.partition(&[old]);

    let alone = cluster.group(old, GROUP);
    let doubtful = alone.propose(Bytes::from("doubtful")).await.unwrap_err();
    assert_eq!(
        doubtful.effect(),
        Effect::Unknown,
        "it was appended: {doubtful}"
    );
    let read = alone.read_index().await;
    assert!(matches!(read, Err(ReadError::Timeout { .. })), "{read:?}");
    // By now it knows that it has lost its quorum, and refuses at once.
    let refused = alone.propose(Bytes::from("refused")).await.unwrap_err();
    assert!(
        matches!(refused, ProposeError::NotLeader { .. }),
        "{refused}"
    );
    assert_eq!(refused.effect(), Effect::None);

    let by = cluster.propose_among(&others, "by the majority").await;
    assert_ne!(by, old);
    assert!(!cluster.journal(old).has("by the majority"));

    cluster.network.heal();
    alone.read_index().await.unwrap();
    assert!(cluster.journal(old).has("by the majority"));
    cluster.propose("after").await;
    let commands = cluster.converged().await;
    assert!(!commands.iter().any(|command| command == "refused"));
    assert!(!commands.iter().any(|command| command == "doubtful"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_asked_a_silent_leader_goes_on_with_the_next() {
    let mut config = Config::for_testing();
    config.exchange_timeout = Duration::from_secs(120);
    config.read_timeout = Duration::from_secs(60);
    let mut cluster = Cluster::empty(config);
    for node in 1..=3 {
        cluster.add_node(node, &[GROUP]).await;
    }
    cluster.initialize(GROUP, 1..=3).await;
    cluster.propose("before").await;
    let old = cluster.leader().await;
    let others: Vec<NodeId> = cluster.nodes.keys().copied().collect();
    let others: Vec<NodeId> = others.into_iter().filter(|node| *node != old).collect();
    cluster.network.fall_silent();
    cluster.network.partition(&[old]);
    // Both ask the old leader at once, which says nothing.
    for node in &others {
        let read = cluster.group(*node, GROUP).read_index().await;
        assert!(read.is_ok(), "{node:?}: {read:?}");
        assert!(cluster.journal(*node).has("before"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_cut_off_and_healed_does_not_depose_the_leader() {
    let cluster = Cluster::of(3).await;
    cluster.propose("before").await;
    let leader = cluster.leader().await;
    let term = cluster.group(leader, GROUP).status().term;
    let lonely = *cluster.nodes.keys().find(|node| **node != leader).unwrap();
    cluster.network.partition(&[lonely]);
    tokio::time::sleep(Duration::from_millis(2500)).await;
    cluster.network.heal();
    cluster.propose("after").await;
    eventually("the lonely node back", || {
        cluster.journal(lonely).has("after").then_some(())
    })
    .await;
    let status = cluster.group(leader, GROUP).status();
    assert_eq!((status.leader, status.term), (Some(leader), term));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_messages_cost_time_but_nothing_else() {
    let cluster = Cluster::of(3).await;
    cluster.propose("before").await;
    cluster.network.lose(100);
    for i in 0..30 {
        cluster.propose(&format!("lossy {i:02}")).await;
    }
    cluster.network.heal();
    let commands = cluster.converged().await;
    for i in 0..30 {
        let command = format!("lossy {i:02}");
        assert!(
            commands.iter().any(|c| c == command.as_bytes()),
            "{command}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_the_machine_stops_the_replica_and_says_why() {
    let cluster = Cluster::of(1).await;
    cluster.propose("good").await;
    let group = cluster.group(NodeId(1), GROUP);
    let error = group.propose(Bytes::from("fault")).await.unwrap_err();
    assert_eq!(error.effect(), Effect::Unknown, "{error}");
    let fault = eventually("a fault", || group.status().fault).await;
    assert!(fault.contains("nobody can apply"), "{fault}");
    let error = group.propose(Bytes::from("more")).await.unwrap_err();
    assert!(matches!(error, ProposeError::Stopped { .. }), "{error}");
    let read = group.read_index().await;
    assert!(matches!(read, Err(ReadError::Stopped { .. })), "{read:?}");
}
