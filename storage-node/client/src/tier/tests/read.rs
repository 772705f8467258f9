use std::time::Duration;

use storage_node_api::map::CLUSTER_GROUP;
use storage_node_api::metadata::{QueryError, Statement};
use storage_node_api::node::NodeError;
use storage_node_api::order::{Answer, Query, ReadError};
use storage_node_api::{Metadata, NodeId, Order, ReadPoint, Slot};

use super::fake::{Call, Do};
use super::world::{DEADLINE, HEDGE, World, map_of};

const SLOT: Slot = Slot(3);

/// Which node answered, and after how long.
async fn read(world: &World) -> (Result<u64, ReadError>, Duration) {
    let read = world
        .client
        .read(SLOT, ReadPoint::Linearizable, Query::StateHash);
    let (answer, took) = world.run(read).await;
    let node = answer.map(|answer| match answer {
        Answer::StateHash { index, .. } => index,
        other => panic!("{other:?}"),
    });
    (node, took)
}

#[tokio::test]
async fn the_near_replica_is_read_and_the_others_if_it_cannot_answer() {
    let group = map_of(3).group_of(SLOT);
    let node = NodeId(2);
    let broken = [
        (Do::Fail(NodeError::Unreachable { node }), Duration::ZERO),
        (Do::Read(ReadError::Unavailable { group }), Duration::ZERO),
        (Do::Read(ReadError::ReplicaFailed { group }), Duration::ZERO),
        (Do::Hang, HEDGE),
    ];
    for (what, expected) in broken {
        let world = World::near(3, 2);
        assert_eq!(read(&world).await, (Ok(2), Duration::ZERO));
        world.node(2).always(&[Call::Read], what.clone());
        let (answered, took) = read(&world).await;
        assert!(answered.is_ok_and(|id| id != 2), "{what:?}");
        assert_eq!(took, expected, "{what:?}");
        // It is left alone for a while, and then tried again.
        world.node(2).always(&[Call::Read], Do::Well);
        assert_ne!(read(&world).await.0, Ok(2));
        world.pass(Duration::from_secs(31)).await;
        assert_eq!(read(&world).await.0, Ok(2));
    }
}

#[tokio::test]
async fn a_replica_that_is_slow_answers_if_the_others_are_silent() {
    let world = World::near(3, 2);
    let late = Duration::from_secs(2);
    world.node(2).always(&[Call::Read], Do::After(late));
    for id in [1, 3] {
        world.node(id).always(&[Call::Read], Do::Hang);
    }
    assert_eq!(read(&world).await, (Ok(2), late));
    assert_eq!(world.node(2).take_calls(Call::Read), 1);
}

#[tokio::test]
async fn a_replica_that_names_the_leader_sends_the_reader_there() {
    let world = World::near(5, 1);
    world
        .node(1)
        .always(&[Call::Read], Do::NotLeader(Some(NodeId(5))));
    assert_eq!(read(&world).await.0, Ok(5));
}

#[tokio::test]
async fn a_read_waits_for_a_leader_until_the_deadline() {
    let world = World::new(3);
    let group = map_of(3).group_of(SLOT);
    let unavailable = ReadError::Unavailable { group };
    for node in &world.nodes {
        let elections = (0..4).map(|_| Do::Read(unavailable.clone()));
        node.script(Call::Read, elections, Do::Well);
    }
    let (answered, took) = read(&world).await;
    assert!(answered.is_ok() && took > Duration::ZERO && took < DEADLINE);
    for node in &world.nodes {
        node.always(&[Call::Read], Do::Read(unavailable.clone()));
    }
    let (failed, took) = read(&world).await;
    assert_eq!(failed, Err(unavailable));
    assert!(took > DEADLINE / 2 && took <= DEADLINE, "{took:?}");
}

#[tokio::test]
async fn replicas_that_have_all_failed_are_not_waited_for() {
    let world = World::new(3);
    let group = map_of(3).group_of(SLOT);
    let failed = ReadError::ReplicaFailed { group };
    for node in &world.nodes {
        node.always(&[Call::Read], Do::Read(failed.clone()));
    }
    assert_eq!(read(&world).await, (Err(failed), Duration::ZERO));
}

#[tokio::test]
async fn what_is_wrong_with_a_query_is_said_by_the_first_replica() {
    let world = World::near(3, 3);
    let query = || {
        let statement = Statement::new("SELECT 1", []);
        world.run(world.client.query(ReadPoint::Stale, statement))
    };
    assert_eq!(query().await.0.unwrap().changed, 3);
    world
        .node(3)
        .always(&[Call::Query], Do::Query(QueryError::TooManyRows));
    assert_eq!(
        query().await,
        (Err(QueryError::TooManyRows), Duration::ZERO)
    );
    world
        .node(3)
        .always(&[Call::Query], Do::Query(QueryError::Unavailable));
    assert!(query().await.0.is_ok_and(|rows| rows.changed != 3));
}

#[tokio::test]
async fn without_any_node_reads_fail_at_the_deadline() {
    let world = World::new(3);
    world.nodes.iter().for_each(|node| node.cut_off());
    let (failed, took) = read(&world).await;
    let group = CLUSTER_GROUP;
    assert_eq!(failed, Err(ReadError::Unavailable { group }));
    assert!(took > DEADLINE / 2 && took <= DEADLINE, "{took:?}");
    let map = world.run(world.client.map()).await.0;
    assert_eq!(map, Err(ReadError::Unavailable { group }));
}
