use chunking::{ChunkRef, Manifest};
use storage_node_api::limits::{CHUNK_BATCH, PUT_BATCH_BYTES};
use storage_node_api::order::{Answer, Query};
use storage_node_api::{DedupDomain, Slot};

use super::{TakeError, Taking};
use crate::order::GroupError;

impl Taking<'_> {
    /// The manifest of a blob that is listed.
    pub(super) async fn manifest(
        &self,
        slot: Slot,
        domain: DedupDomain,
        blob: chunking::BlobId,
    ) -> Result<Manifest, TakeError> {
        let query = Query::Manifest { slot, domain, blob };
        match self.tier.ask(slot, query).await? {
            Answer::Manifest(manifest) => manifest.ok_or(TakeError::NoManifest(blob)),
            _ => Err(GroupError::Unexpected.into()),
        }
    }

    /// Uploads those chunks of a blob that the destination lacks.
    pub(super) async fn content(
        &mut self,
        domain: DedupDomain,
        manifest: &Manifest,
    ) -> Result<(), TakeError> {
        let mut batch: Vec<ChunkRef> = Vec::new();
        let mut bytes = 0;
        for chunk in &manifest.chunks {
            if self.packs.has(&chunk.id) || batch.iter().any(|one| one.id == chunk.id) {
                continue;
            }
            let length = chunk.length as usize;
            if batch.len() == CHUNK_BATCH || bytes + length > PUT_BATCH_BYTES {
                self.fetch(domain, manifest, &batch).await?;
                (bytes, batch) = (0, Vec::new());
            }
            bytes += length;
            batch.push(*chunk);
        }
        self.fetch(domain, manifest, &batch).await
    }

    async fn fetch(
        &mut self,
        domain: DedupDomain,
        manifest: &Manifest,
        batch: &[ChunkRef],
    ) -> Result<(), TakeError> {
        let Some(first) = batch.first() else {
            return Ok(());
        };
        let failed = |source| TakeError::Chunk {
            blob: manifest.blob,
            chunk: first.id,
            source,
        };
        let found = self.tier.storage.get(domain, batch).await.map_err(failed)?;
        for (chunk, bytes) in batch.iter().zip(found) {
            self.packs.add(chunk.id, &bytes).await?;
        }
        Ok(())
    }
}
