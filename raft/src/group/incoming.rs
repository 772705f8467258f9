//! A snapshot on its way in.

use bytes::Bytes;
use runtime::{Runtime, run_blocking};
use tokio::sync::Mutex;

use crate::format::v1;
use crate::state_machine::{MachineError, SharedMachine, SnapshotData};
use crate::{Fault, SnapshotWrite};

/// The one transfer that a replica takes at a time. A new one replaces it.
pub(super) struct Incoming {
    machine: SharedMachine,
    runtime: Runtime,
    transfer: Mutex<Option<Transfer>>,
}

struct Transfer {
    id: u128,
    next: u64,
    vote: v1::Vote,
    meta: v1::Marker,
    parts: Box<dyn SnapshotWrite>,
}

/// A transfer whose parts are all here.
pub(super) struct Received {
    pub(super) vote: v1::Vote,
    pub(super) meta: v1::Marker,
    pub(super) data: SnapshotData,
}

impl Incoming {
    pub(super) fn new(machine: SharedMachine, runtime: Runtime) -> Self {
        Self {
            machine,
            runtime,
            transfer: Mutex::new(None),
        }
    }

    /// Begins a transfer. What an earlier one has brought is dropped.
    pub(super) async fn begin(
        &self,
        id: u128,
        vote: v1::Vote,
        meta: v1::Marker,
    ) -> Result<(), MachineError> {
        let mut transfer = self.transfer.lock().await;
        *transfer = None;
        let parts = self.machine.call(|machine| Ok(machine.begin_install()?));
        *transfer = Some(Transfer {
            id,
            next: 0,
            vote,
            meta,
            parts: parts.await?,
        });
        Ok(())
    }

    /// Takes a part. False if it is not the next part of the transfer that is going on.
    pub(super) async fn part(
        &self,
        id: u128,
        number: u64,
        bytes: Bytes,
    ) -> Result<bool, MachineError> {
        let mut slot = self.transfer.lock().await;
        let next = |transfer: &mut Transfer| transfer.id == id && transfer.next == number;
        let Some(transfer) = slot.take_if(next) else {
            return Ok(false);
        };
        // If this future is dropped here, the transfer is gone and the sender begins again.
        let Transfer { mut parts, .. } = transfer;
        let taken = run_blocking(&*self.runtime.tasks, "raft-snapshot-part", move || {
            parts.part(bytes)?;
            Ok::<_, Fault>(parts)
        })
        .await;
        *slot = Some(Transfer {
            next: number + 1,
            parts: taken.map_err(|_| MachineError::Panicked)??,
            ..transfer
        });
        Ok(true)
    }

    /// Ends a transfer that brought this many parts. Nothing if it is not the one going on.
    pub(super) async fn finish(&self, id: u128, parts: u64) -> Option<Received> {
        let mut slot = self.transfer.lock().await;
        let transfer = slot.take_if(|transfer| transfer.id == id && transfer.next == parts)?;
        Some(Received {
            vote: transfer.vote,
            meta: transfer.meta,
            data: SnapshotData::Received(transfer.parts),
        })
    }

    pub(super) async fn drop_transfer(&self) {
        *self.transfer.lock().await = None;
    }
}
