//! Drops by and by what nothing names: the node's part of a cycle of the
//! collector, and the barriers of the groups that it leads.
//!
//! The cluster group's clock advances ([`drive`]); every data group follows with a
//! barrier, from which on it refuses commits of older sessions ([`barrier`]). Once
//! all groups have the barrier and the map that the node has, it holds what it has
//! against their listings and drops what is in none, or what belongs on other nodes
//! that have all confirmed it, unless it was touched since the barrier
//! ([`sweep`]). Then volumes of which enough is dead are written again and removed.
//!
//! What it keeps true is what `jepsen/collection-model` checks:
//! - Every page of a listing is of the node's own generation and map; another one
//!   voids the whole listing.
//! - A node drops nothing in the generation in which it started, which it asks
//!   of the cluster group: so every chunk of a node that starts counts as touched
//!   at that moment, whatever became of its records of touches.
//! - Look and drop of a chunk are one step in the writer of the volumes.
//!
//! A restart in the middle of a cycle leaves the rest of it to the next one, and
//! what is to be compacted is found again from the index.
//!
//! Not here: keeping what was removed listed (`storage-node/machine`), and making
//! copies where they are missing ([`fill`](super::fill)).

mod barrier;
mod candidates;
mod drive;
mod extras;
mod listing;
mod metrics;
mod state;
mod sweep;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Weak};
use std::time::Duration;

use storage_node_api::Generation;
use storage_node_api::collect::{CollectOrder, CollectReport, Phase};
use storage_node_api::map::{CLUSTER_GROUP, COLLECTION_VERSION, ClusterMap};
use storage_node_api::node::Node;
use storage_node_api::order::{Answer, Query};
use storage_node_api::{NodeId, ReadPoint};

use super::StorageNode;
use super::scrub::Pace;
use crate::volumes;

pub(crate) use metrics::Metrics;
pub(crate) use state::Collecting;
use sweep::{Kind, Sweep};

/// How long to wait for barriers, for a leader, or after a failure, before it is
/// tried again.
const AGAIN: Duration = Duration::from_millis(500);
/// The same when there is nothing to do.
const LOOK: Duration = Duration::from_secs(60);
/// The share of a volume, in percent, that has to be dead for it to be written
/// again.
const DEAD_PERCENT: u8 = 30;

/// What a look came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Looked {
    /// Nothing is left to do.
    Done,
    /// Something has to come about first.
    NotYet,
}

pub(super) async fn run(node: Weak<StorageNode>) {
    loop {
        let Some(strong) = node.upgrade() else { return };
        let mut map = strong.parts.map.subscribe();
        map.mark_unchanged();
        let looked = strong.collect_once().await;
        let (clock, collecting) = (
            Arc::clone(&strong.parts.runtime.clock),
            Arc::clone(&strong.parts.collecting),
        );
        drop(strong);
        let pause = match looked {
            Looked::Done => LOOK,
            Looked::NotYet => AGAIN,
        };
        tokio::select! {
            _ = map.changed() => {}
            () = collecting.woken() => {}
            () = clock.sleep(pause) => {}
        }
    }
}

impl StorageNode {
    /// Orders something of the collector, and tells how it is.
    pub(super) fn order_collection(&self, order: CollectOrder) -> CollectReport {
        let collecting = &self.parts.collecting;
        match order {
            CollectOrder::Look => {}
            CollectOrder::Hurry => collecting.hurry(),
            CollectOrder::Count => collecting.count(),
        }
        let map = self.current_map();
        collecting.report(map.map_or(Generation(0), |map| map.generation))
    }

    /// Does what is to be done in the generation that the node knows.
    async fn collect_once(self: &Arc<Self>) -> Looked {
        let Some(map) = self.current_map() else {
            return Looked::NotYet;
        };
        if map.machine_version < COLLECTION_VERSION {
            return Looked::Done;
        }
        let collecting = Arc::clone(&self.parts.collecting);
        let Some(started_in) = self.started_in(&map).await else {
            return Looked::NotYet;
        };
        if collecting.is_count_ordered() {
            let counted = Sweep::new(self, &map, Kind::Counts).run().await;
            collecting.idle();
            if counted.is_err() {
                return Looked::NotYet;
            }
            collecting.counted();
        }
        if map.generation > started_in && collecting.swept() < Some(map.generation) {
            let swept = Sweep::new(self, &map, Kind::Drops).run().await;
            collecting.idle();
            if let Err(stopped) = swept {
                tracing::debug!(
                    ?stopped,
                    generation = map.generation.0,
                    "a sweep is not complete"
                );
                return Looked::NotYet;
            }
            self.compact_volumes().await;
            collecting.swept_all(map.generation);
        } else if collecting.is_first_look() {
            // What an earlier process may have left.
            self.compact_volumes().await;
        }
        collecting.idle();
        Looked::Done
    }

    /// The generation in which the node started: read from the cluster group
    /// after the start, so that it is not before any that the node can have
    /// answered in under an earlier start.
    async fn started_in(&self, map: &ClusterMap) -> Option<Generation> {
        let collecting = &self.parts.collecting;
        if let Some(known) = collecting.started_in() {
            return Some(known);
        }
        let generation = self.ask_the_cluster(map).await?;
        collecting.starts_in(generation);
        Some(generation)
    }

    async fn ask_the_cluster(&self, map: &ClusterMap) -> Option<Generation> {
        let point = ReadPoint::Linearizable;
        let of = |answer| match answer {
            Answer::Map(Some(map)) => Some(map.generation),
            _ => None,
        };
        if let Ok(answer) = self.read(CLUSTER_GROUP, point, Query::Map).await {
            return of(answer);
        }
        for peer in self.peers_of(map) {
            let asked = peer.read(CLUSTER_GROUP, point, Query::Map).await;
            if let Some(generation) = asked.ok().and_then(of) {
                return Some(generation);
            }
        }
        None
    }

    /// The other nodes.
    pub(in crate::node) fn peers_of(&self, map: &ClusterMap) -> Vec<Arc<dyn Node>> {
        let own: NodeId = self.id();
        let peers = map.nodes.iter();
        peers
            .filter(|node| super::keeper::is_peer(own, node))
            .map(|node| self.parts.peers.node(node))
            .collect()
    }

    /// Passes of compaction until none removes anything.
    async fn compact_volumes(&self) {
        let collecting = &self.parts.collecting;
        collecting.enter(Phase::Compacts);
        loop {
            let pace = volumes::Pace {
                dead_percent: DEAD_PERCENT,
                bytes_per_second: match collecting.pace() {
                    Pace::Fast => None,
                    Pace::Tranquil { bytes_per_second } => bytes_per_second.try_into().ok(),
                },
            };
            match self.parts.chunks.compact(pace).await {
                Ok(compacted) if compacted.volumes == 0 => return,
                Ok(compacted) => collecting.compacted(&compacted),
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "volumes cannot be compacted"
                    );
                    return;
                }
            }
        }
    }
}
