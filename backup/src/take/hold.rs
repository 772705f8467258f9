//! The hold on every group, from before the first read to after the last.

use std::collections::BTreeMap;

use runtime::Timestamp;
use storage_node_api::map::ClusterMap;
use storage_node_api::order::{Answer, Command, Query, Refusal};
use storage_node_api::{OwnerId, Slot};

use super::TakeError;
use crate::limits::{HOLD, RENEW_HOLD};
use crate::order::{GroupError, Tier};

/// Holds on the groups, by a slot of each, with their numbers.
pub(super) struct Holding {
    tier: Tier,
    holder: OwnerId,
    fences: BTreeMap<Slot, u64>,
}

impl Holding {
    /// Asks every group. A group that refuses ends all.
    pub(super) async fn begin(tier: Tier, map: &ClusterMap) -> Result<Self, TakeError> {
        let groups: BTreeMap<_, _> = map.groups.iter().map(|r| (r.group, r.first)).collect();
        let mut holding = Self {
            holder: OwnerId::random(&*tier.runtime.random),
            fences: BTreeMap::new(),
            tier,
        };
        for slot in groups.into_values() {
            if let Err(error) = holding.take(slot).await {
                holding.release().await;
                return Err(error);
            }
        }
        Ok(holding)
    }

    async fn take(&mut self, slot: Slot) -> Result<(), TakeError> {
        self.ask(slot).await?;
        let fence = self.fence(slot).await?.ok_or(TakeError::HoldLost)?;
        self.fences.insert(slot, fence);
        Ok(())
    }

    async fn ask(&self, slot: Slot) -> Result<(), TakeError> {
        let now = self.tier.runtime.clock.now().millis();
        let longer = u64::try_from(HOLD.as_millis()).unwrap_or(u64::MAX);
        let command = Command::Hold {
            holder: self.holder,
            until: Timestamp(now.saturating_add(longer)),
        };
        match self.tier.commit(slot, command).await {
            Err(GroupError::Refused(Refusal::Held { until })) => Err(TakeError::Held { until }),
            other => Ok(other?),
        }
    }

    /// The number of our hold, if it is in force.
    async fn fence(&self, slot: Slot) -> Result<Option<u64>, TakeError> {
        match self.tier.ask(slot, Query::Hold).await? {
            Answer::Hold(hold) => Ok(hold
                .filter(|hold| hold.holder == self.holder)
                .map(|hold| hold.fence)),
            _ => Err(GroupError::Unexpected.into()),
        }
    }

    /// Makes the holds last longer, again and again, while the backup is read
    /// beside. Ends only when it fails.
    pub(super) async fn keep(&self) -> TakeError {
        loop {
            self.tier.runtime.clock.sleep(RENEW_HOLD).await;
            for slot in self.fences.keys() {
                if let Err(error) = self.ask(*slot).await {
                    return error;
                }
            }
        }
    }

    /// Whether every hold has lasted all the time.
    pub(super) async fn confirm(&self) -> Result<(), TakeError> {
        for (slot, fence) in &self.fences {
            if self.fence(*slot).await? != Some(*fence) {
                return Err(TakeError::HoldLost);
            }
        }
        Ok(())
    }

    /// Lets go. What cannot be reached lets go by itself.
    pub(super) async fn release(&self) {
        for slot in self.fences.keys() {
            let release = Command::Release(self.holder);
            if let Err(error) = self.tier.commit(*slot, release).await {
                tracing::warn!(%error, "a hold is left to end by itself");
            }
        }
    }
}
