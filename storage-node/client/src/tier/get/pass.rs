use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use chunking::{ChunkId, ChunkRef};
use futures_util::StreamExt;
use futures_util::stream::iter;
use storage_node_api::limits::{CHUNK_BATCH, PUT_BATCH_BYTES};
use storage_node_api::map::ClusterMap;
use storage_node_api::node::NodeError;
use storage_node_api::placement::Placement;
use storage_node_api::{DedupDomain, NodeId};

use super::super::client::Client;
use super::super::latency::Rank;
use super::super::pace::Deadline;

/// Requests of one get that are under way at a time.
const FETCHES_IN_FLIGHT: usize = 4;

/// What the nodes said in a pass about chunks that they did not return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// Some node answered.
    pub(super) an_answer: bool,
    /// Every node that was asked answered.
    pub(super) from_all: bool,
    /// A node that has chunks in its cold store and cannot use it.
    pub(super) cold: Option<NodeId>,
}

/// A chunk on its way through the nodes that may have it.
struct Track {
    chunk: ChunkRef,
    candidates: std::vec::IntoIter<NodeId>,
}

impl Client {
    /// Asks for each chunk one node after the other until one returns it. Each
    /// round asks all nodes concerned at the same time.
    pub(super) async fn pass(
        &self,
        map: &ClusterMap,
        domain: DedupDomain,
        wanted: &[ChunkRef],
        found: &mut HashMap<ChunkRef, Bytes>,
        deadline: &Deadline,
    ) -> Heard {
        let mut heard = Heard {
            an_answer: false,
            from_all: true,
            cold: None,
        };
        let mut down = BTreeSet::new();
        let mut tracks = self.tracks(map, domain, wanted);
        while !tracks.is_empty() && !deadline.left().is_zero() {
            let fetches = plan(&mut tracks, &down);
            let fetches = iter(fetches).map(|(node, chunks)| async move {
                let fetched = self.fetch(map, node, domain, chunks, deadline).await;
                (node, fetched)
            });
            let mut fetches = fetches.buffer_unordered(FETCHES_IN_FLIGHT);
            while let Some((node, fetched)) = fetches.next().await {
                match fetched {
                    Ok(chunks) => {
                        heard.an_answer = true;
                        found.extend(chunks);
                    }
                    Err(error) => {
                        tracing::debug!(node.id = node.0, %error, "no chunks from a node");
                        // A failing disk says as much as "not here".
                        let is_answer = matches!(error, NodeError::Failing { .. });
                        heard.from_all &= is_answer;
                        heard.an_answer |= is_answer;
                        if let NodeError::ColdAway { node } = error {
                            heard.cold = Some(node);
                        }
                        down.insert(node);
                        self.maps.doubt();
                    }
                }
            }
            drop(fetches);
            tracks.retain(|track| !found.contains_key(&track.chunk));
        }
        heard.from_all &= tracks.is_empty();
        heard
    }

    fn tracks(&self, map: &ClusterMap, domain: DedupDomain, wanted: &[ChunkRef]) -> Vec<Track> {
        let ranks = self.ranks(map, &self.bulk);
        let placement = Placement::new(domain, map);
        wanted
            .iter()
            .map(|chunk| Track {
                chunk: *chunk,
                candidates: candidates(&chunk.id, &placement, &ranks).into_iter(),
            })
            .collect()
    }
}

/// All nodes: those of the placement first, the near and the likeliest to be
/// fast before the others, then the rest in rendezvous order, as a put goes on
/// to them.
fn candidates(
    chunk: &ChunkId,
    placement: &Placement,
    ranks: &BTreeMap<NodeId, Rank>,
) -> Vec<NodeId> {
    let mut order = placement.order(chunk);
    order[..placement.copies()].sort_by_key(|node| ranks.get(node));
    order
}

/// The next node for each chunk, in requests that a node takes. Chunks that
/// have no node left are dropped.
fn plan(tracks: &mut Vec<Track>, down: &BTreeSet<NodeId>) -> Vec<(NodeId, Arc<[ChunkRef]>)> {
    let mut by_node: BTreeMap<NodeId, Vec<ChunkRef>> = BTreeMap::new();
    tracks.retain_mut(|track| {
        let node = track.candidates.find(|node| !down.contains(node));
        if let Some(node) = node {
            by_node.entry(node).or_default().push(track.chunk);
        }
        node.is_some()
    });
    let requests = |(node, chunks): (NodeId, Vec<ChunkRef>)| {
        split(&chunks)
            .map(move |request| (node, request))
            .collect::<Vec<_>>()
    };
    by_node.into_iter().flat_map(requests).collect()
}

fn split(mut chunks: &[ChunkRef]) -> impl Iterator<Item = Arc<[ChunkRef]>> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |chunk: &&ChunkRef| {
            bytes += chunk.length as usize;
            bytes <= PUT_BATCH_BYTES
        };
        let count = chunks.iter().take(CHUNK_BATCH).take_while(fits).count();
        let (request, rest) = chunks.split_at(count.max(1).min(chunks.len()));
        chunks = rest;
        (!request.is_empty()).then(|| Arc::from(request))
    })
}
