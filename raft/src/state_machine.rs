//! A machine as openraft asks for it.

use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use openraft::storage::{ApplyResponder, EntryResponder, RaftStateMachine};
use openraft::{OptionalSend, RaftSnapshotBuilder};
use runtime::{Runtime, run_blocking};

use crate::format::{FormatError, decode, encode, v1};
use crate::limits::{MAX_APPLY_BYTES, MAX_APPLY_ENTRIES, MAX_SNAPSHOT_PART_BYTES};
use crate::types::{
    Command, Entry, LogId, Membership, Payload, Reply, Snapshot, SnapshotMeta, StoredMembership,
    Types,
};
use crate::{Committed, Fault, Machine, Metrics, SnapshotRead, SnapshotWrite};

/// A machine that is used by one call at a time, and by none after one that failed. Clones
/// share it.
#[derive(Clone)]
pub(crate) struct SharedMachine {
    machine: Arc<Mutex<Option<Box<dyn Machine>>>>,
    runtime: Runtime,
}

/// Why a call of a machine gave nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MachineError {
    #[error("use the state machine")]
    Fault(#[from] Fault),
    #[error("use the state machine: a call of it panicked")]
    Panicked,
    #[error("use the state machine: it has stopped")]
    Stopped,
    #[error("use the state machine: its marker cannot be read")]
    Marker(#[from] FormatError),
    #[error("use the state machine: it gave {found} answers to {expected} entries")]
    Answers { found: usize, expected: usize },
}

impl From<MachineError> for io::Error {
    /// openraft keeps only the words of an error, so the causes go into them.
    fn from(error: MachineError) -> Self {
        Self::other(error.chain())
    }
}

impl MachineError {
    /// The error and its causes, in one line.
    pub(crate) fn chain(&self) -> String {
        let mut words = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            words.push_str(": ");
            words.push_str(&error.to_string());
            cause = error.source();
        }
        words
    }
}

/// How far a machine has come, and the members there.
type Applied = (Option<LogId>, StoredMembership);

impl SharedMachine {
    pub(crate) fn new(machine: Box<dyn Machine>, runtime: Runtime) -> Self {
        Self {
            machine: Arc::new(Mutex::new(Some(machine))),
            runtime,
        }
    }

    /// Runs `call` away from the asynchronous tasks, alone with the machine.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut dyn Machine) -> Result<T, MachineError> + Send + 'static,
    ) -> Result<T, MachineError> {
        let machine = self.machine.clone();
        let locked = move || {
            let mut machine = machine.lock().map_err(|_| MachineError::Panicked)?;
            let result = call(&mut **machine.as_mut().ok_or(MachineError::Stopped)?);
            if result.is_err() {
                *machine = None;
            }
            result
        };
        run_blocking(&*self.runtime.tasks, "raft-machine", locked)
            .await
            .unwrap_or(Err(MachineError::Panicked))
    }

    /// Lets go of the machine, once the call in progress is over.
    pub(crate) async fn stop(&self) {
        let machine = self.machine.clone();
        let stop = move || {
            if let Ok(mut machine) = machine.lock() {
                *machine = None;
            }
        };
        // A machine that panicked when dropped is gone all the same.
        let _ = run_blocking(&*self.runtime.tasks, "raft-machine-stop", stop).await;
    }

    pub(crate) async fn applied(&self) -> Result<Applied, MachineError> {
        self.call(applied).await
    }
}

fn applied(machine: &mut dyn Machine) -> Result<Applied, MachineError> {
    let Some(marker) = machine.applied()? else {
        return Ok(Applied::default());
    };
    Ok(decode::<v1::Marker>(&marker)?.open()?)
}

/// A snapshot on its way out, or received and not yet installed.
pub(crate) enum SnapshotData {
    Outgoing(Box<dyn SnapshotRead>),
    Received(Box<dyn SnapshotWrite>),
}

/// One group's machine between openraft and the [`Machine`].
pub(crate) struct StateMachine {
    machine: SharedMachine,
    /// The members as of the last applied entry; loaded before the first use.
    membership: Option<StoredMembership>,
    metrics: Metrics,
}

impl StateMachine {
    pub(crate) fn new(machine: SharedMachine, metrics: Metrics) -> Self {
        Self {
            machine,
            membership: None,
            metrics,
        }
    }

    async fn membership(&mut self) -> Result<StoredMembership, MachineError> {
        if let Some(membership) = &self.membership {
            return Ok(membership.clone());
        }
        let (_, membership) = self.machine.applied().await?;
        Ok(self.membership.insert(membership).clone())
    }

    async fn apply_piece(&mut self, piece: Piece) -> Result<(), MachineError> {
        let Some(last) = piece.last else {
            return Ok(());
        };
        let mut membership = self.membership().await?;
        if let Some((at, members)) = piece.membership {
            membership = StoredMembership::new(Some(at), members);
        }
        let marker = Bytes::from(encode(&v1::Marker::new(Some(&last), &membership)));
        self.membership = Some(membership);
        let expected = piece.entries.len();
        let entries = piece.entries;
        let answers = self
            .machine
            .call(move |machine| Ok(machine.apply(entries, marker)?))
            .await?;
        if answers.len() != expected {
            let found = answers.len();
            return Err(MachineError::Answers { found, expected });
        }
        for (responder, answer) in piece.responders.into_iter().zip(answers) {
            if let Some(responder) = responder {
                responder.send(Reply(answer));
            }
        }
        Ok(())
    }
}

/// Entries that are applied at once.
#[derive(Default)]
struct Piece {
    entries: Vec<Committed>,
    responders: Vec<Option<ApplyResponder<Types>>>,
    bytes: usize,
    last: Option<LogId>,
    membership: Option<(LogId, Membership)>,
}

impl Piece {
    fn push(&mut self, entry: Entry, responder: Option<ApplyResponder<Types>>) {
        self.last = Some(entry.log_id);
        let command = match entry.payload {
            Payload::Normal(Command(command)) => Some(command),
            Payload::Blank => None,
            Payload::Membership(membership) => {
                self.membership = Some((entry.log_id, membership));
                None
            }
        };
        self.bytes += command.as_ref().map_or(0, Bytes::len);
        self.entries.push(Committed {
            index: entry.log_id.index(),
            command,
        });
        self.responders.push(responder);
    }

    fn is_full(&self) -> bool {
        self.entries.len() >= MAX_APPLY_ENTRIES || self.bytes >= MAX_APPLY_BYTES
    }
}

impl RaftStateMachine<Types> for StateMachine {
    type SnapshotData = SnapshotData;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> Result<Applied, io::Error> {
        Ok(self.machine.applied().await?)
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<Types>, io::Error>> + Unpin + OptionalSend,
    {
        let mut piece = Piece::default();
        while let Some(item) = entries.next().await {
            let (entry, responder) = item?;
            piece.push(entry, responder);
            if piece.is_full() {
                self.apply_piece(std::mem::take(&mut piece)).await?;
            }
        }
        Ok(self.apply_piece(piece).await?)
    }

    async fn try_create_snapshot_builder(&mut self, _force: bool) -> Option<SnapshotBuilder> {
        Some(SnapshotBuilder(self.machine.clone()))
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        SnapshotBuilder(self.machine.clone())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: SnapshotData,
    ) -> Result<(), io::Error> {
        let membership = meta.last_membership.clone();
        let marker = v1::Marker::new(meta.last_log_id.as_ref(), &membership);
        let marker = Bytes::from(encode(&marker));
        self.machine
            .call(move |machine| install(machine, snapshot, marker))
            .await?;
        self.membership = Some(membership);
        self.metrics.snapshots_installed.inc();
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<SnapshotData>>, io::Error> {
        let (last, _) = self.machine.applied().await?;
        if last.is_none() {
            return Ok(None);
        }
        SnapshotBuilder(self.machine.clone())
            .build_snapshot()
            .await
            .map(Some)
    }
}

fn install(
    machine: &mut dyn Machine,
    snapshot: SnapshotData,
    marker: Bytes,
) -> Result<(), MachineError> {
    match snapshot {
        SnapshotData::Received(received) => Ok(received.finish(marker)?),
        SnapshotData::Outgoing(mut parts) => {
            let mut copy = machine.begin_install()?;
            while let Some(part) = parts.next(MAX_SNAPSHOT_PART_BYTES)? {
                copy.part(part)?;
            }
            Ok(copy.finish(marker)?)
        }
    }
}

/// Makes a snapshot: syncs the machine and takes a view of it. openraft cuts the log only up to
/// the place that this reports, so never ahead of what the machine has on disk.
pub(crate) struct SnapshotBuilder(SharedMachine);

impl RaftSnapshotBuilder<Types> for SnapshotBuilder {
    type SnapshotData = SnapshotData;

    async fn build_snapshot(&mut self) -> Result<Snapshot<SnapshotData>, io::Error> {
        let built = self
            .0
            .call(|machine| {
                machine.sync()?;
                let (last_log_id, last_membership) = applied(machine)?;
                let meta = SnapshotMeta {
                    last_log_id,
                    last_membership,
                };
                Ok((meta, machine.snapshot()?))
            })
            .await;
        let (meta, parts) = built?;
        Ok(Snapshot {
            meta,
            snapshot: SnapshotData::Outgoing(parts),
        })
    }
}
