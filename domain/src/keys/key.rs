use storage_node_api::Timestamp;
use storage_node_api::metadata::Value;

use crate::facts::{Columns, FactsError};
use crate::{AccountId, KeyId, RepositoryKey};

/// One public key, and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its id.
    pub id: KeyId,
    /// What it stands for.
    pub owner: KeyOwner,
    /// What its owner calls it.
    pub title: String,
    /// `SHA256:…`.
    pub fingerprint: String,
    /// Its kind and the key itself in one line.
    pub content: String,
    /// Whether it may only fetch. Of repositories' keys alone.
    pub read_only: bool,
    /// When it was added.
    pub created: Timestamp,
    /// When it was used last, some minutes late; `None` for never.
    pub last_used: Option<Timestamp>,
}

impl Key {
    /// Such as `ssh-ed25519`.
    pub fn kind(&self) -> &str {
        self.content.split(' ').next().unwrap_or_default()
    }
}

/// What a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOwner {
    /// An account.
    Account(AccountId),
    /// One repository, whoever holds the key (a deploy key).
    Repository {
        /// Which.
        repository: RepositoryKey,
        /// Who added it.
        by: AccountId,
    },
}

impl KeyOwner {
    /// The SQL condition on table `keys` (as `k`), of one parameter.
    pub(super) fn condition(self) -> (&'static str, Value) {
        match self {
            Self::Account(account) => {
                ("k.user_id = $1 AND k.repository_id IS NULL", account.into())
            }
            Self::Repository { repository, .. } => ("k.repository_id = $1", repository.into()),
        }
    }
}

/// The columns of table `keys` (as `k`) that [`read_key`] reads.
pub(super) const KEY_COLUMNS: &str = "k.id, k.user_id, k.repository_id, k.title, k.fingerprint, \
     k.content, k.read_only, k.created, k.last_used";

pub(super) fn read_key(row: &mut Columns) -> Result<Key, FactsError> {
    let id = KeyId(row.integer()?);
    let account = AccountId(row.integer()?);
    Ok(Key {
        id,
        owner: match row.optional_integer()? {
            None => KeyOwner::Account(account),
            Some(repository) => KeyOwner::Repository {
                repository: RepositoryKey(repository),
                by: account,
            },
        },
        title: row.text()?,
        fingerprint: row.text()?,
        content: row.text()?,
        read_only: row.boolean()?,
        created: row.time()?,
        last_used: row.optional_time()?,
    })
}
