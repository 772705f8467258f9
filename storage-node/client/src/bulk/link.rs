//! One connection to a node, shared by the requests that are under way on it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use runtime::{Runtime, TaskHandle};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::deadline::within;
use super::frame::{self, Frame, FrameError};
use super::metrics::Metrics;
use super::transport::Stream;
use super::wire;
use super::{FRAME_DEADLINE, MAX_PIPELINED};

/// A connection. Its tasks end with it.
#[derive(Debug)]
pub(super) struct Link {
    shared: Arc<Shared>,
    frames: mpsc::Sender<Frame>,
    turns: Semaphore,
    next: AtomicU64,
    load: AtomicUsize,
    tasks: [TaskHandle; 2],
    metrics: Metrics,
}

/// What the tasks and the requests have in common.
#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    closed: bool,
    answers: HashMap<u64, oneshot::Sender<Frame>>,
}

/// The connection broke before the answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

impl Link {
    pub(super) fn new(stream: Stream, runtime: &Runtime, metrics: Metrics) -> Self {
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
        });
        let (frames, queue) = mpsc::channel(1);
        metrics.connections.inc();
        let write = write(stream.writer, queue, Arc::clone(&shared), runtime.clone());
        let read = read(stream.reader, Arc::clone(&shared), runtime.clone());
        let tasks = [
            runtime.tasks.spawn("bulk writer", Box::pin(write)),
            runtime.tasks.spawn("bulk reader", Box::pin(read)),
        ];
        Self {
            shared,
            frames,
            turns: Semaphore::new(MAX_PIPELINED),
            next: AtomicU64::new(0),
            load: AtomicUsize::new(0),
            tasks,
            metrics,
        }
    }

    /// Whether it takes no more requests.
    pub(super) fn is_closed(&self) -> bool {
        self.shared.waiting().closed
    }

    /// Takes no more requests; those under way go on.
    pub(super) fn retire(&self) {
        self.shared.waiting().closed = true;
    }

    /// Requests under way or waiting for their turn.
    pub(super) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// Asks, and waits for the answer. May be dropped at any time.
    pub(super) async fn ask<T: serde::Serialize>(
        &self,
        message: &T,
        payload: Vec<bytes::Bytes>,
    ) -> Result<Frame, Broken> {
        let _load = Load::new(self);
        let _turn = self.turns.acquire().await.map_err(|_| Broken)?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let message = wire::encode(number, message).map_err(|_| Broken)?;
        let (answer, answered) = oneshot::channel();
        let _entry = self.shared.enter(number, answer)?;
        let frame = Frame { message, payload };
        self.frames.send(frame).await.map_err(|_| Broken)?;
        answered.await.map_err(|_| Broken)
    }
}

/// Counts a request while it is there.
struct Load<'a>(&'a Link);

impl<'a> Load<'a> {
    fn new(link: &'a Link) -> Self {
        link.load.fetch_add(1, Ordering::Relaxed);
        link.metrics.in_flight.inc();
        Self(link)
    }
}

impl Drop for Load<'_> {
    fn drop(&mut self) {
        self.0.load.fetch_sub(1, Ordering::Relaxed);
        self.0.metrics.in_flight.dec();
    }
}

/// A place among those who wait for an answer.
struct Entry<'a> {
    shared: &'a Shared,
    number: u64,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.shared.waiting().answers.remove(&self.number);
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, number: u64, answer: oneshot::Sender<Frame>) -> Result<Entry<'_>, Broken> {
        let mut waiting = self.waiting();
        if waiting.closed {
            return Err(Broken);
        }
        waiting.answers.insert(number, answer);
        drop(waiting);
        Ok(Entry {
            shared: self,
            number,
        })
    }

    /// Tells everyone who waits that no answer will come.
    fn close(&self) {
        let mut waiting = self.waiting();
        waiting.closed = true;
        waiting.answers.clear();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.metrics.connections.dec();
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn write(
    mut writer: Box<dyn AsyncWrite + Send + Unpin>,
    mut frames: mpsc::Receiver<Frame>,
    shared: Arc<Shared>,
    runtime: Runtime,
) {
    while let Some(frame) = frames.recv().await {
        let write = frame::write(&mut writer, &frame);
        let failed = match within(&runtime, FRAME_DEADLINE, write).await {
            Some(Ok(())) => continue,
            Some(Err(error)) => error,
            None => FrameError::Io(std::io::ErrorKind::TimedOut.into()),
        };
        tracing::debug!(
            error = &failed as &dyn std::error::Error,
            "a bulk connection broke"
        );
        break;
    }
    shared.close();
}

async fn read(
    mut reader: Box<dyn AsyncRead + Send + Unpin>,
    shared: Arc<Shared>,
    runtime: Runtime,
) {
    loop {
        match read_answer(&mut reader, &shared, &runtime).await {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "a bulk connection broke");
                break;
            }
        }
    }
    shared.close();
}

/// Passes on one answer; whether there was one.
async fn read_answer(
    reader: &mut (dyn AsyncRead + Send + Unpin),
    shared: &Shared,
    runtime: &Runtime,
) -> Result<bool, FrameError> {
    let mut reader = reader;
    let Some(prefix) = frame::read_prefix(&mut reader).await? else {
        return Ok(false);
    };
    let rest = frame::read_rest(&mut reader, prefix);
    let late = || FrameError::Io(std::io::ErrorKind::TimedOut.into());
    let frame = within(runtime, FRAME_DEADLINE, rest)
        .await
        .ok_or_else(late)??;
    let number = wire::number(&frame.message).map_err(|_| FrameError::NotAFrame)?;
    let answer = shared.waiting().answers.remove(&number);
    if let Some(answer) = answer {
        // Who asked may have given up.
        drop(answer.send(frame));
    }
    Ok(true)
}
