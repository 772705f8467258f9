//! Tasks: concurrent futures and calls that block.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use tokio::task::{AbortHandle, JoinHandle};

use crate::BoxFuture;

/// Where work runs.
pub trait Tasks: Send + Sync + fmt::Debug {
    /// Runs `task` concurrently with everything else. `name` is for logs and tests.
    ///
    /// Dropping the handle leaves the task running.
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) -> TaskHandle;

    /// Runs `call`, which may block on files or processors, away from the asynchronous tasks.
    ///
    /// The call must be finite and must not wait for another task: the simulated runtime runs it
    /// on the only thread there is. It cannot be aborted once it has begun.
    fn blocking(&self, name: &'static str, call: Box<dyn FnOnce() + Send>) -> TaskHandle;
}

/// A task that was started; keeps nothing alive.
#[derive(Debug)]
pub struct TaskHandle {
    name: &'static str,
    abort: AbortHandle,
    join: Mutex<Option<JoinHandle<()>>>,
}

/// A task ended without running to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskFailed {
    /// It was aborted, or the runtime is shutting down.
    #[error("task {name} was aborted")]
    Aborted {
        /// The name that it was started with.
        name: &'static str,
    },
    /// It panicked; the panic message went to the panic hook.
    #[error("task {name} panicked")]
    Panicked {
        /// The name that it was started with.
        name: &'static str,
    },
}

impl TaskHandle {
    pub(crate) fn new(name: &'static str, join: JoinHandle<()>) -> Self {
        Self {
            name,
            abort: join.abort_handle(),
            join: Mutex::new(Some(join)),
        }
    }

    /// The name that the task was started with.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Asks the task to end at its next wait. Does nothing to a task that has ended.
    pub fn abort(&self) {
        self.abort.abort();
    }

    /// Whether the task has ended, in whatever way.
    pub fn is_finished(&self) -> bool {
        self.abort.is_finished()
    }

    /// Waits for the end of the task. A second call returns at once.
    pub async fn join(&self) -> Result<(), TaskFailed> {
        let join = self
            .join
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(join) = join else { return Ok(()) };
        join.await.map_err(|error| {
            if error.is_panic() {
                TaskFailed::Panicked { name: self.name }
            } else {
                TaskFailed::Aborted { name: self.name }
            }
        })
    }
}

/// Runs `call` through [`Tasks::blocking`] and returns what it returns.
///
/// If the returned future is dropped the call still runs to its end.
pub async fn run_blocking<T: Send + 'static>(
    tasks: &dyn Tasks,
    name: &'static str,
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, TaskFailed> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let handle = tasks.blocking(
        name,
        Box::new(move || {
            // The receiver may be gone: then nobody wants the result.
            let _ = sender.send(call());
        }),
    );
    match receiver.await {
        Ok(value) => Ok(value),
        Err(_) => match handle.join().await {
            Err(failed) => Err(failed),
            Ok(()) => Err(TaskFailed::Aborted { name }),
        },
    }
}
