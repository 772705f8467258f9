use async_trait::async_trait;
use bytes::Bytes;
use chunking::{Chunk, ChunkRef};
use storage_node_api::DedupDomain;
use storage_node_api::content::{BeginError, Content, GetError, Held, PutError, Session};

use super::client::Client;

#[async_trait]
impl Content for Client {
    async fn begin(&self, domain: DedupDomain) -> Result<Session, BeginError> {
        let map = self.maps.wait(&self.deadline(), &mut self.backoff()).await;
        let map = map.ok_or(BeginError::Unavailable)?;
        Ok(Session {
            generation: map.generation,
            epoch: map.epoch,
            domain,
        })
    }

    async fn put(&self, session: &Session, chunks: Vec<Chunk>) -> Result<Vec<Held>, PutError> {
        self.put_chunks(session, chunks).await
    }

    async fn get(&self, domain: DedupDomain, chunks: &[ChunkRef]) -> Result<Vec<Bytes>, GetError> {
        self.get_chunks(domain, chunks).await
    }
}
