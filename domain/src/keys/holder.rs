use crate::accounts::{USER_COLUMNS, read_user};
use crate::facts::{Columns, FactsError};
use crate::keys::key::{KEY_COLUMNS, read_key};
use crate::keys::{Key, KeyOwner, Keys};
use crate::{AccountId, KeyId, RepositoryKey, User};

/// Whom a key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// An account.
    Account {
        /// Whose.
        user: User,
        /// The key.
        key: Key,
    },
    /// One repository.
    Repository(DeployKey),
}

/// A key that stands for one repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeployKey {
    /// Its id.
    pub id: KeyId,
    /// Which.
    pub repository: RepositoryKey,
    /// Whether it may only fetch.
    pub read_only: bool,
    /// Who added it, and is named by what is pushed with it.
    pub by: AccountId,
}

/// The columns of table `keys` (as `k`) that [`read_deploy_key`] reads.
pub(crate) const DEPLOY_COLUMNS: &str = "k.id, k.repository_id, k.read_only, k.user_id";

pub(crate) fn read_deploy_key(row: &mut Columns) -> Result<DeployKey, FactsError> {
    Ok(DeployKey {
        id: KeyId(row.integer()?),
        repository: RepositoryKey(row.integer()?),
        read_only: row.boolean()?,
        by: AccountId(row.integer()?),
    })
}

impl Keys {
    /// Whom the key with this fingerprint stands for. That someone holds it is
    /// for the caller to check. A repository's key outlives the account that
    /// added it.
    pub async fn holder(&self, fingerprint: &str) -> Result<Option<Holder>, FactsError> {
        let sql = format!(
            "SELECT {USER_COLUMNS}, {KEY_COLUMNS} FROM keys k JOIN users u ON u.id = k.user_id \
             WHERE k.fingerprint = $1 AND (u.is_active = 1 OR k.repository_id IS NOT NULL)"
        );
        let rows = self.facts.query(&sql, [fingerprint.into()]).await?;
        let Some(mut row) = rows.into_iter().next() else {
            return Ok(None);
        };
        let user = read_user(&mut row)?;
        let key = read_key(&mut row)?;
        self.last_used.note(key.id, key.last_used, self.facts.now());
        Ok(Some(match key.owner {
            KeyOwner::Account(_) => Holder::Account { user, key },
            KeyOwner::Repository { repository, by } => Holder::Repository(DeployKey {
                id: key.id,
                repository,
                read_only: key.read_only,
                by,
            }),
        }))
    }
}
