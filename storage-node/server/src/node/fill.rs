//! Fetches what placement names and this node lacks: after a start, after a
//! change of the map, and from time to time.
//!
//! What is live comes from the manifests of the local replicas, so a look needs
//! no peer; only missing chunks cross the network, and each is verified before
//! it is stored.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use chunking::{Chunk, ChunkId, ChunkRef};
use runtime::run_blocking;
use storage_node_api::content::Session;
use storage_node_api::limits::{CHUNK_BATCH, PUT_BATCH_BYTES};
use storage_node_api::map::{ClusterMap, Node as MapNode};
use storage_node_api::node::Node;
use storage_node_api::placement::Placement;
use storage_node_api::{DedupDomain, GroupId};
use storage_node_machine::live_chunks;

use super::StorageNode;

/// How long after a look that found all chunks the next one follows.
const LOOK: Duration = Duration::from_secs(20);
/// The same after one that left some missing.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How many live chunks are held against the index at a time.
const PAGE_CHUNKS: usize = 4096;

pub(super) async fn run(node: Weak<StorageNode>) {
    loop {
        let Some(strong) = node.upgrade() else { return };
        let is_whole = strong.look_and_tell().await;
        let mut map = strong.parts.map.subscribe();
        let clock = Arc::clone(&strong.parts.runtime.clock);
        drop(strong);
        let pause = if is_whole { LOOK } else { LOOK_AGAIN };
        tokio::select! {
            _ = map.changed() => {}
            () = clock.sleep(pause) => {}
        }
    }
}

/// Live chunks of one domain that this node should hold.
type Page = Vec<(DedupDomain, ChunkRef)>;

/// What a look did not find and could not fetch.
#[derive(Clone, Copy, Debug, Default)]
struct Missing {
    chunks: u64,
    bytes: u64,
}

impl std::ops::AddAssign for Missing {
    fn add_assign(&mut self, other: Self) {
        self.chunks += other.chunks;
        self.bytes += other.bytes;
    }
}

impl StorageNode {
    /// Goes through all live chunks once and keeps what was found for those who ask; whether
    /// nothing is missing by the newest map.
    async fn look_and_tell(self: &Arc<Self>) -> bool {
        let Some(map) = self.current_map() else {
            return false;
        };
        // Asked before the look: what was committed before a replica adopted its map is in the
        // listing.
        let adopted = self.adopted(&map);
        let Some(missing) = self.look(&map).await else {
            return false;
        };
        self.missing_bytes.store(missing.bytes, Ordering::Relaxed);
        self.missing.store(missing.chunks, Ordering::Relaxed);
        if let Some(adopted) = adopted.filter(|_| missing.chunks == 0) {
            self.whole_at.fetch_max(adopted.0, Ordering::Relaxed);
        }
        let whole_at = self.whole_at.load(Ordering::Relaxed);
        let metrics = &self.parts.members;
        metrics.looked(missing.chunks, missing.bytes, map.epoch, whole_at);
        missing.chunks == 0 && whole_at >= map.epoch.0
    }

    /// Goes through all live chunks once; returns what is still missing, or nothing if that could
    /// not be found out.
    async fn look(self: &Arc<Self>, map: &Arc<ClusterMap>) -> Option<Missing> {
        let mut missing = Missing::default();
        for group in map.owners() {
            let mut after = Some(Vec::new());
            while let Some(from) = after {
                let (page, last) = self.page(group, from, map).await?;
                missing += self.fill_page(page, map).await?;
                after = last;
            }
        }
        Some(missing)
    }

    /// The next live chunks after a key, and the key to go on from, if there
    /// are more.
    async fn page(
        self: &Arc<Self>,
        group: GroupId,
        after: Vec<u8>,
        map: &Arc<ClusterMap>,
    ) -> Option<(Page, Option<Vec<u8>>)> {
        let (node, map) = (Arc::clone(self), Arc::clone(map));
        let read = move || {
            let view = node.view(group).ok()?;
            let mut page = Vec::new();
            let mut seen = 0;
            let last = live_chunks(&view, &after, &mut |domain, chunks| {
                seen += chunks.len();
                let placement = Placement::new(domain, &map);
                let ours = chunks
                    .iter()
                    .filter(|chunk| placement.is_placed(&chunk.id, node.id()));
                page.extend(ours.map(|chunk| (domain, *chunk)));
                if seen >= PAGE_CHUNKS {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
            .ok()?;
            Some((page, last))
        };
        run_blocking(&*self.parts.runtime.tasks, "list live chunks", read)
            .await
            .ok()?
    }

    async fn fill_page(&self, page: Page, map: &ClusterMap) -> Option<Missing> {
        let mut by_domain: BTreeMap<DedupDomain, Vec<ChunkRef>> = BTreeMap::new();
        for (domain, chunk) in page {
            by_domain.entry(domain).or_default().push(chunk);
        }
        let mut missing = Missing::default();
        for (domain, chunks) in by_domain {
            for batch in chunks.chunks(CHUNK_BATCH) {
                let ids: Vec<ChunkId> = batch.iter().map(|chunk| chunk.id).collect();
                // A look that pins nothing: what is here and dead must stay collectable.
                let held = self.parts.chunks.held(domain, &ids).await.ok()?;
                let mut lacking: Vec<ChunkRef> = batch
                    .iter()
                    .zip(held)
                    .filter(|(_, held)| !held)
                    .map(|(c, _)| *c)
                    .collect();
                lacking.sort_unstable_by_key(|chunk| chunk.id);
                lacking.dedup_by_key(|chunk| chunk.id);
                missing += self.fetch_from_peers(domain, lacking, map).await;
            }
        }
        Some(missing)
    }

    /// Fetches and stores chunks; returns what no peer had.
    async fn fetch_from_peers(
        &self,
        domain: DedupDomain,
        lacking: Vec<ChunkRef>,
        map: &ClusterMap,
    ) -> Missing {
        let mut missing = Missing::default();
        let peers = self.nearest_peers(map);
        let mut rest = lacking.as_slice();
        while !rest.is_empty() {
            let (batch, others) = rest.split_at(batch_length(rest));
            rest = others;
            let mut wanted = batch.to_vec();
            for peer in &peers {
                if wanted.is_empty() {
                    break;
                }
                wanted = self.fetch_from(peer, domain, wanted, map).await;
            }
            missing += Missing {
                chunks: wanted.len() as u64,
                bytes: wanted.iter().map(|chunk| u64::from(chunk.length)).sum(),
            };
        }
        missing
    }

    /// The other nodes: those of the same zone first, then those of the region.
    fn nearest_peers<'a>(&self, map: &'a ClusterMap) -> Vec<&'a MapNode> {
        let nodes = map.nodes.iter();
        let mut peers: Vec<&MapNode> = nodes
            .filter(|node| super::keeper::is_peer(self.id(), node))
            .collect();
        if let Some(own) = map.node(self.id()) {
            peers.sort_by_key(|node| (node.region != own.region, node.zone != own.zone));
        }
        peers
    }

    /// Asks one peer; returns what is still wanted.
    async fn fetch_from(
        &self,
        peer: &MapNode,
        domain: DedupDomain,
        wanted: Vec<ChunkRef>,
        map: &ClusterMap,
    ) -> Vec<ChunkRef> {
        let link = self.parts.peers.node(peer);
        let Ok(answers) = link.fetch(domain, &wanted).await else {
            return wanted;
        };
        let mut chunks = Vec::new();
        let mut still = Vec::new();
        for (reference, bytes) in wanted.into_iter().zip(answers) {
            // What came over the network is believed only under its own hash.
            match bytes.filter(|bytes| ChunkId::of(bytes) == reference.id) {
                Some(bytes) => chunks.push((reference, bytes)),
                None => still.push(reference),
            }
        }
        let session = Session {
            generation: map.generation,
            epoch: map.epoch,
            domain,
        };
        let put = chunks
            .iter()
            .map(|(r, bytes)| Chunk {
                id: r.id,
                bytes: bytes.clone(),
            })
            .collect();
        if let Err(error) = self.store(&session, put).await {
            tracing::warn!(%error, "cannot store chunks that were fetched from a peer");
            still.extend(chunks.into_iter().map(|(reference, _)| reference));
        }
        still
    }
}

/// How many of these chunks fit one request.
pub(super) fn batch_length(chunks: &[ChunkRef]) -> usize {
    let mut bytes = 0;
    let fits = |chunk: &&ChunkRef| {
        bytes += chunk.length as usize;
        bytes <= PUT_BATCH_BYTES
    };
    chunks
        .iter()
        .take(CHUNK_BATCH)
        .take_while(fits)
        .count()
        .max(1)
}
