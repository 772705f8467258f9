use std::sync::PoisonError;

use async_trait::async_trait;
use bytes::Bytes;
use chunking::{Chunk, ChunkId, ChunkRef};
use storage_node_api::content::{BeginError, Content, GetError, Held, PutError, Receipt, Session};
use storage_node_api::limits::CHUNK_BATCH;
use storage_node_api::{DedupDomain, Incarnation, NodeId};

use crate::MemoryStorage;

#[async_trait]
impl Content for MemoryStorage {
    async fn begin(&self, domain: DedupDomain) -> Result<Session, BeginError> {
        Ok(Session {
            generation: self.map.generation,
            epoch: self.map.epoch,
            domain,
        })
    }

    async fn put(&self, session: &Session, chunks: Vec<Chunk>) -> Result<Vec<Held>, PutError> {
        if session.generation < self.map.generation || session.epoch < self.map.epoch {
            return Err(PutError::SessionExpired);
        }
        for chunk in &chunks {
            if ChunkId::of(&chunk.bytes) != chunk.id {
                return Err(PutError::Mismatch { chunk: chunk.id });
            }
        }
        let receipt = Receipt {
            node: NodeId(1),
            incarnation: Incarnation(1),
            epoch: session.epoch,
            generation: session.generation,
            domain: session.domain,
        };
        let mut stored = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(chunks
            .into_iter()
            .map(|Chunk { id, bytes }| {
                stored
                    .entry((session.domain, id))
                    // A copy: the chunk may be a view into a much larger piece.
                    .or_insert_with(|| Bytes::copy_from_slice(&bytes));
                Held {
                    chunk: id,
                    receipts: vec![receipt],
                }
            })
            .collect())
    }

    async fn get(&self, domain: DedupDomain, chunks: &[ChunkRef]) -> Result<Vec<Bytes>, GetError> {
        if chunks.len() > CHUNK_BATCH {
            return Err(GetError::TooMany);
        }
        let stored = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        chunks
            .iter()
            .map(|chunk| {
                stored
                    .get(&(domain, chunk.id))
                    .filter(|bytes| u32::try_from(bytes.len()) == Ok(chunk.length))
                    .cloned()
                    .ok_or(GetError::Missing { chunk: chunk.id })
            })
            .collect()
    }
}
