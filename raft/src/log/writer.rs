//! The one writer of all logs.

use std::io;
use std::sync::Arc;

use kv::{Batch, Durability, KeyValue, KvError};
use openraft::storage::IOFlushed;
use runtime::{Runtime, TaskFailed, TaskHandle, run_blocking};
use tokio::sync::{mpsc, oneshot};

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
    ) -> (Self, TaskHandle) {
        let (queue, operations) = mpsc::channel(LOG_QUEUE_OPERATIONS);
        let task = Writer {
            store,
            operations,
            runtime: runtime.clone(),
            metrics: metrics.clone(),
            failed: None,
        };
        let handle = runtime.tasks.spawn("raft-log-writer", Box::pin(task.run()));
        (Self { queue, metrics }, handle)
    }

    pub(super) async fn send(&self, operation: Operation) -> Result<(), WriteFailed> {
        self.metrics.log_queue.inc();
        let sent = self.queue.send(operation).await;
        sent.map_err(|_| WriteFailed::Closed)
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
    async fn run(mut self) {
        while let Some(first) = self.operations.recv().await {
            let mut operations = self.take(first);
            let result = self.write(&mut operations).await;
            if let Err(failed) = &result {
                self.failed = Some(failed.clone());
            }
            for operation in operations {
                operation.finish(result.clone());
            }
        }
    }

    /// The first operation and those that have queued up behind it, within the limits.
    fn take(&mut self, first: Operation) -> Vec<Operation> {
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
        operations
    }

    async fn write(&mut self, operations: &mut [Operation]) -> Result<(), WriteFailed> {
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
        let store = self.store.clone();
        let written = run_blocking(&*self.runtime.tasks, "raft-log-sync", move || {
            store.write(batch, durability)
        })
        .await;
        if durability == Durability::Synced {
            let ended = self.runtime.clock.monotonic();
            let took = ended.saturating_sub(begun);
            self.metrics.recent_syncs.end(ended);
            self.metrics.log_syncs.inc();
            self.metrics.log_sync_seconds.observe(took.as_secs_f64());
        }
        match written {
            Ok(result) => result.map_err(|error| WriteFailed::Store(Arc::new(error))),
            Err(failed) => Err(WriteFailed::Task(failed)),
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
