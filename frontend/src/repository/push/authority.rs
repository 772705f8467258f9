use domain::{Access, Action, FactsError, Forge, RepositoryKey, Viewer, authorize};

/// By what right a push is made.
#[derive(Clone, Debug)]
pub(crate) struct Authority {
    pub(crate) forge: Forge,
    pub(crate) viewer: Viewer,
    pub(crate) repository: RepositoryKey,
}

impl Authority {
    /// Whether the right still stands, read anew.
    pub(super) async fn still_stands(&self) -> Result<bool, FactsError> {
        let viewer = self.forge.refresh(&self.viewer).await?;
        let repository = self.forge.repositories.by_key(self.repository).await?;
        Ok(authorize(&viewer, Action::Write, repository.as_ref()) == Access::Granted)
    }

    /// Who pushes, as the event names them.
    pub(super) fn actor(&self) -> u64 {
        self.viewer
            .account()
            .map_or(0, |account| account.0.unsigned_abs())
    }
}
