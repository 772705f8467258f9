use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use chunking::{Chunk, ChunkId};
use futures_util::poll;
use proptest::prelude::{any, proptest};
use storage_node_api::content::{PutError, Receipt};
use storage_node_api::limits::PUT_BATCH_BYTES;
use storage_node_api::node::NodeError;
use storage_node_api::{Content, Generation, Incarnation, NodeId};

use super::fake::{Call, Do, Fake};
use super::world::{DEADLINE, PATIENCE, World, chunk, large};

fn unreachable(node: &Fake) -> Do {
    Do::Fail(NodeError::Unreachable { node: node.id })
}

#[tokio::test]
async fn each_chunk_is_held_by_a_quorum_and_answered_in_the_order_of_the_call() {
    let world = World::new(3);
    let session = world.session().await;
    let chunks = ["a", "b", "a", "c"].map(chunk).to_vec();
    let (held, took) = world.run(world.client.put(&session, chunks.clone())).await;
    let held = held.unwrap();
    assert_eq!(took, Duration::ZERO);
    for (held, chunk) in held.iter().zip(&chunks) {
        assert_eq!(held.chunk, chunk.id);
        let nodes: BTreeSet<NodeId> = held.receipts.iter().map(|r| r.node).collect();
        assert!(nodes.len() >= 2 && nodes.len() == held.receipts.len());
        assert!(nodes.iter().all(|node| world.node(node.0).has(chunk.id)));
        let exact = |r: &&Receipt| {
            **r == Receipt {
                node: r.node,
                incarnation: Incarnation(7),
                epoch: session.epoch,
                generation: session.generation,
                domain: session.domain,
            }
        };
        assert_eq!(held.receipts.iter().filter(exact).count(), nodes.len());
    }
    assert_eq!(held.len(), 4);
    assert_eq!(world.client.put(&session, Vec::new()).await, Ok(Vec::new()));
}

#[tokio::test]
async fn chunks_that_a_node_has_are_pinned_and_not_sent() {
    let world = World::new(3);
    let session = world.session().await;
    let put = || world.client.put(&session, vec![large("a"), large("b")]);
    world.run(put()).await.0.unwrap();
    world.pass(Duration::from_secs(1)).await;
    for node in &world.nodes {
        assert_eq!(node.take_calls(Call::Store), 1);
        node.take_calls(Call::Presence);
    }
    world.run(put()).await.0.unwrap();
    world.pass(Duration::from_secs(1)).await;
    for node in &world.nodes {
        assert_eq!(node.take_calls(Call::Presence), 1);
        assert_eq!(node.take_calls(Call::Store), 0);
    }
}

#[tokio::test]
async fn small_chunks_are_sent_with_the_question_and_large_ones_after_it() {
    let world = World::new(3);
    let session = world.session().await;
    for (chunks, questions) in [
        (vec![chunk("a"), chunk("b")], 0),
        (vec![large("c")], 1),
        (vec![chunk("d"), large("e")], 1),
    ] {
        let (held, _) = world.run(world.client.put(&session, chunks)).await;
        assert!(held.is_ok());
        world.pass(Duration::from_secs(1)).await;
        for node in &world.nodes {
            assert_eq!(node.take_calls(Call::Presence), questions);
            assert_eq!(node.take_calls(Call::Store), 1);
        }
    }
}

#[tokio::test]
async fn a_put_returns_without_the_slow_node_which_gets_its_copy_later() {
    let world = World::new(3);
    let session = world.session().await;
    let slow = world.node(2);
    slow.always(&[Call::Store], Do::After(Duration::from_millis(1500)));
    let one = chunk("one");
    let (held, took) = world
        .run(world.client.put(&session, vec![one.clone()]))
        .await;
    assert_eq!(took, Duration::ZERO);
    assert!(held.unwrap()[0].receipts.iter().all(|r| r.node != slow.id));
    assert!(!slow.has(one.id));
    world.pass(Duration::from_secs(2)).await;
    assert!(slow.has(one.id));
}

#[tokio::test]
async fn a_node_that_fails_is_replaced_by_the_next_in_order_at_once() {
    let world = World::new(7);
    let session = world.session().await;
    let one = large("one");
    let order = world.order(one.id);
    order[0].always(&[Call::Presence], unreachable(order[0]));
    order[1].always(
        &[Call::Store],
        Do::Fail(NodeError::Failing { node: order[1].id }),
    );
    let (held, took) = world
        .run(world.client.put(&session, vec![one.clone()]))
        .await;
    assert_eq!(took, Duration::ZERO);
    assert!(held.unwrap()[0].receipts.len() >= 2);
    world.pass(Duration::from_secs(1)).await;
    let holders: Vec<bool> = order.iter().map(|node| node.has(one.id)).collect();
    assert_eq!(holders, [false, false, true, true, true, false, false]);
}

#[tokio::test]
async fn nodes_that_do_not_answer_are_replaced_when_patience_ends() {
    let world = World::new(5);
    let session = world.session().await;
    let one = large("one");
    let order = world.order(one.id);
    order[0].always(&[Call::Presence], Do::Hang);
    order[2].always(&[Call::Store], Do::Hang);
    let (held, took) = world
        .run(world.client.put(&session, vec![one.clone()]))
        .await;
    assert!(held.unwrap()[0].receipts.len() >= 2);
    assert_eq!(took, PATIENCE);
    assert!(order[3].has(one.id));
}

#[tokio::test]
async fn full_disks_end_a_put_at_once_and_other_failures_at_the_deadline() {
    let world = World::new(3);
    let session = world.session().await;
    for node in &world.nodes[..2] {
        node.always(&[Call::Store], Do::Fail(NodeError::Full { node: node.id }));
    }
    let put = || world.run(world.client.put(&session, vec![chunk("a")]));
    assert_eq!(put().await, (Err(PutError::Full), Duration::ZERO));
    world.nodes[0].always(&[Call::Store], unreachable(&world.nodes[0]));
    let (failed, took) = put().await;
    assert_eq!(failed, Err(PutError::NoQuorum { held: 1, needed: 2 }));
    assert!(took > DEADLINE / 2 && took <= DEADLINE, "{took:?}");
}

#[tokio::test]
async fn a_put_goes_on_when_nodes_come_back() {
    let world = World::new(3);
    let session = world.session().await;
    for node in &world.nodes[1..] {
        let failures = (0..4).map(|_| unreachable(node));
        node.script(Call::Presence, failures, Do::Well);
    }
    let (held, took) = world
        .run(world.client.put(&session, vec![large("a")]))
        .await;
    assert!(held.unwrap()[0].receipts.len() >= 2);
    assert!(took > Duration::ZERO && took < DEADLINE);
    // What the first node took in the first attempt was not sent again.
    assert_eq!(world.nodes[0].take_calls(Call::Store), 1);
}

#[tokio::test]
async fn an_old_session_is_said_to_be_expired_and_the_next_is_new() {
    let world = World::new(3);
    let session = world.session().await;
    world.remap(|map| {
        map.epoch.0 += 1;
        map.generation = Generation(9);
    });
    let put = world.client.put(&session, vec![chunk("a")]);
    assert_eq!(world.run(put).await.0, Err(PutError::SessionExpired));
    let next = world.session().await;
    assert_eq!(next.generation, Generation(9));
    let put = world.client.put(&next, vec![chunk("a")]);
    assert!(world.run(put).await.0.is_ok());
}

#[tokio::test]
async fn wrong_bytes_are_refused_but_bytes_damaged_on_the_way_go_to_another_node() {
    let world = World::new(4);
    let session = world.session().await;
    let one = chunk("one");
    let wrong = Chunk {
        id: one.id,
        bytes: Bytes::from_static(b"two"),
    };
    let put = world.client.put(&session, vec![chunk("a"), wrong]);
    let mismatch = PutError::Mismatch { chunk: one.id };
    assert_eq!(world.run(put).await.0, Err(mismatch));

    let order = world.order(one.id);
    for damaged in &order[..2] {
        damaged.always(
            &[Call::Store],
            Do::Fail(NodeError::Mismatch { chunk: one.id }),
        );
    }
    let put = world.client.put(&session, vec![one.clone()]);
    let held = world.run(put).await.0.unwrap();
    let nodes: BTreeSet<NodeId> = held[0].receipts.iter().map(|r| r.node).collect();
    assert_eq!(nodes, BTreeSet::from([order[2].id, order[3].id]));
}

#[tokio::test]
async fn receipts_in_the_name_of_another_node_do_not_count() {
    let world = World::new(3);
    let session = world.session().await;
    // The first answers in the name of the second, which has nothing.
    world
        .node(1)
        .always(&[Call::Presence, Call::Store], Do::Lie);
    let second = world.node(2);
    second.always(&[Call::Presence], unreachable(second));
    let put = world.client.put(&session, vec![large("a")]);
    let no_quorum = PutError::NoQuorum { held: 1, needed: 2 };
    assert_eq!(world.run(put).await.0, Err(no_quorum));
}

#[tokio::test]
async fn copies_that_are_late_are_limited_in_bytes() {
    let world = World::new(3);
    let session = world.session().await;
    let slow = world.node(3);
    slow.always(&[Call::Store], Do::Hang);
    let mut most = 0;
    for number in 0..20_u8 {
        let bytes = Bytes::from(vec![number; PUT_BATCH_BYTES]);
        let id = ChunkId::of(&bytes);
        let put = world.client.put(&session, vec![Chunk { id, bytes }]);
        let (held, took) = world.run(put).await;
        assert!(held.is_ok());
        assert_eq!(took, Duration::ZERO);
        for _ in 0..30 {
            tokio::task::yield_now().await;
        }
        most = most.max(slow.under_way.load(Ordering::Relaxed));
    }
    assert_eq!(most, 8);
    world.pass(DEADLINE).await;
    assert_eq!(slow.under_way.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_put_that_is_dropped_ends_what_it_began() {
    let world = World::new(3);
    let session = world.session().await;
    for node in &world.nodes {
        node.always(&[Call::Store], Do::Hang);
    }
    {
        let mut put = pin!(world.client.put(&session, vec![chunk("a")]));
        for _ in 0..30 {
            assert!(matches!(poll!(put.as_mut()), Poll::Pending));
            tokio::task::yield_now().await;
        }
        assert_eq!(world.node(1).under_way.load(Ordering::Relaxed), 1);
    }
    for _ in 0..30 {
        tokio::task::yield_now().await;
    }
    for node in &world.nodes {
        assert_eq!(node.under_way.load(Ordering::Relaxed), 0);
    }
}

#[tokio::test]
async fn a_put_of_more_than_a_batch_is_sent_in_several() {
    let world = World::new(1);
    let session = world.session().await;
    let chunks: Vec<Chunk> = (0..5_u8)
        .map(|number| {
            let bytes = Bytes::from(vec![number; PUT_BATCH_BYTES / 2]);
            Chunk {
                id: ChunkId::of(&bytes),
                bytes,
            }
        })
        .collect();
    let (held, _) = world.run(world.client.put(&session, chunks.clone())).await;
    assert_eq!(held.unwrap().len(), 5);
    assert_eq!(world.node(1).take_calls(Call::Store), 3);
    assert!(chunks.iter().all(|chunk| world.node(1).has(chunk.id)));
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn a_put_succeeds_with_as_many_failing_nodes_as_the_policy_survives(
        nodes in 1..8_u64,
        failing in any::<usize>(),
        how in 0..6_usize,
        in_store in any::<bool>(),
        chunks in proptest::collection::vec("[a-z]{1,3}", 1..8),
        are_large in any::<bool>(),
    ) {
        let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
        tokio.block_on(async {
            let world = World::new(nodes);
            let session = world.session().await;
            // With one or two copies the policy survives no loss while writing.
            if nodes >= 3 {
                let node = &world.nodes[failing % world.nodes.len()];
                let what = [
                    unreachable(node),
                    Do::Fail(NodeError::Full { node: node.id }),
                    Do::Fail(NodeError::Failing { node: node.id }),
                    Do::Hang,
                    Do::After(Duration::from_secs(4)),
                    Do::Lie,
                ];
                let call = if in_store { Call::Store } else { Call::Presence };
                node.always(&[call], what[how].clone());
            }
            let make = if are_large { large } else { chunk };
            let chunks: Vec<Chunk> = chunks.iter().map(|text| make(text)).collect();
            let (held, _) = world.run(world.client.put(&session, chunks.clone())).await;
            let held = held.unwrap();
            assert_eq!(held.len(), chunks.len());
            let needed = super::world::map_of(nodes).quorum(super::world::DOMAIN);
            for (held, chunk) in held.iter().zip(&chunks) {
                let domains: BTreeSet<NodeId> = held.receipts.iter().map(|r| r.node).collect();
                assert!(held.chunk == chunk.id && domains.len() >= needed);
                assert!(domains.iter().all(|node| world.node(node.0).has(chunk.id)));
            }
        });
    }
}
