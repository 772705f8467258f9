//! Making chunks durable on a quorum of their placement.

mod batch;
mod exchange;
mod flight;

use std::collections::HashMap;
use std::sync::Arc;

use chunking::{Chunk, ChunkId};
use storage_node_api::content::{Held, PutError, Receipt, Session};
use storage_node_api::map::ClusterMap;
use storage_node_api::node::NodeError;

use batch::{distinct, split};
use exchange::{Event, Report};
use flight::Flight;

use super::client::Client;
use super::pace::{Backoff, Deadline};
use super::quorum::{Quorum, Refusal, Verdict};

#[cfg(test)]
pub(super) use exchange::UNASKED_BYTES;
pub(super) use flight::Stragglers;

impl Client {
    pub(super) async fn put_chunks(
        &self,
        session: &Session,
        chunks: Vec<Chunk>,
    ) -> Result<Vec<Held>, PutError> {
        let order: Vec<ChunkId> = chunks.iter().map(|chunk| chunk.id).collect();
        let mut receipts: HashMap<ChunkId, Vec<Receipt>> = HashMap::new();
        for batch in split(distinct(chunks)) {
            let ids: Vec<ChunkId> = batch.iter().map(|chunk| chunk.id).collect();
            receipts.extend(ids.into_iter().zip(self.put_batch(session, batch).await?));
        }
        let held = |chunk| Held {
            chunk,
            receipts: receipts.get(&chunk).cloned().unwrap_or_default(),
        };
        Ok(order.into_iter().map(held).collect())
    }

    /// Tries again while there are too few nodes, until no time is left.
    async fn put_batch(
        &self,
        session: &Session,
        batch: Vec<Chunk>,
    ) -> Result<Vec<Vec<Receipt>>, PutError> {
        let batch: Arc<[Chunk]> = batch.into();
        let deadline = self.deadline();
        let mut backoff = self.backoff();
        loop {
            let map = self.map_of(session, &deadline, &mut backoff).await?;
            match self.attempt(&map, session, &batch, &deadline).await {
                Err(PutError::NoQuorum { held, needed }) => {
                    self.maps.doubt();
                    if !backoff.pause(&deadline).await {
                        return Err(PutError::NoQuorum { held, needed });
                    }
                }
                Err(PutError::SessionExpired) => {
                    self.maps.outdated();
                    return Err(PutError::SessionExpired);
                }
                done => return done,
            }
        }
    }

    /// A map that is not older than the session's, if there is one.
    async fn map_of(
        &self,
        session: &Session,
        deadline: &Deadline,
        backoff: &mut Backoff,
    ) -> Result<Arc<ClusterMap>, PutError> {
        let no_map = PutError::NoQuorum { held: 0, needed: 1 };
        let map = self.maps.wait(deadline, backoff).await.ok_or(no_map)?;
        if map.epoch >= session.epoch {
            return Ok(map);
        }
        self.maps.outdated();
        Ok(self.maps.current(deadline).await.unwrap_or(map))
    }

    async fn attempt(
        &self,
        map: &ClusterMap,
        session: &Session,
        batch: &Arc<[Chunk]>,
        deadline: &Deadline,
    ) -> Result<Vec<Vec<Receipt>>, PutError> {
        let mut quorum = Quorum::new(map, session.domain, batch.iter().map(|chunk| chunk.id));
        let mut flight = Flight::new(self, session, batch, deadline);
        loop {
            for (node, chunks) in quorum.ask() {
                match map.node(node) {
                    Some(node) => flight.launch(node, chunks),
                    None => quorum.failed(node, Refusal::Failed),
                }
            }
            match quorum.verdict() {
                Verdict::Held => {
                    flight.detach(&self.stragglers);
                    return Ok(quorum.into_receipts().collect());
                }
                // News that is here already may tell more than "failed so far".
                Verdict::Failed(error) => match flight.try_next() {
                    Some(report) => self.take(&mut quorum, batch, report)?,
                    None => return Err(error),
                },
                Verdict::Waiting => match flight.next().await {
                    Some(report) => self.take(&mut quorum, batch, report)?,
                    None => return Err(quorum.no_quorum()),
                },
            }
        }
    }

    fn take(&self, quorum: &mut Quorum, batch: &[Chunk], report: Report) -> Result<(), PutError> {
        let Report { node, event } = report;
        match event {
            Event::Held { receipt, chunks } => quorum.held(receipt, &chunks),
            Event::Late => quorum.late(node),
            Event::Failed(error) => {
                tracing::debug!(node.id = node.0, %error, "a node did not take chunks");
                quorum.failed(node, self.refusal(batch, error)?);
            }
        }
        Ok(())
    }

    /// What a node's error means for the chunks that it was asked to hold, or
    /// for the put as a whole.
    fn refusal(&self, batch: &[Chunk], error: NodeError) -> Result<Refusal, PutError> {
        match error {
            NodeError::Full { .. } => Ok(Refusal::Full),
            NodeError::SessionExpired => Err(PutError::SessionExpired),
            NodeError::Mismatch { chunk } if is_wrong(batch, chunk) => {
                Err(PutError::Mismatch { chunk })
            }
            NodeError::Unreachable { .. } => {
                self.maps.doubt();
                Ok(Refusal::Failed)
            }
            // Bytes that are right here were damaged on their way.
            NodeError::Mismatch { .. }
            | NodeError::Silent { .. }
            | NodeError::Failing { .. }
            | NodeError::ColdAway { .. }
            | NodeError::Malformed { .. } => Ok(Refusal::Failed),
        }
    }
}

fn is_wrong(batch: &[Chunk], id: ChunkId) -> bool {
    batch
        .iter()
        .any(|chunk| chunk.id == id && ChunkId::of(&chunk.bytes) != id)
}
