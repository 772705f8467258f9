use std::time::Duration;

use storage_node_api::map::METADATA_GROUP;
use storage_node_api::metadata::{Batch, ExecuteError};
use storage_node_api::node::NodeError;
use storage_node_api::order::{Command, ProposeError, Request};
use storage_node_api::{Effect, Metadata, NodeId, Order, RequestId, Slot, Timestamp, UploadId};

use super::fake::{Call, Do, Fake};
use super::world::{DEADLINE, HEDGE, World, map_of};

const SLOT: Slot = Slot(700);

fn request(id: u8) -> Request {
    Request {
        id: RequestId([id; 16]),
        time: Timestamp(1),
        command: Command::Unstage(UploadId([id; 16])),
    }
}

fn batch(id: u8) -> Batch {
    Batch::new(RequestId([id; 16]), Vec::new())
}

fn silent(node: &Fake) -> NodeError {
    NodeError::Silent { node: node.id }
}

fn interrupted() -> ProposeError {
    let group = map_of(3).group_of(SLOT);
    ProposeError::Interrupted { group }
}

#[tokio::test]
async fn the_leader_is_found_by_hints_and_remembered() {
    let world = World::new(5);
    world.agreed.lock().unwrap().leader = Some(NodeId(4));
    let (committed, took) = world.run(world.client.propose(SLOT, request(1))).await;
    let committed = committed.unwrap();
    assert_eq!(committed.token.group, map_of(5).group_of(SLOT));
    assert_eq!(took, Duration::ZERO);
    let asked: usize = world
        .nodes
        .iter()
        .map(|n| n.take_calls(Call::Propose))
        .sum();
    assert_eq!(asked, 2);

    let second = world.client.propose(SLOT, request(2));
    assert_eq!(world.run(second).await.0.unwrap().token.index, 2);
    let asked: Vec<usize> = world
        .nodes
        .iter()
        .map(|n| n.take_calls(Call::Propose))
        .collect();
    assert_eq!(asked, [0, 0, 0, 1, 0]);
}

#[tokio::test]
async fn a_leader_lost_on_the_way_does_not_apply_a_write_twice() {
    let world = World::new(3);
    world
        .run(world.client.propose(SLOT, request(1)))
        .await
        .0
        .unwrap();
    // The old leader commits, dies, and another takes over after a while.
    let old = world.node(1);
    old.script(
        Call::Propose,
        [Do::ApplyThen(silent(old))],
        Do::Fail(silent(old)),
    );
    world.agreed.lock().unwrap().leader = None;
    let (committed, took) = {
        let propose = world.client.propose(SLOT, request(2));
        let elect = async {
            world.runtime.clock.sleep(Duration::from_secs(2)).await;
            world.agreed.lock().unwrap().leader = Some(NodeId(3));
        };
        let ((committed, ()), took) = world.run(futures_util::future::join(propose, elect)).await;
        (committed, took)
    };
    assert_eq!(committed.unwrap().token.index, 2);
    assert!(
        took >= Duration::from_secs(2) && took < Duration::from_secs(4),
        "{took:?}"
    );
    let agreed = world.agreed.lock().unwrap();
    assert_eq!((agreed.index, agreed.applied.len()), (2, 2));
}

#[tokio::test]
async fn another_node_is_asked_as_well_as_a_leader_that_hangs() {
    let world = World::new(3);
    world
        .node(1)
        .script(Call::Propose, [Do::Hang], Do::NotLeader(Some(NodeId(2))));
    world.agreed.lock().unwrap().leader = Some(NodeId(2));
    let (committed, took) = world.run(world.client.propose(SLOT, request(1))).await;
    assert_eq!(committed.unwrap().token.index, 1);
    assert_eq!(took, HEDGE);
}

#[tokio::test]
async fn a_leader_that_is_slow_answers_and_is_asked_once() {
    let world = World::new(3);
    let slow = Duration::from_millis(2500);
    world
        .node(1)
        .script(Call::Propose, [Do::After(slow)], Do::Hang);
    world.agreed.lock().unwrap().leader = Some(NodeId(1));
    let (committed, took) = world.run(world.client.propose(SLOT, request(1))).await;
    assert_eq!(committed.unwrap().token.index, 1);
    assert_eq!(took, slow);
    assert_eq!(world.node(1).take_calls(Call::Propose), 1);
}

#[tokio::test]
async fn a_write_goes_on_as_soon_as_a_silent_leader_has_a_successor() {
    let world = World::new(3);
    world.agreed.lock().unwrap().leader = Some(NodeId(1));
    let first = world.client.propose(SLOT, request(1));
    world.run(first).await.0.unwrap();
    world.node(1).always(&[Call::Propose], Do::Hang);
    let elected = Duration::from_millis(1300);
    let elect = async {
        world.runtime.clock.sleep(elected).await;
        world.agreed.lock().unwrap().leader = Some(NodeId(3));
    };
    let propose = world.client.propose(SLOT, request(2));
    let ((committed, ()), took) = world.run(futures_util::future::join(propose, elect)).await;
    assert_eq!(committed.unwrap().token.index, 2);
    assert!(took < elected + HEDGE, "{took:?}");
}

#[tokio::test]
async fn a_write_that_nobody_answers_ends_in_time() {
    for hanging in [&[1_u64][..], &[2], &[1, 2, 3]] {
        let world = World::new(3);
        world.agreed.lock().unwrap().leader = None;
        for id in hanging {
            world.node(*id).always(&[Call::Propose], Do::Hang);
        }
        let (failed, took) = world.run(world.client.propose(SLOT, request(1))).await;
        assert_eq!(failed, Err(interrupted()), "{hanging:?}");
        assert!(took <= DEADLINE, "{took:?}");
    }
}

#[tokio::test]
async fn while_a_leader_is_silent_nobody_says_that_nothing_happened() {
    let world = World::new(3);
    world.agreed.lock().unwrap().leader = Some(NodeId(1));
    world.node(1).always(&[Call::Propose], Do::Hang);
    let too_large = Do::Propose(ProposeError::TooLarge { bytes: 1 });
    for id in [2, 3] {
        world.node(id).always(&[Call::Propose], too_large.clone());
    }
    let (failed, _) = world.run(world.client.propose(SLOT, request(1))).await;
    assert_eq!(failed, Err(interrupted()));
}

#[tokio::test]
async fn once_the_effect_is_unknown_it_stays_unknown() {
    let group = map_of(3).group_of(SLOT);
    let later = [
        Do::NotLeader(None),
        Do::Fail(NodeError::Unreachable { node: NodeId(1) }),
        Do::Propose(ProposeError::Full),
        Do::Propose(ProposeError::TooLarge { bytes: 1 }),
        Do::Propose(ProposeError::Overloaded { group }),
        Do::Propose(ProposeError::NoLeader { group }),
    ];
    for then in later {
        let world = World::new(3);
        world.agreed.lock().unwrap().leader = None;
        let node = world.node(1);
        node.script(Call::Propose, [Do::ApplyThen(silent(node))], then.clone());
        let (failed, took) = world.run(world.client.propose(SLOT, request(1))).await;
        assert_eq!(failed, Err(interrupted()), "{then:?}");
        assert_eq!(failed.unwrap_err().effect(), Effect::Unknown);
        assert!(took <= DEADLINE);
    }
}

#[tokio::test]
async fn without_a_leader_nothing_happens_and_the_error_says_so() {
    let world = World::new(3);
    world.agreed.lock().unwrap().leader = None;
    let group = map_of(3).group_of(SLOT);
    let (failed, took) = world.run(world.client.propose(SLOT, request(1))).await;
    assert_eq!(failed, Err(ProposeError::NoLeader { group }));
    assert!(took > DEADLINE / 2 && took <= DEADLINE, "{took:?}");
    // Nodes that name each other are not asked without end.
    let asked: usize = world
        .nodes
        .iter()
        .map(|n| n.take_calls(Call::Propose))
        .sum();
    assert!((30..300).contains(&asked), "{asked}");
    assert_eq!(world.agreed.lock().unwrap().index, 0);

    world.nodes.iter().for_each(|node| node.cut_off());
    let failed = world.run(world.client.propose(SLOT, request(1))).await.0;
    assert_eq!(failed, Err(ProposeError::NoLeader { group }));
}

#[tokio::test]
async fn refusals_that_stay_are_returned_at_once_and_overload_is_waited_out() {
    let group = map_of(3).group_of(SLOT);
    for error in [ProposeError::Full, ProposeError::TooLarge { bytes: 9 }] {
        let world = World::new(1);
        world
            .node(1)
            .always(&[Call::Propose], Do::Propose(error.clone()));
        let failed = world.run(world.client.propose(SLOT, request(1))).await;
        assert_eq!(failed, (Err(error), Duration::ZERO));
    }
    let world = World::new(1);
    let overloaded = ProposeError::Overloaded { group };
    let times = (0..3).map(|_| Do::Propose(overloaded.clone()));
    world.node(1).script(Call::Propose, times, Do::Well);
    let (committed, took) = world.run(world.client.propose(SLOT, request(1))).await;
    assert!(committed.is_ok() && took > Duration::ZERO);
    world
        .node(1)
        .always(&[Call::Propose], Do::Propose(overloaded.clone()));
    let failed = world.run(world.client.propose(SLOT, request(2))).await.0;
    assert_eq!(failed, Err(overloaded));
}

#[tokio::test]
async fn a_batch_of_facts_is_committed_once_and_its_refusal_is_the_answer() {
    let world = World::new(3);
    let leader = world.node(1);
    leader.script(Call::Execute, [Do::ApplyThen(silent(leader))], Do::Well);
    let executed = world.run(world.client.execute(batch(1))).await.0.unwrap();
    assert_eq!(
        (executed.token.group, executed.token.index),
        (METADATA_GROUP, 1)
    );
    assert_eq!(world.agreed.lock().unwrap().index, 1);

    let guard = ExecuteError::Guard {
        statement: 0,
        found: 2,
    };
    leader.script(
        Call::Execute,
        [Do::Fail(silent(leader))],
        Do::Execute(guard.clone()),
    );
    assert_eq!(
        world.run(world.client.execute(batch(2))).await.0,
        Err(guard)
    );

    leader.script(
        Call::Execute,
        [Do::Execute(ExecuteError::Interrupted)],
        Do::Execute(ExecuteError::Full),
    );
    let failed = world.run(world.client.execute(batch(3))).await.0;
    assert_eq!(failed, Err(ExecuteError::Interrupted));
}
