//! Commits and reads without faults.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use kv::RocksDb;
use runtime::Runtime;

use super::cluster::{Cluster, GROUP, eventually, members};
use super::machine::{self, Journal};
use crate::limits::MAX_COMMAND_BYTES;
use crate::memory::Network;
use crate::{
    Config, Effect, GroupId, InitializeError, Metrics, NodeId, OpenError, ProposeError, Raft,
    StartError,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_voter_commits_with_one_sync_and_no_network() {
    let cluster = Cluster::of(1).await;
    let group = cluster.group(NodeId(1), GROUP);
    cluster.propose("warm up").await;
    let before = cluster.nodes[&NodeId(1)].log.syncs();
    for i in 0..20 {
        let answer = group.propose(Bytes::from(format!("command {i:02}"))).await;
        assert_eq!(answer.unwrap(), "10");
    }
    assert_eq!(cluster.nodes[&NodeId(1)].log.syncs() - before, 20);
    assert_eq!(cluster.network.delivered(), 0);
    let read = group.read_index().await.unwrap();
    assert_eq!(Some(read), group.status().applied);
    assert_eq!(cluster.journal(NodeId(1)).commands().len(), 21);
    assert_eq!(cluster.network.delivered(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_commit_and_followers_read_what_was_acknowledged() {
    let cluster = Cluster::of(3).await;
    let leader = cluster.leader().await;
    for i in 0..30 {
        let command = format!("command {i}");
        let by = cluster.propose(&command).await;
        assert_eq!(by, leader, "nothing has happened that deposes it");
        for node in cluster.nodes.keys() {
            let group = cluster.group(*node, GROUP);
            let read = group.read_index().await.unwrap();
            assert!(cluster.journal(*node).has(&command), "{command} on {node}");
            assert!(group.status().applied >= Some(read));
        }
    }
    let follower = *cluster.nodes.keys().find(|node| **node != leader).unwrap();
    let refused = cluster
        .group(follower, GROUP)
        .propose(Bytes::from("x"))
        .await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.effect(), Effect::None);
    assert_eq!(refused.leader().map(|leader| leader.node), Some(leader));
    assert_eq!(cluster.converged().await.len(), 30);
    let status = cluster.group(follower, GROUP).status();
    assert_eq!(status.voters, members(1..=3));
    assert!(status.learners.is_empty() && status.fault.is_none());
    let (flights, messages) = {
        let metrics = &cluster.nodes[&leader].metrics;
        (metrics.flights.get(), metrics.messages.get())
    };
    assert!(flights > 0 && messages >= flights);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_groups_share_the_syncs_of_one_log() {
    const GROUPS: u64 = 50;
    const EACH: u64 = 20;
    let mut cluster = Cluster::empty(Config::default());
    let groups: Vec<GroupId> = (1..=GROUPS).map(GroupId).collect();
    for node in 1..=3 {
        cluster.add_node(node, &groups).await;
    }
    for group in &groups {
        cluster.initialize(*group, 1..=3).await;
    }
    let nodes = [1, 2, 3].map(NodeId);
    let mut leaders = Vec::new();
    for group in &groups {
        leaders.push((*group, cluster.leader_among(*group, &nodes).await));
    }
    let before = cluster.nodes[&NodeId(1)].log.syncs();
    let proposing = leaders.iter().map(|(group, leader)| {
        let handle = cluster.group(*leader, *group);
        async move {
            let commands = (0..EACH).map(|i| handle.propose(Bytes::from(format!("{i}"))));
            join_all(commands)
                .await
                .into_iter()
                .filter(Result::is_ok)
                .count()
        }
    });
    let acknowledged: usize = join_all(proposing).await.into_iter().sum();
    let proposals = GROUPS * EACH;
    assert_eq!(acknowledged as u64, proposals);
    let syncs = cluster.nodes[&NodeId(1)].log.syncs() - before;
    assert!(
        syncs * 3 < proposals,
        "{syncs} syncs for {proposals} proposals"
    );
    for group in &groups {
        eventually("every replica complete", || {
            let complete =
                |node: &NodeId| cluster.nodes[node].journals[group].commands().len() as u64 == EACH;
            nodes.iter().all(complete).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proposals_beyond_the_limits_are_refused_without_effect() {
    let mut cluster = Cluster::empty(Config {
        proposals_in_flight: 8,
        ..Config::for_testing()
    });
    cluster.add_node(1, &[GROUP]).await;
    cluster.initialize(GROUP, [1]).await;
    cluster.propose("first").await;
    let group = cluster.group(NodeId(1), GROUP);
    let large = group
        .propose(Bytes::from(vec![0; MAX_COMMAND_BYTES + 1]))
        .await;
    let limit = MAX_COMMAND_BYTES;
    let bytes = limit + 1;
    assert_eq!(large, Err(ProposeError::TooLarge { bytes, limit }));
    group
        .propose(Bytes::from(vec![0; MAX_COMMAND_BYTES]))
        .await
        .unwrap();
    let many = (0..100).map(|i| group.propose(Bytes::from(format!("many {i}"))));
    let results = join_all(many).await;
    let refused = results.iter().filter_map(|result| result.as_ref().err());
    let refused = refused
        .inspect(|error| assert_eq!(error.effect(), Effect::None))
        .count();
    let done = results.iter().filter(|result| result.is_ok()).count();
    assert!(refused >= 1 && done >= 8, "{refused} refused, {done} done");
    assert_eq!(cluster.journal(NodeId(1)).commands().len(), 2 + done);
    assert_eq!(
        cluster.nodes[&NodeId(1)].metrics.proposals_refused.get(),
        refused as u64
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_from_disk_keeps_log_state_and_members() {
    let dir = tempfile::tempdir().unwrap();
    let (raftlog, state) = (dir.path().join("raftlog"), dir.path().join("state"));
    let start = async |node: u64| {
        let log = RocksDb::open(&raftlog, &crate::FAMILIES).unwrap();
        let network = Network::new(1);
        Raft::start(
            Config::for_testing().validate().unwrap(),
            NodeId(node),
            Arc::new(log),
            network.peers(NodeId(node)),
            Runtime::real(),
            Metrics::default(),
        )
        .await
    };
    let mut expect = 0;
    for round in 0..3 {
        let raft = start(1).await.unwrap();
        let store = RocksDb::open(&state, &machine::FAMILIES).unwrap();
        let journal = Journal::new(Arc::new(store));
        let group = raft.open(GROUP, Box::new(journal.clone())).await.unwrap();
        let twice = raft.open(GROUP, Box::new(Journal::in_memory())).await;
        assert!(matches!(twice, Err(OpenError::AlreadyOpen { .. })));
        group.initialize(members([1])).await.unwrap();
        group.read_index().await.unwrap();
        assert_eq!(journal.commands().len(), expect);
        for i in 0..40 {
            let command = Bytes::from(format!("{round}/{i}"));
            group.propose(command).await.unwrap();
            expect += 1;
        }
        raft.shutdown().await;
        assert!(matches!(
            raft.open(GROUP, Box::new(Journal::in_memory())).await,
            Err(OpenError::ShutDown { .. })
        ));
        assert!(group.propose(Bytes::from("late")).await.is_err());
    }
    let stranger = start(2).await;
    let (found, wanted) = (NodeId(1), NodeId(2));
    match stranger {
        Err(StartError::OtherNode {
            found: f,
            wanted: w,
        }) => assert_eq!((f, w), (found, wanted)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_first_members_are_refused_and_repeating_is_harmless() {
    let mut cluster = Cluster::empty(Config::for_testing());
    cluster.add_node(1, &[GROUP]).await;
    let group = cluster.group(NodeId(1), GROUP);
    let refused = group.initialize(members([2, 3])).await;
    assert!(matches!(refused, Err(InitializeError::NotAMember { .. })));
    let refused = group.initialize(members([])).await;
    assert!(matches!(refused, Err(InitializeError::BadMembers { .. })));
    group.initialize(members([1])).await.unwrap();
    group.initialize(members([1])).await.unwrap();
    group.initialize(members([1, 2])).await.unwrap();
    cluster.propose("x").await;
    assert_eq!(group.status().voters, members([1]));
}
