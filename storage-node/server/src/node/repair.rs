//! Fetches again what was found corrupt, by the scrub or by any read, from
//! peers that have it intact.
//!
//! What was fetched is verified and stored as a new record, at the present
//! generation; the corrupt bytes stay where they are until their volume goes.
//! A restart finds in the index what is left to do.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use chunking::{Chunk, ChunkId, ChunkRef};
use runtime::run_blocking;
use storage_node_api::DedupDomain;
use storage_node_api::content::Session;
use storage_node_api::map::{ClusterMap, Node as Peer};
use storage_node_api::node::Node;
use storage_node_api::scrub::ScrubOrder;
use storage_node_machine::live_chunks;

use super::StorageNode;
use super::fill::batch_length;
use super::keeper::is_peer;
use crate::volumes::{Quarantined, StoreError};

/// How long to wait before what nobody had, or could be asked for, is tried
/// again the first time; each time twice as long.
const AGAIN: Duration = Duration::from_secs(1);
/// The longest of these pauses, and the one when there is nothing to do.
const LONGEST: Duration = Duration::from_secs(60);

/// What a round left.
#[derive(Debug, Default)]
struct Left {
    /// Chunks that are still corrupt.
    quarantined: BTreeSet<Quarantined>,
    /// Those that every peer has said it lacks.
    nowhere: BTreeSet<Quarantined>,
}

pub(super) async fn run(node: Weak<StorageNode>) {
    let mut pause = AGAIN;
    let mut told = BTreeSet::new();
    loop {
        let Some(strong) = node.upgrade() else { return };
        let left = match strong.repair(&mut told).await {
            Ok(left) => left,
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "corrupt chunks cannot be repaired"
                );
                1
            }
        };
        pause = if left == 0 {
            LONGEST
        } else {
            (pause * 2).min(LONGEST)
        };
        let chunks = Arc::clone(&strong.parts.chunks);
        let clock = Arc::clone(&strong.parts.runtime.clock);
        drop(strong);
        tokio::select! {
            () = clock.sleep(pause) => {}
            () = chunks.quarantine_grows() => pause = AGAIN,
        }
    }
}

impl StorageNode {
    /// Replaces what it can; returns how many corrupt chunks are left. `told` are those
    /// of which it was said that they are lost.
    async fn repair(
        self: &Arc<Self>,
        told: &mut BTreeSet<Quarantined>,
    ) -> Result<usize, StoreError> {
        let chunks = &self.parts.chunks;
        let asked = chunks.quarantined().await?;
        let left = match self.current_map() {
            Some(map) if !asked.is_empty() => self.replace(&asked, &map).await,
            _ => Left::default(),
        };
        let nowhere = left.nowhere.len();
        let lost = self.live_among(left.nowhere).await;
        for lost in lost.difference(told) {
            tracing::error!(chunk.id = %lost.id, domain = lost.domain.0,
                "a corrupt chunk is on no other node: restore it from a backup");
        }
        *told = lost;
        let dead = nowhere.saturating_sub(told.len());
        let scrubbing = &self.parts.scrubbing;
        scrubbing.left(told.len() as u64, dead as u64);
        self.order_scrub(ScrubOrder::Look);
        Ok(left.quarantined.len())
    }

    async fn replace(&self, asked: &[Quarantined], map: &ClusterMap) -> Left {
        let mut by_domain: BTreeMap<DedupDomain, Vec<ChunkRef>> = BTreeMap::new();
        for chunk in asked {
            by_domain
                .entry(chunk.domain)
                .or_default()
                .push(chunk.chunk());
        }
        let own = map.node(self.id()).map(|node| node.region.clone());
        let mut peers: Vec<&Peer> = map
            .nodes
            .iter()
            .filter(|node| is_peer(self.id(), node))
            .collect();
        // The nearest first.
        peers.sort_by_key(|peer| Some(&peer.region) != own.as_ref());
        let mut left = Left::default();
        for (domain, chunks) in by_domain {
            let mut rest = chunks.as_slice();
            while !rest.is_empty() {
                let (batch, others) = rest.split_at(batch_length(rest));
                rest = others;
                self.replace_batch(domain, batch.to_vec(), &peers, map, &mut left)
                    .await;
            }
        }
        left
    }

    async fn replace_batch(
        &self,
        domain: DedupDomain,
        mut wanted: Vec<ChunkRef>,
        peers: &[&Peer],
        map: &ClusterMap,
        left: &mut Left,
    ) {
        let mut all_answered = true;
        for peer in peers {
            if wanted.is_empty() {
                return;
            }
            let link = self.parts.peers.node(peer);
            let Ok(answers) = link.fetch(domain, &wanted).await else {
                all_answered = false;
                continue;
            };
            let (intact, lacking) = sort_out(wanted, answers);
            wanted = lacking;
            let refs: Vec<ChunkRef> = intact.iter().map(|(chunk, _)| *chunk).collect();
            if !self.keep_replaced(domain, intact, map).await {
                all_answered = false;
                wanted.extend(refs);
            }
        }
        let wanted = wanted.iter().map(|chunk| Quarantined::of(domain, chunk));
        if all_answered {
            left.nowhere.extend(wanted.clone());
        }
        left.quarantined.extend(wanted);
    }

    /// Stores chunks that were fetched; says whether it could.
    async fn keep_replaced(
        &self,
        domain: DedupDomain,
        chunks: Vec<(ChunkRef, Bytes)>,
        map: &ClusterMap,
    ) -> bool {
        let count = chunks.len() as u64;
        if count == 0 {
            return true;
        }
        let session = Session {
            generation: map.generation,
            epoch: map.epoch,
            domain,
        };
        let chunks = chunks.into_iter().map(|(chunk, bytes)| Chunk {
            id: chunk.id,
            bytes,
        });
        match self.store(&session, chunks.collect()).await {
            Ok(_) => {
                tracing::info!(chunks = count, "corrupt chunks were replaced from a peer");
                self.parts.scrubbing.repaired(count);
                true
            }
            Err(error) => {
                tracing::warn!(%error, "cannot store what was fetched for corrupt chunks");
                false
            }
        }
    }

    /// Those of these chunks that a blob needs, as far as the replicas here know;
    /// all if they cannot be read.
    async fn live_among(self: &Arc<Self>, chunks: BTreeSet<Quarantined>) -> BTreeSet<Quarantined> {
        let Some(map) = self.current_map().filter(|_| !chunks.is_empty()) else {
            return chunks;
        };
        let (node, asked) = (Arc::clone(self), chunks.clone());
        let find = move || {
            let mut live = BTreeSet::new();
            for group in map.owners() {
                let view = node.view(group).ok()?;
                live_chunks(&view, &[], &mut |domain, listed| {
                    let listed = listed.iter().map(|chunk| Quarantined::of(domain, chunk));
                    live.extend(listed.filter(|chunk| asked.contains(chunk)));
                    ControlFlow::Continue(())
                })
                .ok()?;
            }
            Some(live)
        };
        let found = run_blocking(&*self.parts.runtime.tasks, "look who needs a chunk", find).await;
        found.ok().flatten().unwrap_or(chunks)
    }
}

/// What came intact, and what is still wanted. What came over a network is
/// believed only under its own hash.
fn sort_out(
    wanted: Vec<ChunkRef>,
    answers: Vec<Option<Bytes>>,
) -> (Vec<(ChunkRef, Bytes)>, Vec<ChunkRef>) {
    let mut intact = Vec::new();
    let mut lacking = Vec::new();
    let mut answers = answers.into_iter();
    for chunk in wanted {
        let bytes = answers.next().flatten();
        match bytes.filter(|bytes| ChunkId::of(bytes) == chunk.id) {
            Some(bytes) => intact.push((chunk, bytes)),
            None => lacking.push(chunk),
        }
    }
    (intact, lacking)
}
