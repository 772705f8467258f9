//! Replicas that keep their log and their vote, and get their state from another.

use bytes::Bytes;
use kv::Memory;

use super::cluster::{Cluster, GROUP, Node, eventually};
use super::machine::{self, Journal};
use crate::limits::MAX_SNAPSHOT_PART_BYTES;
use crate::{Machine, NodeId};

/// Gives a node that does not run the state of one that does.
async fn give_state(cluster: &Cluster, from: NodeId, to: &mut Node) {
    let state = Memory::new(&machine::FAMILIES);
    to.states.insert(GROUP, state.clone());
    let mut copied = cluster.group(from, GROUP).copy().await.unwrap();
    let mut journal = Journal::new(std::sync::Arc::new(state));
    let mut writing = journal.begin_install().unwrap();
    while let Some(part) = copied.parts.next(MAX_SNAPSHOT_PART_BYTES).unwrap() {
        writing.part(part).unwrap();
    }
    writing.finish(copied.marker).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_whose_state_was_lost_behind_a_cut_log_goes_on_from_anothers() {
    let mut cluster = Cluster::of(3).await;
    for i in 0..200 {
        cluster.propose(&format!("{i}")).await;
    }
    for node in [1, 2, 3].map(NodeId) {
        eventually("a cut log", || cluster.group(node, GROUP).status().purged).await;
        let term = cluster.group(node, GROUP).status().term;
        let mut stopped = cluster.stop(node).await;
        cluster.propose("meanwhile").await;
        let leader = cluster.leader().await;
        give_state(&cluster, leader, &mut stopped).await;
        cluster.restart(stopped).await;
        eventually("the term that it had promised", || {
            (cluster.group(node, GROUP).status().term >= term).then_some(())
        })
        .await;
        cluster.propose("after").await;
        cluster.converged().await;
    }
    assert_eq!(cluster.converged().await.len(), 206);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_deposed_leader_had_only_to_itself_does_not_come_back_with_anothers_state() {
    let mut cluster = Cluster::of(3).await;
    cluster.propose("before").await;
    let deposed = cluster.leader().await;
    cluster.converged().await;
    cluster.network.partition(&[deposed]);
    let group = cluster.group(deposed, GROUP);
    let alone = (0..20).map(|i| {
        let group = group.clone();
        tokio::spawn(async move { group.propose(Bytes::from(format!("alone {i}"))).await })
    });
    let alone: Vec<_> = alone.collect();
    let rest: Vec<NodeId> = cluster.nodes.keys().copied().collect();
    let rest: Vec<NodeId> = rest.into_iter().filter(|node| *node != deposed).collect();
    eventually("entries of its own", || {
        (cluster.group(deposed, GROUP).status().last_log >= Some(20)).then_some(())
    })
    .await;
    let leader = cluster.leader_among(GROUP, &rest).await;
    for i in 0..5 {
        cluster.propose_among(&rest, &format!("{i}")).await;
    }
    let long = cluster.group(deposed, GROUP).status().last_log;
    assert!(cluster.group(leader, GROUP).status().last_log < long);
    let mut stopped = cluster.stop(deposed).await;
    give_state(&cluster, leader, &mut stopped).await;
    cluster.network.heal();
    cluster.restart(stopped).await;
    cluster.propose("after").await;
    let commands = cluster.converged().await;
    assert_eq!(commands.len(), 7);
    for one in alone {
        assert!(one.await.unwrap().is_err());
    }
}
