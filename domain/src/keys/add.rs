use storage_node_api::metadata::{ExecuteError, Guard, Statement, Value};

use crate::facts::{FactsError, time};
use crate::keys::{Key, KeyOwner, Keys, PublicKey, PublicKeyError};
use crate::limits::{KEY_TITLE, KEYS_PER_OWNER};
use crate::{Failure, KeyId};

/// What a key is to be.
#[derive(Clone, Copy, Debug)]
pub struct NewKey<'a> {
    /// What its owner calls it, unique for the owner; if empty, the key's own
    /// comment.
    pub title: &'a str,
    /// The line of a `.pub` file.
    pub text: &'a str,
    /// Whether it may only fetch. An account's key may do what the account may.
    pub read_only: bool,
}

/// Why a key was not added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddKeyError {
    /// Empty, over [`KEY_TITLE`], or with control characters.
    #[error("a key's title has 1 to {KEY_TITLE} bytes and no control characters")]
    Title,
    /// The owner has one of that title.
    #[error("a key titled {0:?} already exists")]
    TitleTaken(String),
    /// The text is no key that is taken.
    #[error(transparent)]
    Text(#[from] PublicKeyError),
    /// It stands for something already: what, is not told.
    #[error("this key is in use already, by an account or a repository: make one of its own")]
    InUse,
    /// The owner has as many as it may have.
    #[error("an account or a repository has at most {KEYS_PER_OWNER} keys; delete some first")]
    TooMany,
    /// The facts could not be written.
    #[error(transparent)]
    Facts(#[from] FactsError),
}

impl AddKeyError {
    /// What kind of failure this is. What is taken counts as invalid, as Gitea
    /// has it.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Facts(error) => error.failure(),
            _ => Failure::Invalid,
        }
    }
}

/// Where the guards stand in the batch that adds a key.
const TITLE_GUARD: usize = 0;

impl Keys {
    /// Adds a key; effective at once everywhere.
    pub async fn add(&self, owner: KeyOwner, new: NewKey<'_>) -> Result<Key, AddKeyError> {
        let public = PublicKey::parse(new.text)?;
        let title = match new.title.trim() {
            "" => public.comment(),
            title => title,
        };
        if title.is_empty() || title.len() > KEY_TITLE || title.chars().any(char::is_control) {
            return Err(AddKeyError::Title);
        }
        if self.count(owner).await? >= KEYS_PER_OWNER {
            return Err(AddKeyError::TooMany);
        }
        let key = Key {
            id: KeyId::random(&*self.facts.runtime.random),
            owner,
            title: title.to_owned(),
            fingerprint: public.fingerprint(),
            content: public.line(),
            read_only: new.read_only && matches!(owner, KeyOwner::Repository { .. }),
            created: self.facts.now(),
            last_used: None,
        };
        let (of_owner, parameter) = owner.condition();
        let is_title_free = format!("SELECT k.id FROM keys k WHERE {of_owner} AND k.title = $2");
        let is_key_free = "SELECT id FROM keys WHERE fingerprint = $1";
        let statements = vec![
            Statement::new(is_title_free, [parameter, title.into()]).guarded(Guard::Rows(0)),
            Statement::new(is_key_free, [key.fingerprint.clone().into()]).guarded(Guard::Rows(0)),
            insert(&key),
        ];
        match self.facts.execute(statements).await {
            Ok(_) => Ok(key),
            Err(ExecuteError::Guard { statement, .. }) if statement == TITLE_GUARD => {
                Err(AddKeyError::TitleTaken(key.title))
            }
            Err(ExecuteError::Guard { .. } | ExecuteError::Constraint { .. }) => {
                Err(AddKeyError::InUse)
            }
            Err(error) => Err(AddKeyError::Facts(error.into())),
        }
    }
}

fn insert(key: &Key) -> Statement {
    let (account, repository) = match key.owner {
        KeyOwner::Account(account) => (account, Value::Null),
        KeyOwner::Repository { repository, by } => (by, repository.into()),
    };
    Statement::new(
        "INSERT INTO keys (id, user_id, repository_id, title, fingerprint, content, read_only, \
         created) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        [
            key.id.into(),
            account.into(),
            repository,
            key.title.clone().into(),
            key.fingerprint.clone().into(),
            key.content.clone().into(),
            Value::Integer(key.read_only.into()),
            time(key.created),
        ],
    )
}
