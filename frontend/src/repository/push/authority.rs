use std::time::Duration;

use domain::{Access, Action, FactsError, Forge, RepositoryKey, Viewer, authorize};
use storage_node_api::ReadPoint;

use crate::limits::RIGHTS_AGE;

/// By what right a push is made.
#[derive(Clone, Debug)]
pub(crate) struct Authority {
    pub(crate) forge: Forge,
    pub(crate) viewer: Viewer,
    pub(crate) repository: RepositoryKey,
    /// When it was begun to be read, as new as everything acknowledged before.
    pub(crate) read_at: Duration,
}

impl Authority {
    /// Whether the right still stands, read anew: from the nearest replica
    /// where it was read as new as can be a moment ago, since a push that is
    /// over so soon may as well have come before whatever that replica has not
    /// heard of; as new as can be where it was not, and before it is denied.
    pub(super) async fn still_stands(&self, now: Duration) -> Result<bool, FactsError> {
        let is_fresh = now.saturating_sub(self.read_at) < RIGHTS_AGE;
        if is_fresh && matches!(self.stands(ReadPoint::Stale).await, Ok(true)) {
            return Ok(true);
        }
        self.stands(ReadPoint::Linearizable).await
    }

    async fn stands(&self, point: ReadPoint) -> Result<bool, FactsError> {
        let present = self.forge.refresh(&self.viewer, self.repository, point);
        let (viewer, repository) = present.await?;
        Ok(authorize(&viewer, Action::Write, repository.as_ref()) == Access::Granted)
    }

    /// Who pushes, as the event names them.
    pub(super) fn actor(&self) -> u64 {
        self.viewer
            .account()
            .map_or(0, |account| account.0.unsigned_abs())
    }
}
