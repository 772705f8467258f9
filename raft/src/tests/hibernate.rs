//! Groups that sleep.

use std::time::Duration;

use bytes::Bytes;

use super::cluster::{Cluster, GROUP, eventually};
use crate::format::v1;
use crate::hibernate::Boot;
use crate::net::message::{Answer, Message};
use crate::{Config, NodeId};

impl Cluster {
    async fn asleep(&self) {
        eventually("sleep", || self.sleeps().then_some(())).await;
    }

    fn sleeps(&self) -> bool {
        let mut nodes = self.nodes.keys();
        nodes.all(|node| self.group(*node, GROUP).is_asleep())
    }

    fn others(&self, node: NodeId) -> Vec<NodeId> {
        let nodes = self.nodes.keys().copied();
        nodes.filter(|other| *other != node).collect()
    }

    fn term(&self, node: NodeId) -> u64 {
        self.group(node, GROUP).status().term
    }

    fn wakes(&self, node: NodeId, why: crate::hibernate::Wake) -> u64 {
        let wakes = &self.nodes[&node].metrics.wakes;
        wakes.get_or_create(&why.into()).get()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_group_sleeps_everywhere_and_a_proposal_wakes_all_of_it() {
    let cluster = Cluster::of(3).await;
    let leader = cluster.propose("before").await;
    let term = cluster.term(leader);
    for round in 0..3 {
        cluster.asleep().await;
        let command = format!("round {round}");
        // No other node is asked first: what sleeps knows its leader.
        let group = cluster.group(leader, GROUP);
        group.propose(Bytes::from(command)).await.unwrap();
        assert_eq!(cluster.converged().await.len(), round + 2);
    }
    assert_eq!(cluster.term(leader), term, "nobody stood for election");
    let why = crate::hibernate::Wake::Proposal;
    assert_eq!(cluster.wakes(leader, why), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proposals_that_wake_a_group_together_are_all_taken() {
    let cluster = Cluster::of(3).await;
    let leader = cluster.propose("before").await;
    cluster.asleep().await;
    let group = cluster.group(leader, GROUP);
    let many = (0..20).map(|i| group.propose(Bytes::from(format!("{i}"))));
    for taken in futures_util::future::join_all(many).await {
        taken.unwrap();
    }
    assert_eq!(cluster.converged().await.len(), 21);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_linearizable_read_of_a_sleeping_group_is_confirmed_by_a_quorum() {
    let cluster = Cluster::of(3).await;
    let leader = cluster.propose("before").await;
    for node in cluster.others(leader) {
        cluster.asleep().await;
        cluster.group(node, GROUP).read_index().await.unwrap();
        assert!(cluster.journal(node).has("before"));
    }
    let why = crate::hibernate::Wake::Read;
    assert_eq!(cluster.wakes(leader, why), 2);
    cluster.asleep().await;
    let asked = cluster.group(leader, GROUP);
    cluster.network.partition(&[leader]);
    let read = tokio::time::timeout(Duration::from_millis(400), asked.read_index()).await;
    assert!(read.is_err(), "it was read without a quorum: {read:?}");
    cluster.network.heal();
    cluster.group(leader, GROUP).read_index().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_members_of_a_sleeping_group_elect_another_leader_when_its_node_is_lost() {
    let mut cluster = Cluster::of(3).await;
    let old = cluster.propose("before").await;
    cluster.asleep().await;
    let stopped = cluster.stop(old).await;
    assert_ne!(cluster.propose("without").await, old);
    // Without it, but without being in want of it.
    cluster.asleep().await;
    cluster.restart(stopped).await;
    eventually("the lost node alike, unasked", || {
        cluster.journal(old).has("without").then_some(())
    })
    .await;
    cluster.asleep().await;
    cluster.propose("after").await;
    assert_eq!(cluster.converged().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_back_before_it_is_missed_does_not_look_alive() {
    let mut cluster = Cluster::of(3).await;
    let old = cluster.propose("before").await;
    cluster.asleep().await;
    let term = cluster.term(old);
    let stopped = cluster.stop(old).await;
    cluster.restart(stopped).await;
    let leader = cluster.leader().await;
    eventually("a later term", || {
        (cluster.term(leader) > term).then_some(())
    })
    .await;
    cluster.propose("after").await;
    assert_eq!(cluster.converged().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_the_leader_does_not_reach_deposes_nobody() {
    for both_ways in [false, true] {
        let cluster = Cluster::of(3).await;
        let leader = cluster.propose("before").await;
        let term = cluster.term(leader);
        let lonely = cluster.others(leader)[0];
        cluster.asleep().await;
        cluster.network.cut(leader, lonely);
        if both_ways {
            cluster.network.cut(lonely, leader);
        }
        let lost = || cluster.wakes(lonely, crate::hibernate::Wake::Lost);
        eventually("the loss", || (lost() > 0).then_some(())).await;
        // It asks the third node for its vote, which hangs on the leader.
        tokio::time::sleep(
            Config::for_testing()
                .validate()
                .unwrap()
                .timing()
                .election_max
                * 2,
        )
        .await;
        cluster.network.heal();
        cluster.propose("after").await;
        assert_eq!(cluster.converged().await.len(), 2);
        let status = cluster.group(leader, GROUP).status();
        assert_eq!((status.leader, status.term), (Some(leader), term));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_the_leader_does_not_hear_wakes() {
    let cluster = Cluster::of(3).await;
    let leader = cluster.propose("before").await;
    let unheard = cluster.others(leader)[0];
    cluster.asleep().await;
    cluster.network.cut(unheard, leader);
    let lost = || cluster.wakes(unheard, crate::hibernate::Wake::Lost);
    eventually("the loss", || (lost() > 0).then_some(())).await;
    cluster.network.heal();
    cluster.asleep().await;
    assert_eq!(cluster.group(leader, GROUP).leader(), Some(leader));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_and_membership_of_a_sleeping_group_change_as_ever() {
    let mut cluster = Cluster::of(3).await;
    let leader = cluster.propose("before").await;
    let next = cluster.others(leader)[0];
    cluster.asleep().await;
    let group = cluster.group(leader, GROUP);
    group.transfer(next).await.unwrap();
    cluster.asleep().await;
    cluster.add_node(4, &[GROUP]).await;
    let group = cluster.group(next, GROUP);
    let peer = super::cluster::peer(NodeId(4));
    group.add_voter(NodeId(4), peer).await.unwrap();
    cluster.asleep().await;
    assert!(cluster.journal(NodeId(4)).has("before"));
    group.remove(leader).await.unwrap();
    assert!(!group.status().voters.contains_key(&leader));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_of_one_sleeps_and_wakes_by_itself() {
    let cluster = Cluster::of(1).await;
    cluster.propose("before").await;
    cluster.asleep().await;
    let group = cluster.group(NodeId(1), GROUP);
    group.propose(Bytes::from("after")).await.unwrap();
    cluster.asleep().await;
    group.read_index().await.unwrap();
    assert_eq!(cluster.journal(NodeId(1)).commands().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_sleeps_only_with_the_leader_and_the_entry_that_it_knows() {
    let cluster = Cluster::of(3).await;
    let leader = cluster.propose("before").await;
    let member = cluster.others(leader)[0];
    cluster.asleep().await;
    let status = cluster.group(leader, GROUP).status();
    let boot = cluster.nodes[&leader].raft.nodes().own();
    let vote = v1::Vote {
        term: status.term,
        leader: leader.0,
        committed: true,
    };
    let last = v1::LogId {
        term: status.term,
        leader: leader.0,
        index: status.last_log.unwrap(),
    };
    let elsewhere = cluster.nodes[&member].raft.nodes().own();
    let good = (vote, last, boot);
    let mut cases = vec![(good, Answer::Asleep)];
    let term = vote.term + 1;
    let index = last.index + 1;
    for bad in [
        (v1::Vote { term, ..vote }, last, boot),
        (
            v1::Vote {
                committed: false,
                ..vote
            },
            last,
            boot,
        ),
        (vote, v1::LogId { index, ..last }, boot),
        (vote, v1::LogId { term, ..last }, boot),
        (vote, last, Boot(boot.0 ^ 1)),
        (vote, last, elsewhere),
    ] {
        cases.push((bad, Answer::Awake));
    }
    let group = cluster.group(member, GROUP);
    for ((vote, last, boot), expected) in cases {
        let answer = group.answer(Message::Sleep { vote, last, boot }).await;
        assert_eq!(answer, expected, "{vote:?} {last:?} {boot:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_sleeps_and_no_beat_is_sent_before_it_is_allowed() {
    let mut cluster = Cluster::empty(Config::for_testing());
    cluster.hibernates = false;
    for node in 1..=3 {
        cluster.add_node(node, &[GROUP]).await;
    }
    cluster.initialize(GROUP, 1..=3).await;
    let leader = cluster.propose("before").await;
    tokio::time::sleep(Config::for_testing().hibernate_after * 4).await;
    for (id, node) in &cluster.nodes {
        assert!(!cluster.group(*id, GROUP).is_asleep());
        let now = Duration::ZERO;
        assert!(!node.raft.nodes().answers(leader, now));
    }
}
