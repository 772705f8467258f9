//! One node's part of a put: ask what it has, send what it lacks; where that is
//! little, send it at once, since a question may cross an ocean.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chunking::{Chunk, ChunkId};
use futures_util::future::{Either, select};
use runtime::Clock;
use storage_node_api::content::{Receipt, Session};
use storage_node_api::map;
use storage_node_api::node::{Node, NodeError};
use storage_node_api::{Incarnation, NodeId};
use tokio::sync::mpsc;

use super::super::pace::Deadline;

/// News of one node.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) node: NodeId,
    pub(super) event: Event,
}

#[derive(Debug)]
pub(super) enum Event {
    /// It holds these chunks of the batch.
    Held {
        receipt: Receipt,
        chunks: Vec<usize>,
    },
    /// It takes long, and goes on.
    Late,
    /// It will hold none of those that it has not said it holds.
    Failed(NodeError),
}

/// Chunks of no more bytes together are sent without a question before: a node
/// does not write again what it has, and touches it as it would for a question.
pub(in super::super) const UNASKED_BYTES: usize = 64 << 10;

/// How many reports an exchange makes at most.
pub(super) const REPORTS: usize = 3;

pub(super) struct Exchange {
    id: NodeId,
    incarnation: Incarnation,
    node: Arc<dyn Node>,
    session: Session,
    batch: Arc<[Chunk]>,
    /// Indexes into the batch.
    chunks: Vec<usize>,
    reports: mpsc::Sender<Report>,
}

impl Exchange {
    pub(super) fn new(
        described: &map::Node,
        node: Arc<dyn Node>,
        session: Session,
        batch: Arc<[Chunk]>,
        chunks: Vec<usize>,
        reports: mpsc::Sender<Report>,
    ) -> Self {
        Self {
            id: described.id,
            incarnation: described.incarnation,
            node,
            session,
            batch,
            chunks,
            reports,
        }
    }

    /// Runs to its end, at the latest when the deadline passes. Says when it
    /// has taken longer than `patience`.
    pub(super) async fn run(self, clock: Arc<dyn Clock>, patience: Duration, deadline: Deadline) {
        let mut work = pin!(deadline.within(deadline.left(), self.hold()));
        let done = match select(work.as_mut(), clock.sleep(patience)).await {
            Either::Left((done, _)) => done,
            Either::Right(((), work)) => {
                self.report(Event::Late).await;
                work.await
            }
        };
        match done {
            Some(Ok(())) => {}
            Some(Err(error)) => self.report(Event::Failed(error)).await,
            None => {
                let silent = NodeError::Silent { node: self.id };
                self.report(Event::Failed(silent)).await;
            }
        }
    }

    async fn hold(&self) -> Result<(), NodeError> {
        let missing = match self.bytes() <= UNASKED_BYTES {
            true => self.chunks.clone(),
            false => self.ask().await?,
        };
        if missing.is_empty() {
            return Ok(());
        }
        let send = missing.iter().filter_map(|index| self.batch.get(*index));
        let receipt = self
            .node
            .store(&self.session, send.cloned().collect())
            .await?;
        self.check(&receipt)?;
        let chunks = missing;
        self.report(Event::Held { receipt, chunks }).await;
        Ok(())
    }

    fn bytes(&self) -> usize {
        let chunks = self.chunks.iter();
        let chunks = chunks.filter_map(|index| self.batch.get(*index));
        chunks.map(|chunk| chunk.bytes.len()).sum()
    }

    /// Asks which chunks the node has, which it pins, and returns the others.
    async fn ask(&self) -> Result<Vec<usize>, NodeError> {
        let ids: Vec<ChunkId> = self
            .chunks
            .iter()
            .filter_map(|index| self.batch.get(*index))
            .map(|chunk| chunk.id)
            .collect();
        let presence = self.node.presence(&self.session, &ids).await?;
        if presence.held.len() != ids.len() {
            return Err(NodeError::Malformed { node: self.id });
        }
        let (mut held, mut missing) = (Vec::new(), Vec::new());
        for (index, is_held) in self.chunks.iter().zip(presence.held) {
            if is_held { &mut held } else { &mut missing }.push(*index);
        }
        if !held.is_empty() {
            let receipt = presence.receipt;
            self.check(&receipt)?;
            let chunks = held;
            self.report(Event::Held { receipt, chunks }).await;
        }
        Ok(missing)
    }

    /// A receipt that no group would take counts for nothing: of another node,
    /// another session, or an earlier start than the node is known by.
    fn check(&self, receipt: &Receipt) -> Result<(), NodeError> {
        let session = &self.session;
        let is_good = receipt.node == self.id
            && receipt.incarnation >= self.incarnation
            && receipt.domain == session.domain
            && receipt.generation >= session.generation
            && receipt.epoch >= session.epoch;
        if is_good {
            Ok(())
        } else {
            tracing::warn!(
                node.id = self.id.0,
                ?receipt,
                "a node gave a receipt that does not count"
            );
            Err(NodeError::Malformed { node: self.id })
        }
    }

    async fn report(&self, event: Event) {
        let node = self.id;
        // Whoever put the chunks may have enough holders already.
        drop(self.reports.send(Report { node, event }).await);
    }
}
