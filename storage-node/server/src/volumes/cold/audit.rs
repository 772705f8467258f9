//! Looking whether the store has what the tickets say, and nothing else of this node.
//!
//! A listing is cheap: one request for a thousand volumes. What it does not name, or names with
//! another length, is asked for once more by itself before it counts as lost. What it names and no
//! ticket does is left from a crash that took the ticket's name, or from a disk that was put back:
//! it goes, if it is older than the process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use objects::{Meta, ObjectError};

use super::super::store::ChunkStore;
use super::super::volume::{Damage, VolumeId};
use super::mover::Stopped;
use super::shelf::Cold;
use super::ticket::{State, Ticket, directory_of, mark};

/// How long after an audit the next one follows.
const AUDIT: Duration = Duration::from_secs(3600);

impl ChunkStore {
    /// An audit, if one is due.
    pub(super) async fn audit(&self, cold: &Arc<Cold>) -> Result<(), Stopped> {
        if !cold.is_audit_due(AUDIT) {
            return Ok(());
        }
        let asked = Arc::clone(cold);
        let lost = self
            .work("audit the cold store", move || asked.compare())
            .await?;
        for ticket in lost {
            self.lose(cold, ticket).await?;
        }
        self.remove_lost(cold).await?;
        cold.audited();
        Ok(())
    }

    /// An object is gone: its volume's chunks are corrupt, unless its file is still here.
    async fn lose(&self, cold: &Arc<Cold>, ticket: Ticket) -> Result<(), Stopped> {
        let volume = ticket.volume;
        cold.metrics.lost.inc();
        if !cold.is_away(volume) {
            tracing::error!(%volume, "the object of a volume is gone: it is uploaded again");
            let cold = Arc::clone(cold);
            return self
                .work("give an object up", move || Ok(cold.give_up(volume)?))
                .await;
        }
        tracing::error!(%volume, "the object of a volume is gone: its chunks are fetched from peers");
        let damage = Damage {
            volume,
            from: 0,
            to: ticket.length,
        };
        if !self.report_damage(&[damage]).await?.is_empty() {
            self.quarantine_within(vec![damage]).await?;
        }
        Ok(())
    }

    /// Removes volumes whose object is gone and to which nothing points any more.
    async fn remove_lost(&self, cold: &Arc<Cold>) -> Result<(), Stopped> {
        let damage = self.stats()?.damage.into_iter();
        let lost: Vec<VolumeId> = damage
            .filter(|damage| damage.from == 0 && cold.is_away(damage.volume))
            .map(|damage| damage.volume)
            .collect();
        if lost.is_empty() {
            return Ok(());
        }
        let (store, cold) = (self.clone(), Arc::clone(cold));
        let remove = move || {
            store.index().sync()?;
            let live = store.live_bytes()?;
            for volume in lost.into_iter().filter(|volume| !live.contains_key(volume)) {
                cold.remove(volume)?;
                store.forget(volume);
            }
            Ok(())
        };
        self.work("remove lost volumes", remove).await
    }
}

impl Cold {
    /// Deletes what is of this node and has no ticket; returns the tickets that have no object.
    fn compare(&self) -> Result<Vec<Ticket>, Stopped> {
        let settled: Vec<Ticket> = self.tickets();
        let settled = settled
            .into_iter()
            .filter(|ticket| ticket.state == State::Cold);
        let settled: Vec<Ticket> = settled.collect();
        if !self.has_mark()? {
            // Another bucket, or an emptied one: nothing is said of single volumes.
            if settled.is_empty() {
                self.make_mark()?;
            } else {
                tracing::error!(
                    "the cold store has nothing of this node any more: put back its \
                    bucket, or drain and replace the node"
                );
                return Ok(Vec::new());
            }
        }
        let directory = directory_of(self.owner.cluster, self.owner.node);
        let mut listed: BTreeMap<String, Meta> = BTreeMap::new();
        let mut note = |meta: Meta| {
            listed.insert(meta.name.clone(), meta);
        };
        self.reach
            .ask(|objects| objects.list(&directory, &mut note))?;
        let mut lost = Vec::new();
        for ticket in settled {
            let name = ticket.object(self.owner);
            if listed
                .get(&name)
                .is_some_and(|meta| meta.bytes == ticket.length)
            {
                continue;
            }
            match self.reach.ask(|objects| objects.length(&name)) {
                Ok(length) if length == ticket.length => {}
                Ok(_) | Err(ObjectError::Missing { .. }) => lost.push(ticket),
                Err(error) => return Err(error.into()),
            }
        }
        // Tickets come before their objects: what has none now had none when it was listed, or is
        // deleted already.
        listed.remove(&mark(self.owner));
        for ticket in self.tickets().iter().chain(&self.gone()) {
            listed.remove(&ticket.object(self.owner));
        }
        for meta in listed
            .into_values()
            .filter(|meta| meta.modified < self.began)
        {
            tracing::warn!(object = meta.name, "an object has no ticket: it is deleted");
            self.reach.ask(|objects| objects.delete(&meta.name))?;
            self.metrics.deleted.inc();
        }
        Ok(lost
            .into_iter()
            .filter(|one| self.ticket(one.volume) == Some(*one))
            .collect())
    }
}
