//! Copies that placement does not name: they may go once every node that it does
//! name has confirmed its own.

use std::collections::BTreeMap;

use chunking::{ChunkId, ChunkRef};
use storage_node_api::content::Session;
use storage_node_api::limits::CHUNK_BATCH;
use storage_node_api::placement::Placement;
use storage_node_api::{DedupDomain, NodeId};

use super::sweep::Sweep;

impl Sweep<'_> {
    /// Which of these chunks, that are listed and not placed here, all nodes that
    /// they are placed on hold, synced and touched at this generation. A node that
    /// has a later one refuses to answer.
    pub(super) async fn confirm(
        &self,
        domain: DedupDomain,
        placement: &Placement,
        extras: &[ChunkRef],
    ) -> Vec<bool> {
        let mut confirmed = Vec::with_capacity(extras.len());
        for batch in extras.chunks(CHUNK_BATCH) {
            confirmed.extend(self.confirm_batch(domain, placement, batch).await);
        }
        confirmed
    }

    async fn confirm_batch(
        &self,
        domain: DedupDomain,
        placement: &Placement,
        batch: &[ChunkRef],
    ) -> Vec<bool> {
        let mut asked: BTreeMap<NodeId, Vec<usize>> = BTreeMap::new();
        let mut lacking = Vec::with_capacity(batch.len());
        for (index, chunk) in batch.iter().enumerate() {
            let placed = placement.place(&chunk.id);
            lacking.push(placed.len().max(1));
            for node in placed {
                asked.entry(node).or_default().push(index);
            }
        }
        let session = Session {
            generation: self.map.generation,
            epoch: self.map.epoch,
            domain,
        };
        for (node, indexes) in asked {
            let Some(node) = self.map.node(node) else {
                continue;
            };
            let ids: Vec<ChunkId> = indexes.iter().map(|index| batch[*index].id).collect();
            let link = self.node.parts.peers.node(node);
            let Ok(presence) = link.presence(&session, &ids).await else {
                continue;
            };
            let receipt = presence.receipt;
            if receipt.node != node.id || receipt.generation < session.generation {
                continue;
            }
            for (index, held) in indexes.iter().zip(presence.held) {
                if held {
                    lacking[*index] -= 1;
                }
            }
        }
        lacking.into_iter().map(|lacking| lacking == 0).collect()
    }
}
