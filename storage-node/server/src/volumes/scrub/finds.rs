//! What becomes of what was found.

use storage_node_api::DedupDomain;

use super::super::commit::Work;
use super::super::error::{StoreError, report};
use super::super::index::{Key, Place};
use super::super::store::ChunkStore;
use super::super::volume::Damage;
use super::census;

impl ChunkStore {
    /// Quarantines a chunk, if the index still points to this place; says
    /// whether it did, as a count.
    pub(in crate::volumes) async fn quarantine(
        &self,
        key: &Key,
        place: &Place,
    ) -> Result<u64, StoreError> {
        let (index, asked) = (self.index().clone(), *key);
        let before = self.blocking("look up a chunk", move || index.get(&asked));
        let before = before.await??;
        if before.is_none_or(|entry| !entry.is_intact() || entry.place != *place) {
            return Ok(0);
        }
        tracing::error!(chunk.id = %key.id, volume = %place.volume, offset = place.offset,
            "a chunk is corrupt: it is quarantined, to be fetched from a peer");
        let work = Work::Quarantine {
            chunk: key.id,
            place: *place,
            by_read: false,
        };
        self.submit(key.domain, work, None).await?;
        Ok(1)
    }

    /// Keeps what was found damaged and was not known to be, and returns it.
    pub(in crate::volumes) async fn report_damage(
        &self,
        damage: &[Damage],
    ) -> Result<Vec<Damage>, StoreError> {
        let mut new = Vec::new();
        for damage in damage {
            if self.note_damage(*damage) {
                report(damage);
                let work = Work::Damaged(*damage);
                self.submit(DedupDomain(0), work, None).await?;
                new.push(*damage);
            }
        }
        Ok(new)
    }

    /// Quarantines every chunk whose record begins in damaged bytes.
    pub(in crate::volumes) async fn quarantine_within(
        &self,
        damage: Vec<Damage>,
    ) -> Result<u64, StoreError> {
        let store = self.clone();
        let find = move || census::within(&store.scrubbed(), &damage);
        let found = self.blocking("find lost chunks", find).await??;
        let mut lost = 0;
        for (key, place) in &found {
            lost += self.quarantine(key, place).await?;
        }
        Ok(lost)
    }
}
