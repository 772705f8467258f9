use std::collections::BTreeSet;

use chunking::{Chunk, ChunkId, ChunkRef, MAX_CHUNK_BYTES};

use super::world::{DOMAIN, World};
use crate::content::{GetError, PutError};
use crate::limits::CHUNK_BATCH;
use crate::{Effect, Retry};

fn reference(chunk: &Chunk) -> ChunkRef {
    ChunkRef {
        id: chunk.id,
        length: u32::try_from(chunk.bytes.len()).expect("a chunk is small"),
    }
}

pub(super) async fn chunks_come_back_as_they_were_put(world: World) {
    let session = world.session(DOMAIN).await;
    let chunks: Vec<Chunk> = [1, 2, 4095, 4096, 4097, 100_000, MAX_CHUNK_BYTES]
        .into_iter()
        .map(|length| world.random_chunk(length))
        .collect();
    let put = world.storage.put(&session, chunks.clone()).await;
    let held = put.expect("chunks are put");
    let ids: Vec<ChunkId> = held.iter().map(|held| held.chunk).collect();
    let expected: Vec<ChunkId> = chunks.iter().map(|chunk| chunk.id).collect();
    assert_eq!(ids, expected, "in the order put");
    let reversed: Vec<&Chunk> = chunks.iter().rev().collect();
    let refs: Vec<ChunkRef> = reversed.iter().map(|chunk| reference(chunk)).collect();
    let got = world.storage.get(DOMAIN, &refs).await;
    let got = got.expect("chunks are got");
    assert_eq!(got.len(), chunks.len());
    for (bytes, chunk) in got.iter().zip(reversed) {
        assert!(bytes == &chunk.bytes, "the bytes of {}", chunk.id);
    }
    let none = world.storage.get(DOMAIN, &[]).await;
    assert_eq!(none, Ok(Vec::new()));
    let none = world.storage.put(&session, Vec::new()).await;
    assert_eq!(none, Ok(Vec::new()));
}

pub(super) async fn a_put_answers_who_holds_a_quorum(world: World) {
    let map = world.storage.map().await.expect("the map is known");
    let session = world.session(DOMAIN).await;
    assert_eq!(session.domain, DOMAIN);
    let chunks: Vec<Chunk> = (0..20).map(|_| world.random_chunk(500)).collect();
    let put = world.storage.put(&session, chunks).await;
    for held in put.expect("chunks are put") {
        let domains: BTreeSet<_> = held
            .receipts
            .iter()
            .map(|receipt| {
                let node = map.node(receipt.node).expect("a node of the map holds it");
                assert_eq!(receipt.domain, DOMAIN);
                assert!(receipt.generation >= session.generation);
                assert!(receipt.epoch >= session.epoch);
                assert!(receipt.incarnation >= node.incarnation);
                map.unit_of(DOMAIN, node)
            })
            .collect();
        assert!(domains.len() >= map.quorum(DOMAIN), "{held:?}");
    }
}

pub(super) async fn chunks_may_be_put_again_and_twice(world: World) {
    let first = world.session(DOMAIN).await;
    let chunk = world.random_chunk(10_000);
    let twice = vec![chunk.clone(), chunk.clone()];
    for session in [first, first, world.session(DOMAIN).await] {
        let put = world.storage.put(&session, twice.clone()).await;
        let held = put.expect("chunks are put");
        assert_eq!(held.len(), 2);
        assert!(held.iter().all(|held| held.chunk == chunk.id));
        assert!(held.iter().all(|held| !held.receipts.is_empty()));
    }
    let refs = [reference(&chunk); 2];
    let got = world.storage.get(DOMAIN, &refs).await;
    assert_eq!(got, Ok(vec![chunk.bytes.clone(), chunk.bytes]));
}

pub(super) async fn chunks_with_other_bytes_are_refused(world: World) {
    let session = world.session(DOMAIN).await;
    let claimed = world.random_chunk(1000);
    let mut bytes = claimed.bytes.to_vec();
    bytes[500] ^= 1;
    let forged = Chunk {
        id: claimed.id,
        bytes: bytes.into(),
    };
    let among_others = vec![world.random_chunk(10), forged, world.random_chunk(10)];
    let put = world.storage.put(&session, among_others).await;
    let error = put.expect_err("a chunk with other bytes is refused");
    assert_eq!(error, PutError::Mismatch { chunk: claimed.id });
    assert_eq!(
        (error.effect(), error.retry()),
        (Effect::None, Retry::Never)
    );
    let got = world.storage.get(DOMAIN, &[reference(&claimed)]).await;
    assert_eq!(got, Err(GetError::Missing { chunk: claimed.id }));
}

pub(super) async fn absent_chunks_are_missing(world: World) {
    let session = world.session(DOMAIN).await;
    let (there, absent) = (world.random_chunk(1000), world.random_chunk(1000));
    let put = world.storage.put(&session, vec![there.clone()]).await;
    put.expect("a chunk is put");
    let refs = [reference(&there), reference(&absent)];
    let got = world.storage.get(DOMAIN, &refs).await;
    assert_eq!(got, Err(GetError::Missing { chunk: absent.id }));
    for length in [999, 1001] {
        let other = ChunkRef {
            id: there.id,
            length,
        };
        let got = world.storage.get(DOMAIN, &[other]).await;
        let missing = Err(GetError::Missing { chunk: there.id });
        assert_eq!(got, missing, "of another length than asked for");
    }
}

pub(super) async fn a_batch_of_chunks_is_bounded(world: World) {
    let session = world.session(DOMAIN).await;
    let chunks: Vec<Chunk> = (0..CHUNK_BATCH).map(|_| world.random_chunk(20)).collect();
    let put = world.storage.put(&session, chunks.clone()).await;
    put.expect("chunks are put");
    let mut refs: Vec<ChunkRef> = chunks.iter().map(reference).collect();
    let got = world.storage.get(DOMAIN, &refs).await;
    assert_eq!(got.expect("a whole batch is got").len(), CHUNK_BATCH);
    refs.push(refs[0]);
    let got = world.storage.get(DOMAIN, &refs).await;
    assert_eq!(got, Err(GetError::TooMany));
}
