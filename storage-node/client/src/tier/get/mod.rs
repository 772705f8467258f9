//! Reading chunks from the nearest nodes that have intact copies.

mod fetch;
mod pass;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use bytes::Bytes;
use chunking::ChunkRef;
use storage_node_api::DedupDomain;
use storage_node_api::content::GetError;
use storage_node_api::limits::CHUNK_BATCH;
use storage_node_api::map::ClusterMap;

use super::client::Client;
use super::pace::Deadline;

/// What a network is trusted to carry at least: a get may take the time that
/// its bytes need at this rate, beyond the deadline.
const SLOWEST_BYTES_PER_SECOND: u64 = 1 << 20;

impl Client {
    pub(super) async fn get_chunks(
        &self,
        domain: DedupDomain,
        chunks: &[ChunkRef],
    ) -> Result<Vec<Bytes>, GetError> {
        if chunks.len() > CHUNK_BATCH {
            return Err(GetError::TooMany);
        }
        let found = self.find(domain, chunks).await?;
        let bytes = |chunk: &ChunkRef| {
            let missing = GetError::Missing { chunk: chunk.id };
            found.get(chunk).cloned().ok_or(missing)
        };
        chunks.iter().map(bytes).collect()
    }

    /// Finds all chunks, or those that there are once every node has said that
    /// it lacks the others or no time is left.
    async fn find(
        &self,
        domain: DedupDomain,
        chunks: &[ChunkRef],
    ) -> Result<HashMap<ChunkRef, Bytes>, GetError> {
        let mut seen = HashSet::with_capacity(chunks.len());
        let mut wanted: Vec<ChunkRef> = chunks.to_vec();
        wanted.retain(|chunk| seen.insert(*chunk));
        let mut found = HashMap::with_capacity(wanted.len());

        let deadline = self.get_deadline(&wanted);
        let mut backoff = self.backoff();
        let mut has_answer = false;
        let mut cold = None;
        while !wanted.is_empty() {
            if let Some(map) = self.maps.current(&deadline).await {
                let heard = self
                    .pass(&map, domain, &wanted, &mut found, &deadline)
                    .await;
                wanted.retain(|chunk| !found.contains_key(chunk));
                has_answer |= heard.an_answer;
                cold = heard.cold;
                if wanted.is_empty() || (heard.from_all && !self.has_newer(&map, &deadline).await) {
                    break;
                }
            }
            if !backoff.pause(&deadline).await {
                break;
            }
        }
        if let Some(node) = cold.filter(|_| !wanted.is_empty()) {
            Err(GetError::ColdAway { node })
        } else if wanted.is_empty() || has_answer {
            Ok(found)
        } else {
            Err(GetError::Unavailable)
        }
    }

    /// Whether there is a newer map, which may name nodes that were not asked.
    async fn has_newer(&self, map: &ClusterMap, deadline: &Deadline) -> bool {
        self.maps.outdated();
        let newest = self.maps.current(deadline).await;
        newest.is_some_and(|newest| newest.epoch > map.epoch)
    }

    fn get_deadline(&self, wanted: &[ChunkRef]) -> Deadline {
        let bytes: u64 = wanted.iter().map(|chunk| u64::from(chunk.length)).sum();
        let allowance = Duration::from_millis(bytes * 1000 / SLOWEST_BYTES_PER_SECOND);
        Deadline::after(&self.runtime.clock, self.config.deadline + allowance)
    }
}
