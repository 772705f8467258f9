use std::time::Duration;

use bytes::Bytes;
use chunking::{Chunk, ChunkRef};
use proptest::prelude::{any, proptest};
use storage_node_api::Content;
use storage_node_api::content::GetError;
use storage_node_api::limits::CHUNK_BATCH;
use storage_node_api::node::NodeError;

use super::fake::{Call, Do};
use super::world::{DEADLINE, DOMAIN, PATIENCE, World, chunk, reference};

fn references(chunks: &[Chunk]) -> Vec<ChunkRef> {
    chunks.iter().map(reference).collect()
}

fn bytes(chunks: &[Chunk]) -> Vec<Bytes> {
    chunks.iter().map(|chunk| chunk.bytes.clone()).collect()
}

async fn get(world: &World, chunks: Vec<ChunkRef>) -> (Result<Vec<Bytes>, GetError>, Duration) {
    world.run(world.client.get(DOMAIN, &chunks)).await
}

/// Every node has every chunk.
fn spread(world: &World, chunks: &[Chunk]) {
    for node in &world.nodes {
        chunks.iter().for_each(|chunk| node.keep(&chunk.bytes));
    }
}

#[tokio::test]
async fn bytes_come_in_the_order_asked_and_from_the_near_node() {
    let world = World::near(3, 2);
    let chunks = ["a", "bb", "a", "ccc"].map(chunk);
    spread(&world, &chunks);
    let got = get(&world, references(&chunks)).await;
    assert_eq!(got, (Ok(bytes(&chunks)), Duration::ZERO));
    let asked: Vec<usize> = world
        .nodes
        .iter()
        .map(|n| n.take_calls(Call::Fetch))
        .collect();
    assert_eq!(asked, [0, 1, 0]);
    assert_eq!(world.client.get(DOMAIN, &[]).await, Ok(Vec::new()));
}

#[tokio::test]
async fn the_node_that_answered_fastest_is_preferred() {
    let world = World::new(3);
    let one = [chunk("one")];
    spread(&world, &one);
    for (node, millis) in world.nodes.iter().zip([30, 5, 90]) {
        node.always(&[Call::Fetch], Do::After(Duration::from_millis(millis)));
    }
    // Each is tried once, as nothing is known of it; then only the fastest.
    for _ in 0..10 {
        let got = get(&world, references(&one)).await;
        assert_eq!(got.0, Ok(bytes(&one)));
    }
    let asked: Vec<usize> = world
        .nodes
        .iter()
        .map(|n| n.take_calls(Call::Fetch))
        .collect();
    assert_eq!(asked, [1, 8, 1]);
}

#[tokio::test]
async fn the_own_region_is_preferred_and_others_are_fallen_back_to() {
    let world = World::in_region(3, "here");
    world.remap(|map| map.nodes[1].region = "here".to_owned());
    let one = [chunk("one")];
    spread(&world, &one);
    let [first, slow, third] = [1, 2, 3].map(|id| world.node(id));
    slow.always(&[Call::Fetch], Do::After(Duration::from_millis(40)));
    for _ in 0..5 {
        let got = get(&world, references(&one)).await;
        assert_eq!(got, (Ok(bytes(&one)), Duration::from_millis(40)));
    }
    assert_eq!(slow.take_calls(Call::Fetch), 5);
    slow.cut_off();
    let got = get(&world, references(&one)).await;
    assert_eq!(got.0, Ok(bytes(&one)));
    let others = first.take_calls(Call::Fetch) + third.take_calls(Call::Fetch);
    assert_eq!(others, 1);
}

#[tokio::test]
async fn other_nodes_are_asked_for_what_the_first_lack_or_have_damaged() {
    let world = World::new(7);
    let one = chunk("one");
    let order = world.order(one.id);
    order[0].always(
        &[Call::Fetch],
        Do::Fail(NodeError::Unreachable { node: order[0].id }),
    );
    order[1].keep(&one.bytes);
    order[1].always(&[Call::Fetch], Do::Lie);
    order[2].always(&[Call::Fetch], Do::Hang);
    order[6].keep(&one.bytes);
    let got = get(&world, vec![reference(&one)]).await;
    assert_eq!(got, (Ok(vec![one.bytes.clone()]), PATIENCE));
}

#[tokio::test]
async fn a_chunk_that_no_node_has_is_missing_at_once_and_the_first_is_named() {
    let world = World::new(4);
    let chunks = ["a", "b", "c"].map(chunk);
    world.node(3).keep(&chunks[0].bytes);
    let got = get(&world, references(&chunks)).await;
    let missing = Err(GetError::Missing {
        chunk: chunks[1].id,
    });
    assert_eq!(got, (missing, Duration::ZERO));
    // Another length than the bytes have is another chunk.
    let mut wrong = reference(&chunks[0]);
    wrong.length += 1;
    let got = get(&world, vec![wrong]).await;
    let missing = Err(GetError::Missing { chunk: wrong.id });
    assert_eq!(got.0, missing);
}

#[tokio::test]
async fn a_cold_store_that_is_away_is_told_if_no_other_node_has_the_chunk() {
    let world = World::new(3);
    let one = [chunk("one")];
    for node in &world.nodes {
        let away = NodeError::ColdAway { node: node.id };
        node.always(&[Call::Fetch], Do::Fail(away));
    }
    let (failed, took) = get(&world, references(&one)).await;
    assert!(
        matches!(failed, Err(GetError::ColdAway { .. })),
        "{failed:?}"
    );
    assert!(took > DEADLINE / 2, "it may come back: {took:?}");
    world.node(2).keep(&one[0].bytes);
    world.node(2).always(&[Call::Fetch], Do::Well);
    assert_eq!(get(&world, references(&one)).await.0, Ok(bytes(&one)));
}

#[tokio::test]
async fn nodes_that_cannot_be_reached_are_waited_for_until_the_deadline() {
    let world = World::new(3);
    let one = [chunk("one")];
    world.session().await;
    world.nodes.iter().for_each(|node| node.cut_off());
    let (failed, took) = get(&world, references(&one)).await;
    assert_eq!(failed, Err(GetError::Unavailable));
    assert!(took > DEADLINE / 2 && took <= DEADLINE, "{took:?}");
    // An answer of one node shows that the storage is there.
    world.node(1).always(&[Call::Fetch], Do::Well);
    let missing = Err(GetError::Missing { chunk: one[0].id });
    assert_eq!(get(&world, references(&one)).await.0, missing);

    world.node(2).keep(&one[0].bytes);
    let failures = (0..5).map(|_| {
        Do::Fail(NodeError::Silent {
            node: world.node(2).id,
        })
    });
    world.node(2).script(Call::Fetch, failures, Do::Well);
    assert_eq!(get(&world, references(&one)).await.0, Ok(bytes(&one)));
}

#[tokio::test]
async fn a_new_map_is_asked_for_before_a_chunk_is_given_up() {
    let world = World::new(3);
    world.remap(|map| map.nodes.truncate(2));
    world.session().await;
    let one = [chunk("one")];
    world.node(3).keep(&one[0].bytes);
    world.remap(|map| {
        *map = super::world::map_of(3);
        map.epoch.0 += 1;
    });
    let got = get(&world, references(&one)).await;
    assert_eq!(got.0, Ok(bytes(&one)));
}

#[tokio::test]
async fn more_than_a_batch_is_refused() {
    let world = World::new(1);
    let many = vec![reference(&chunk("a")); CHUNK_BATCH + 1];
    let got = get(&world, many).await;
    assert_eq!(got.0, Err(GetError::TooMany));
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_returned_is_what_was_asked_for_and_an_intact_copy_is_found(
        // What each node does, and which chunks it has.
        nodes in proptest::collection::vec((0..5_usize, any::<u8>()), 1..8),
        count in 1..8_usize,
    ) {
        let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
        tokio.block_on(async {
            let world = World::new(nodes.len() as u64);
            let chunks: Vec<Chunk> = (0..count).map(|n| chunk(&"x".repeat(n + 1))).collect();
            let mut intact = vec![false; count];
            for (node, (how, has)) in world.nodes.iter().zip(&nodes) {
                let behaviour = [
                    Do::Well,
                    Do::After(Duration::from_secs(1)),
                    Do::Lie,
                    Do::Fail(NodeError::Silent { node: node.id }),
                    Do::Fail(NodeError::Failing { node: node.id }),
                ];
                node.always(&[Call::Fetch], behaviour[*how].clone());
                for (index, chunk) in chunks.iter().enumerate() {
                    if has >> index & 1 == 1 {
                        node.keep(&chunk.bytes);
                        intact[index] |= *how < 2;
                    }
                }
            }
            let (got, _) = get(&world, references(&chunks)).await;
            match (intact.iter().position(|intact| !intact), got) {
                (None, got) => assert_eq!(got, Ok(bytes(&chunks))),
                (Some(_), Err(GetError::Unavailable)) => {
                    assert!(nodes.iter().all(|(how, _)| *how == 3));
                }
                (Some(lost), got) => {
                    assert_eq!(got, Err(GetError::Missing { chunk: chunks[lost].id }));
                }
            }
        });
    }
}
