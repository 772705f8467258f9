//! Going over a store in parts, with little in memory at a time.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use chunking::{Chunk, ChunkId, ChunkRef};
use kv::Memory;
use runtime::{MemoryFiles, Runtime};
use storage_node_api::{ClusterId, DedupDomain, Generation, NodeId};

use super::candidates::Candidates;
use crate::volumes::{ChunkStore, Config, INDEX_FAMILY, Identity, Metrics};

const DOMAINS: [DedupDomain; 2] = [DedupDomain(1), DedupDomain(9)];
const OLD: Generation = Generation(4);
const NOW: Generation = Generation(5);

async fn store() -> ChunkStore {
    let config = Config {
        reserve_bytes: 0,
        ..Config::default()
    };
    let identity = Identity {
        cluster: ClusterId([1; 16]),
        node: NodeId(1),
    };
    let files = Arc::new(MemoryFiles::new());
    let index = Arc::new(Memory::new(&[INDEX_FAMILY]));
    let (config, metrics) = (config.validate().unwrap(), Metrics::default());
    let opened = ChunkStore::open(
        files,
        index,
        identity,
        config,
        None,
        Runtime::real(),
        metrics,
    );
    opened.await.unwrap()
}

fn chunk(number: u64) -> Chunk {
    let bytes = Bytes::copy_from_slice(&number.to_le_bytes());
    let id = ChunkId::of(&bytes);
    Chunk { id, bytes }
}

fn reference(number: u64) -> ChunkRef {
    let id = chunk(number).id;
    ChunkRef { id, length: 8 }
}

#[tokio::test]
async fn however_few_at_a_time_each_untouched_chunk_is_looked_at_once() {
    let store = store().await;
    for domain in DOMAINS {
        let old = (0..600).map(chunk).collect();
        store.put(OLD, domain, old).await.unwrap();
    }
    // A third of one domain is touched in this generation, by its numbers.
    let touched: Vec<ChunkId> = (0..200).map(|number| chunk(number).id).collect();
    store.presence(NOW, DOMAINS[0], &touched).await.unwrap();
    // Another third of it is listed, and some of it for the other domain only.
    let listed: Vec<(DedupDomain, ChunkRef)> = (200..400)
        .map(|number| (DOMAINS[0], reference(number)))
        .chain([
            (DOMAINS[1], reference(500)),
            (DedupDomain(77), reference(501)),
        ])
        .collect();
    for limit in [1, 7, 600, 10_000] {
        let (mut dead, mut live) = (BTreeSet::new(), 0);
        let (mut after, mut looked_at) = (None, 0);
        loop {
            let mut candidates = Candidates::next(&store, after, NOW, limit).unwrap();
            looked_at += candidates.looked_at;
            after = candidates.last();
            candidates.mark(&listed);
            let mut count = 0;
            for (domain, chunks) in candidates.into_domains() {
                count += chunks.len();
                for candidate in chunks {
                    match candidate.listed {
                        true => live += 1,
                        false => assert!(dead.insert((domain, candidate.chunk.id))),
                    }
                }
            }
            assert!(count <= limit, "{count} at a time");
            if after.is_none() {
                break;
            }
        }
        assert_eq!((looked_at, live, dead.len()), (1200, 201, 200 + 599));
        assert!(dead.contains(&(DOMAINS[0], chunk(500).id)));
        assert!(!dead.contains(&(DOMAINS[1], chunk(500).id)));
    }
}
