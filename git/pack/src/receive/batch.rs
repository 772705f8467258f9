use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};

use super::ReceiveError;
use super::examine::Examiner;
use crate::Kind;
use crate::resolve::Examine as _;

/// Bytes of objects handed to another thread at a time.
const BATCH_BYTES: usize = 1 << 20;

/// Objects handed to another thread at a time.
const BATCH_OBJECTS: usize = 256;

/// Batches that may wait for a thread.
const MAX_WAITING_BATCHES: usize = 4;

type Batch = Vec<(u32, Kind, Vec<u8>)>;

/// Objects on their way from the thread that inflates them to those that examine them.
///
/// Without other threads, they are examined at once.
pub(super) struct Batches<'scope> {
    sender: Option<SyncSender<Batch>>,
    workers: Vec<ScopedJoinHandle<'scope, Result<(), ReceiveError>>>,
    batch: Batch,
    bytes: usize,
}

impl<'scope> Batches<'scope> {
    /// Starts a thread for each examiner.
    pub(super) fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        examiners: &'scope mut [Examiner],
    ) -> Self {
        let mut batches = Self {
            sender: None,
            workers: Vec::new(),
            batch: Vec::new(),
            bytes: 0,
        };
        if examiners.is_empty() {
            return batches;
        }
        let (sender, receiver) = sync_channel(MAX_WAITING_BATCHES);
        let receiver = Arc::new(Mutex::new(receiver));
        for examiner in examiners {
            let receiver = Arc::clone(&receiver);
            batches
                .workers
                .push(scope.spawn(move || work(&receiver, examiner)));
        }
        batches.sender = Some(sender);
        batches
    }

    /// An empty buffer for an object.
    pub(super) fn buffer(&mut self) -> Vec<u8> {
        Vec::new()
    }

    /// Has an object examined, now or soon.
    pub(super) fn examine(
        &mut self,
        inline: &mut Examiner,
        entry: u32,
        kind: Kind,
        data: Vec<u8>,
    ) -> Result<(), ReceiveError> {
        if self.sender.is_none() {
            return inline.examine(entry, kind, &data).map(drop);
        }
        self.bytes += data.len();
        self.batch.push((entry, kind, data));
        if self.bytes >= BATCH_BYTES || self.batch.len() >= BATCH_OBJECTS {
            return self.send();
        }
        Ok(())
    }

    fn send(&mut self) -> Result<(), ReceiveError> {
        self.bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        let sent = self
            .sender
            .as_ref()
            .is_none_or(|sender| sender.send(batch).is_ok());
        if sent { Ok(()) } else { self.join() }
    }

    /// Waits until everything was examined.
    pub(super) fn finish(mut self) -> Result<(), ReceiveError> {
        self.send()?;
        self.join()
    }

    fn join(&mut self) -> Result<(), ReceiveError> {
        self.sender = None;
        let mut outcome = Ok(());
        for worker in self.workers.drain(..) {
            let result = worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            outcome = outcome.and(result);
        }
        outcome
    }
}

fn work(batches: &Mutex<Receiver<Batch>>, examiner: &mut Examiner) -> Result<(), ReceiveError> {
    loop {
        let batch = batches
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        let Ok(batch) = batch else { return Ok(()) };
        for (entry, kind, data) in batch {
            examiner.examine(entry, kind, &data)?;
        }
    }
}
