//! Learners, voters that go, leadership that is handed on, removed nodes, and a lost quorum.

use std::time::Duration;

use bytes::Bytes;
use runtime::Survives;

use super::cluster::{Cluster, GROUP, eventually, members, peer};
use crate::rescue::{Rescue, look, rescue};
use crate::{Config, Fence, Group, MembershipError, NodeId, TransferError};

/// Repeats what may be interrupted by an election until it is done by whoever leads.
async fn by_leader<F>(cluster: &Cluster, what: &str, change: impl Fn(Group) -> F)
where
    F: Future<Output = Result<(), MembershipError>>,
{
    let mut last = None;
    for _ in 0..400 {
        for node in cluster.nodes.keys() {
            match change(cluster.group(*node, GROUP)).await {
                Ok(()) => return,
                Err(error) => last = Some(error),
            }
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{what}: {last:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_learner_follows_without_a_vote_and_becomes_a_voter_and_a_learner_again() {
    let mut cluster = Cluster::of(1).await;
    let group = cluster.group(NodeId(1), GROUP);
    cluster.propose("before").await;
    group.add_learner(NodeId(2), peer(NodeId(2))).await.unwrap();
    // It is not there: a voter it cannot become, and nobody waits for it.
    let early = group.promote(NodeId(2)).await;
    assert!(
        matches!(early, Err(MembershipError::Behind { behind: None, .. })),
        "{early:?}"
    );
    let stranger = group.promote(NodeId(7)).await;
    assert!(matches!(stranger, Err(MembershipError::NoMember { .. })));
    cluster.propose("without it").await;
    cluster.add_node(2, &[GROUP]).await;
    by_leader(&cluster, "promote", |group| async move {
        group.promote(NodeId(2)).await
    })
    .await;
    assert_eq!(group.status().voters, members(1..=2));
    by_leader(&cluster, "demote", |group| async move {
        group.demote(NodeId(2)).await
    })
    .await;
    assert_eq!(group.status().voters, members([1]));
    assert_eq!(group.status().learners, members([2]));
    cluster.propose("as a learner").await;
    assert_eq!(cluster.converged().await.len(), 3);
    cluster.stop(NodeId(2)).await;
    // The learner's absence costs no quorum.
    cluster.propose("alone again").await;
    let last = group.demote(NodeId(1)).await;
    assert!(
        matches!(last, Err(MembershipError::Leads { .. })),
        "{last:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_goes_where_it_is_sent_and_not_to_who_cannot_take_it() {
    let mut cluster = Cluster::of(3).await;
    for round in 0..6_u64 {
        let from = cluster.leader().await;
        let to = NodeId(from.0 % 3 + 1);
        cluster.propose(&format!("{round}")).await;
        eventually("a caught up voter", || {
            let progress = cluster.group(from, GROUP).progress();
            (progress.get(&to)?.behind? == 0).then_some(())
        })
        .await;
        cluster.group(from, GROUP).transfer(to).await.unwrap();
        let by = cluster
            .propose_among(&[to], &format!("{round} by it"))
            .await;
        assert_eq!(by, to);
        let refused = cluster.group(from, GROUP).transfer(to).await;
        assert!(
            matches!(refused, Err(TransferError::NotLeader { .. })),
            "{refused:?}"
        );
    }
    let leader = cluster.leader().await;
    let group = cluster.group(leader, GROUP);
    let stranger = group.transfer(NodeId(9)).await;
    assert!(matches!(stranger, Err(TransferError::NotAVoter { .. })));
    let dead = NodeId(leader.0 % 3 + 1);
    cluster.stop(dead).await;
    eventually("silence", || {
        let progress = *group.progress().get(&dead)?;
        (!group.is_heard(&progress)).then_some(())
    })
    .await;
    let refused = group.transfer(dead).await;
    assert!(
        matches!(refused, Err(TransferError::Behind { .. })),
        "{refused:?}"
    );
    cluster.propose("still led").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_voter_that_was_removed_is_not_listened_to_and_is_told() {
    let cluster = Cluster::of(4).await;
    cluster.propose("four").await;
    let leader = cluster.leader().await;
    let gone = NodeId(leader.0 % 4 + 1);
    let group = cluster.group(leader, GROUP);
    group.remove(gone).await.unwrap();
    group.remove(gone).await.unwrap();
    let rest: Vec<NodeId> = cluster
        .nodes
        .keys()
        .copied()
        .filter(|n| *n != gone)
        .collect();
    assert_eq!(group.status().voters, members(rest.iter().map(|n| n.0)));
    assert!(group.status().learners.is_empty());
    cluster.propose_among(&rest, "three").await;
    let fence = Fence {
        next: 5,
        members: rest.iter().copied().collect(),
    };
    for node in &rest {
        cluster.nodes[node].raft.set_fence(fence.clone());
    }
    let term = group.status().term;
    // It believes to be a voter still, stands for election, and hears why nobody answers.
    eventually("it is told", || {
        cluster.nodes[&gone].raft.is_removed().then_some(())
    })
    .await;
    let refused = cluster
        .group(gone, GROUP)
        .propose(Bytes::from("late"))
        .await;
    assert!(refused.is_err());
    assert!(cluster.group(gone, GROUP).read_index().await.is_err());
    assert!(!cluster.nodes[&leader].raft.is_removed());
    cluster.propose_among(&rest, "undisturbed").await;
    assert_eq!(group.status().term, term);
    let told = cluster.journal(gone).commands();
    assert!(told.values().all(|command| command != "undisturbed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_a_crash_has_cut_in_two_is_finished_by_the_next_leader() {
    for survives in [Survives::Nothing, Survives::Random(3), Survives::Everything] {
        let mut config = Config::for_testing();
        config.propose_timeout = Duration::from_secs(2);
        let mut cluster = Cluster::empty(config);
        for node in 1..=4 {
            cluster.add_node(node, &[GROUP]).await;
        }
        cluster.initialize(GROUP, 1..=4).await;
        cluster.propose("before").await;
        let leader = cluster.leader().await;
        let going = NodeId(leader.0 % 4 + 1);
        let group = cluster.group(leader, GROUP);
        // The first of the two entries reaches everybody; the leader dies as soon as it is there.
        let change = tokio::spawn(async move { group.remove(going).await });
        eventually("half a change, or all of it", || {
            let seen = cluster.nodes.keys().filter(|node| **node != leader);
            let status = |node: &NodeId| cluster.group(*node, GROUP).status();
            let changed = seen.filter(|n| status(n).joint || status(n).voters.len() == 3);
            (changed.count() > 0).then_some(())
        })
        .await;
        cluster.crash(leader, survives).await;
        change.abort();
        by_leader(&cluster, "settle and remove", |group| async move {
            group.settle().await?;
            group.read_index().await.ok();
            let status = group.status();
            if status.leader == Some(going) {
                let heir = status.voters.keys().find(|node| **node != going);
                let _ = group.transfer(*heir.unwrap()).await;
            }
            group.remove(going).await
        })
        .await;
        let rest: Vec<NodeId> = cluster
            .nodes
            .keys()
            .copied()
            .filter(|n| *n != going)
            .collect();
        cluster.propose_among(&rest, "after").await;
        let leader = cluster.leader_among(GROUP, &rest).await;
        let status = cluster.group(leader, GROUP).status();
        assert!(!status.joint);
        assert_eq!(status.voters, members(rest.iter().map(|node| node.0)));
        for node in rest {
            eventually("what was acknowledged", || {
                let commands = cluster.journal(node).commands();
                let has = |wanted: &str| commands.values().any(|command| command == wanted);
                (has("before") && has("after")).then_some(())
            })
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_survivor_goes_on_alone_and_the_former_members_cannot_take_it_back() {
    let mut cluster = Cluster::of(3).await;
    // Enough that the beginning of the log is gone.
    for i in 0..120 {
        cluster.propose(&format!("{i}")).await;
    }
    cluster.converged().await;
    let mut survivor = cluster.stop(NodeId(2)).await;
    // The others go on without it: what they acknowledge now is lost to it.
    cluster.propose_among(&[NodeId(1), NodeId(3)], "lost").await;
    let fence = Fence {
        next: 4,
        members: [NodeId(2)].into(),
    };
    let found = look(&survivor.log, GROUP).unwrap();
    assert!(found.last >= Some(120), "{found:?}");
    let groups = [Rescue {
        group: GROUP,
        command: Some(Bytes::from("rescued")),
    }];
    assert!(rescue(&survivor.log, NodeId(3), "memory-3", &groups, &fence).is_err());
    rescue(&survivor.log, NodeId(2), "memory-2", &groups, &fence).unwrap();
    survivor.log = survivor.log.crash(Survives::Nothing);
    cluster.restart(survivor).await;
    cluster.propose_among(&[NodeId(2)], "alone").await;
    // The old members are a quorum among themselves, and it is none of theirs.
    cluster
        .propose_among(&[NodeId(1), NodeId(3)], "elsewhere")
        .await;
    eventually("they are told", || {
        let told = |node| cluster.nodes[&NodeId(node)].raft.is_removed();
        (told(1) || told(3)).then_some(())
    })
    .await;
    let commands = cluster.journal(NodeId(2)).commands();
    let last: Vec<_> = commands.values().rev().take(2).collect();
    assert_eq!(last, ["alone", "rescued"]);
    assert_eq!(commands.len(), 122);
    assert_eq!(
        cluster.group(NodeId(2), GROUP).status().voters,
        members([2])
    );
    // New nodes join as always.
    cluster.add_node(5, &[GROUP]).await;
    let group = cluster.group(NodeId(2), GROUP);
    group.add_voter(NodeId(5), peer(NodeId(5))).await.unwrap();
    eventually("the new node has it all", || {
        (cluster.journal(NodeId(5)).commands() == commands).then_some(())
    })
    .await;
}
