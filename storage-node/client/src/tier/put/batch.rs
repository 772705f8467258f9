use std::collections::HashSet;

use chunking::Chunk;
use storage_node_api::limits::{CHUNK_BATCH, PUT_BATCH_BYTES};

/// Each chunk once.
pub(super) fn distinct(mut chunks: Vec<Chunk>) -> Vec<Chunk> {
    let mut seen = HashSet::with_capacity(chunks.len());
    chunks.retain(|chunk| seen.insert(chunk.id));
    chunks
}

/// Batches that a node takes in one request, in order.
pub(super) fn split(chunks: Vec<Chunk>) -> Vec<Vec<Chunk>> {
    let mut batches: Vec<Vec<Chunk>> = Vec::new();
    let mut bytes = 0;
    for chunk in chunks {
        bytes += chunk.bytes.len();
        match batches.last_mut() {
            Some(batch) if bytes <= PUT_BATCH_BYTES && batch.len() < CHUNK_BATCH => {
                batch.push(chunk);
            }
            _ => {
                bytes = chunk.bytes.len();
                batches.push(vec![chunk]);
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chunking::{Chunk, ChunkId};
    use proptest::prelude::proptest;
    use storage_node_api::limits::{CHUNK_BATCH, PUT_BATCH_BYTES};

    use super::{distinct, split};

    fn chunk(number: usize, length: usize) -> Chunk {
        let id = ChunkId::of(&number.to_le_bytes());
        let bytes = Bytes::from_static(&[0; 2 * PUT_BATCH_BYTES]).slice(..length);
        Chunk { id, bytes }
    }

    proptest! {
        #[test]
        fn batches_are_within_the_limits_and_hold_each_chunk_once_in_order(
            lengths in proptest::collection::vec(1..=(PUT_BATCH_BYTES + 10), 0..20),
            repeat in 1..3_usize,
        ) {
            let chunks: Vec<Chunk> = (0..repeat)
                .flat_map(|_| lengths.iter().copied().enumerate())
                .map(|(number, length)| chunk(number, length))
                .collect();
            let batches = split(distinct(chunks.clone()));
            for batch in &batches {
                let bytes: usize = batch.iter().map(|chunk| chunk.bytes.len()).sum();
                assert!(bytes <= PUT_BATCH_BYTES || batch.len() == 1);
            }
            assert_eq!(batches.concat(), chunks[..lengths.len()]);
        }
    }

    #[test]
    fn a_batch_has_a_limited_number_of_chunks() {
        let chunks = (0..CHUNK_BATCH * 2 + 1).map(|number| chunk(number, 1));
        let lengths: Vec<usize> = split(chunks.collect()).iter().map(Vec::len).collect();
        assert_eq!(lengths, [CHUNK_BATCH, CHUNK_BATCH, 1]);
    }
}
