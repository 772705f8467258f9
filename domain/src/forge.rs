use std::sync::Arc;

use runtime::Runtime;
use storage_node_api::Storage;
use storage_node_api::metadata::MigrateError;

use crate::facts::Facts;
use crate::{Accounts, Commits, Keys, Leases, Lfs, PasswordCost, Repositories, Tokens, migrations};

/// All use cases over one storage. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Forge {
    /// People.
    pub accounts: Accounts,
    /// Their tokens and sessions.
    pub tokens: Tokens,
    /// Their keys, those of repositories, and the forge's own.
    pub keys: Keys,
    /// Large files of repositories.
    pub lfs: Lfs,
    /// Their repositories.
    pub repositories: Repositories,
    /// Work that one process at a time should do.
    pub leases: Leases,
    storage: Arc<dyn Storage>,
}

impl Forge {
    /// The use cases over this storage, whose schema must be up to date:
    /// [`Forge::migrate`].
    pub fn new(storage: Arc<dyn Storage>, runtime: Runtime, cost: PasswordCost) -> Self {
        let facts = Facts::new(Arc::clone(&storage), runtime.clone());
        let commits = Commits::new(Arc::clone(&storage), runtime);
        Self {
            accounts: Accounts::new(facts.clone(), cost),
            tokens: Tokens::new(facts.clone()),
            keys: Keys::new(facts.clone()),
            lfs: Lfs::new(facts.clone(), commits.clone(), Arc::clone(&storage)),
            leases: Leases::new(facts.clone()),
            repositories: Repositories::new(facts, commits, Arc::clone(&storage)),
            storage,
        }
    }

    /// Brings the schema up to date. Safe to call from many processes at once
    /// and at every start.
    pub async fn migrate(&self) -> Result<(), MigrateError> {
        self.storage.migrate(&migrations()).await
    }
}
