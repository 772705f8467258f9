use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chunking::{ChunkId, ChunkRef};
use runtime::run_blocking;
use storage_node_api::map::ClusterMap;
use storage_node_api::node::NodeError;
use storage_node_api::{DedupDomain, NodeId};

use super::super::client::Client;
use super::super::pace::Deadline;

/// Latencies are compared per request of this many bytes.
const COMPARED_BYTES: u32 = 256 << 10;

impl Client {
    /// Those of the chunks that a node has, verified.
    pub(super) async fn fetch(
        &self,
        map: &ClusterMap,
        id: NodeId,
        domain: DedupDomain,
        chunks: Arc<[ChunkRef]>,
        deadline: &Deadline,
    ) -> Result<Vec<(ChunkRef, Bytes)>, NodeError> {
        let clock = &self.runtime.clock;
        let node = self
            .link(map, id)
            .ok_or(NodeError::Unreachable { node: id })?;
        let began = clock.monotonic();
        let fetching = deadline.within(self.config.patience, node.fetch(domain, &chunks));
        let fetched = fetching
            .await
            .unwrap_or(Err(NodeError::Silent { node: id }));
        let now = clock.monotonic();
        let fetched = match fetched {
            Ok(fetched) if fetched.len() == chunks.len() => fetched,
            Ok(_) => {
                self.bulk.failed(id, now);
                return Err(NodeError::Malformed { node: id });
            }
            Err(error) => {
                self.bulk.failed(id, now);
                return Err(error);
            }
        };
        self.bulk
            .answered(id, cost(now.saturating_sub(began), &fetched), now);
        if self.links.is_local(id) {
            return Ok(of_right_length(&chunks, fetched).collect());
        }
        let verify = move || {
            of_right_length(&chunks, fetched)
                .filter(|(chunk, bytes)| is_intact(id, chunk, bytes))
                .collect()
        };
        run_blocking(&*self.runtime.tasks, "verify chunks", verify)
            .await
            .map_err(|_| NodeError::Silent { node: id })
    }
}

fn cost(took: Duration, fetched: &[Option<Bytes>]) -> Duration {
    let bytes: usize = fetched.iter().flatten().map(Bytes::len).sum();
    let requests = u32::try_from(bytes).unwrap_or(u32::MAX) / COMPARED_BYTES;
    took / requests.max(1)
}

fn of_right_length(
    chunks: &[ChunkRef],
    fetched: Vec<Option<Bytes>>,
) -> impl Iterator<Item = (ChunkRef, Bytes)> {
    let answers = chunks.iter().copied().zip(fetched);
    answers.filter_map(|(chunk, bytes)| {
        let bytes = bytes.filter(|bytes| bytes.len() == chunk.length as usize)?;
        Some((chunk, bytes))
    })
}

fn is_intact(node: NodeId, chunk: &ChunkRef, bytes: &[u8]) -> bool {
    let is_intact = ChunkId::of(bytes) == chunk.id;
    if !is_intact {
        tracing::warn!(node.id = node.0, chunk.id = %chunk.id, "a node sent other bytes than the chunk's");
    }
    is_intact
}
