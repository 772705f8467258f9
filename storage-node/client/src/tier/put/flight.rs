//! The exchanges of one put that are under way.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chunking::Chunk;
use runtime::{Runtime, TaskHandle};
use storage_node_api::content::Session;
use storage_node_api::map;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::super::client::Client;
use super::super::links::Links;
use super::super::pace::Deadline;
use super::exchange::{Exchange, REPORTS, Report};

/// The most bytes of chunks that may still be on their way to nodes although
/// their put has returned. A copy that finds no room is left to the node's own
/// repair.
const STRAGGLER_BYTES: usize = 32 << 20;

/// Room for exchanges that go on after their put has returned.
pub(in super::super) struct Stragglers(Arc<Semaphore>);

impl Default for Stragglers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(STRAGGLER_BYTES)))
    }
}

impl Stragglers {
    fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes).ok()?;
        Arc::clone(&self.0).try_acquire_many_owned(bytes).ok()
    }
}

impl fmt::Debug for Stragglers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stragglers")
            .field(&self.0.available_permits())
            .finish()
    }
}

/// Exchanges of one batch with several nodes. Those that are under way when it
/// is dropped are broken off.
pub(super) struct Flight {
    links: Arc<dyn Links>,
    runtime: Runtime,
    patience: Duration,
    deadline: Deadline,
    session: Session,
    batch: Arc<[Chunk]>,
    sender: mpsc::Sender<Report>,
    reports: mpsc::Receiver<Report>,
    tasks: Vec<TaskHandle>,
    /// Filled once the put has returned; the last exchange to end gives it back.
    room: Arc<OnceLock<OwnedSemaphorePermit>>,
}

impl Flight {
    pub(super) fn new(
        client: &Client,
        session: &Session,
        batch: &Arc<[Chunk]>,
        deadline: &Deadline,
    ) -> Self {
        let (sender, reports) = mpsc::channel(REPORTS);
        Self {
            links: Arc::clone(&client.links),
            runtime: client.runtime.clone(),
            patience: client.config.patience,
            deadline: deadline.clone(),
            session: *session,
            batch: Arc::clone(batch),
            sender,
            reports,
            tasks: Vec::new(),
            room: Arc::default(),
        }
    }

    /// Begins to make a node hold these chunks of the batch.
    pub(super) fn launch(&mut self, node: &map::Node, chunks: Vec<usize>) {
        let exchange = Exchange::new(
            node,
            self.links.node(node),
            self.session,
            Arc::clone(&self.batch),
            chunks,
            self.sender.clone(),
        );
        let (clock, patience) = (Arc::clone(&self.runtime.clock), self.patience);
        let deadline = self.deadline.clone();
        let room = Arc::clone(&self.room);
        let task = self.runtime.tasks.spawn(
            "put chunks to a node",
            Box::pin(async move {
                exchange.run(clock, patience, deadline).await;
                drop(room);
            }),
        );
        self.tasks.push(task);
    }

    /// The next news, or nothing once no time is left.
    pub(super) async fn next(&mut self) -> Option<Report> {
        let left = self.deadline.left();
        self.deadline.within(left, self.reports.recv()).await?
    }

    /// News that is here already.
    pub(super) fn try_next(&mut self) -> Option<Report> {
        self.reports.try_recv().ok()
    }

    /// Lets what is under way go on by itself, if there is room.
    pub(super) fn detach(mut self, stragglers: &Stragglers) {
        let bytes = self.batch.iter().map(|chunk| chunk.bytes.len()).sum();
        if self.tasks.iter().all(TaskHandle::is_finished) {
            return;
        }
        if let Some(room) = stragglers.room(bytes) {
            // It is empty: a flight is detached once, and filled nowhere else.
            drop(self.room.set(room));
            self.tasks.clear();
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
