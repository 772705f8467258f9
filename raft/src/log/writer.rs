//! The one writer of all logs.

use std::io;
use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, select};
use kv::{Batch, Durability, KeyValue, KvError};
use openraft::storage::IOFlushed;
use runtime::{Runtime, TaskFailed, TaskHandle, run_blocking};
use tokio::sync::{Notify, mpsc, oneshot};

use super::group_log::GroupState;
use crate::Metrics;
use crate::limits::{LOG_BATCH_BYTES, LOG_BATCH_OPERATIONS, LOG_QUEUE_OPERATIONS};
use crate::types::Types;

/// The queue to the writer. Clones share it; the writer ends when the last one is gone.
#[derive(Clone, Debug)]
pub(crate) struct LogWriter {
    queue: mpsc::Sender<Operation>,
    metrics: Metrics,
}

/// One change of one group's log.
pub(super) struct Operation {
    pub(super) group: Arc<GroupState>,
    pub(super) batch: Batch,
    pub(super) durability: Durability,
    pub(super) done: Done,
}

/// Whom to tell.
pub(super) enum Done {
    /// openraft, that an append is durable.
    Append {
        number: u64,
        callback: IOFlushed<Types>,
    },
    /// Someone who waits.
    Reply(oneshot::Sender<io::Result<()>>),
    /// Nobody: a failure shows at the next operation.
    Nobody,
}

/// The log could not be written, now or earlier: no replica of this node can go on.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum WriteFailed {
    /// The store failed.
    #[error("write the raft log")]
    Store(#[source] Arc<KvError>),
    /// The task did not run to its end.
    #[error("write the raft log")]
    Task(#[source] TaskFailed),
    /// The store panicked.
    #[error("write the raft log: the store panicked")]
    Interrupted,
    /// The writer has ended.
    #[error("write the raft log: this node is shutting down")]
    Closed,
}

impl From<WriteFailed> for io::Error {
    fn from(failed: WriteFailed) -> Self {
        Self::other(failed)
    }
}

impl LogWriter {
    /// Starts the writer.
    pub(crate) fn start(
        store: Arc<dyn KeyValue>,
        runtime: &Runtime,
        metrics: Metrics,
    ) -> (Self, WriterTask) {
        let (queue, operations) = mpsc::channel(LOG_QUEUE_OPERATIONS);
        let end = Arc::new(Notify::new());
        let task = Writer {
            store,
            operations,
            runtime: runtime.clone(),
            metrics: metrics.clone(),
            failed: None,
        };
        let run = Box::pin(task.run(Arc::clone(&end)));
        let handle = runtime.tasks.spawn("raft-log-writer", run);
        (Self { queue, metrics }, WriterTask { handle, end })
    }

    pub(super) async fn send(&self, operation: Operation) -> Result<(), WriteFailed> {
        self.metrics.log_queue.inc();
        let sent = self.queue.send(operation).await;
        sent.map_err(|_| WriteFailed::Closed)
    }
}

/// The writer's task; keeps nothing alive.
#[derive(Debug)]
pub(crate) struct WriterTask {
    handle: TaskHandle,
    end: Arc<Notify>,
}

impl WriterTask {
    /// Ends the writer after what it is writing. When this returns, it has let go of the store.
    pub(crate) async fn end(&self) {
        self.end.notify_one();
        // Ended or panicked: in either case it is gone.
        let _ = self.handle.join().await;
    }
}

struct Writer {
    store: Arc<dyn KeyValue>,
    operations: mpsc::Receiver<Operation>,
    runtime: Runtime,
    metrics: Metrics,
    failed: Option<WriteFailed>,
}

impl Writer {
    async fn run(mut self, end: Arc<Notify>) {
        let mut ending = pin!(end.notified());
        loop {
            let first = match select(pin!(self.operations.recv()), &mut ending).await {
                Either::Left((Some(first), _)) => first,
                Either::Left((None, _)) | Either::Right(_) => return,
            };
            let tasks = Arc::clone(&self.runtime.tasks);
            let writing = run_blocking(&*tasks, "raft-log-sync", move || {
                self.write_queued(first);
                self
            });
            let Ok(writer) = writing.await else {
                // The store panicked. Whoever waited was told; whoever comes finds no writer.
                return;
            };
            self = writer;
        }
    }

    /// Writes the first operation and everything that has queued up, batch after batch, so that a
    /// log that is always busy costs no change of threads. Whoever waits is told from here.
    fn write_queued(&mut self, first: Operation) {
        let mut next = Some(first);
        while let Some(first) = next {
            let mut queued = self.take(first);
            queued.result = self.write(&mut queued.operations);
            if let Err(failed) = &queued.result {
                self.failed = Some(failed.clone());
            }
            drop(queued);
            next = self.operations.try_recv().ok();
        }
    }

    /// The first operation and those that have queued up behind it, within the limits.
    fn take(&mut self, first: Operation) -> Queued {
        let mut bytes = first.batch.size_bytes();
        let mut operations = vec![first];
        while operations.len() < LOG_BATCH_OPERATIONS
            && bytes < LOG_BATCH_BYTES
            && let Ok(next) = self.operations.try_recv()
        {
            bytes += next.batch.size_bytes();
            operations.push(next);
        }
        self.metrics
            .log_queue
            .dec_by(i64::try_from(operations.len()).unwrap_or(i64::MAX));
        Queued {
            operations,
            result: Err(WriteFailed::Interrupted),
        }
    }

    fn write(&self, operations: &mut [Operation]) -> Result<(), WriteFailed> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let mut batch = Batch::new();
        let mut durability = Durability::Buffered;
        for operation in &mut *operations {
            batch.append(std::mem::take(&mut operation.batch));
            operation.group.save_committed(&mut batch);
            if operation.durability == Durability::Synced {
                durability = Durability::Synced;
            }
        }
        self.metrics.log_operations.inc_by(operations.len() as u64);
        self.metrics.log_bytes.inc_by(batch.size_bytes() as u64);
        let begun = self.runtime.clock.monotonic();
        if durability == Durability::Synced {
            self.metrics.recent_syncs.begin(begun);
        }
        let written = self.store.write(batch, durability);
        if durability == Durability::Synced {
            let ended = self.runtime.clock.monotonic();
            let took = ended.saturating_sub(begun);
            self.metrics.recent_syncs.end(ended);
            self.metrics.log_syncs.inc();
            self.metrics.log_sync_seconds.observe(took.as_secs_f64());
        }
        written.map_err(|error| WriteFailed::Store(Arc::new(error)))
    }
}

/// Operations of one batch. When they are dropped everyone is told, so that a store that panics
/// leaves nobody waiting.
struct Queued {
    operations: Vec<Operation>,
    result: Result<(), WriteFailed>,
}

impl Drop for Queued {
    fn drop(&mut self) {
        for operation in self.operations.drain(..) {
            operation.finish(self.result.clone());
        }
    }
}

impl Operation {
    fn finish(self, result: Result<(), WriteFailed>) {
        match self.done {
            Done::Append { number, callback } => {
                if result.is_ok() {
                    self.group.written(number);
                }
                callback.io_completed(result.map_err(io::Error::from));
            }
            Done::Reply(reply) => {
                // Whoever waited may have given up.
                let _ = reply.send(result.map_err(io::Error::from));
            }
            Done::Nobody => {}
        }
    }
}
