use storage_node_api::metadata::{ExecuteError, Guard, Statement};

use crate::facts::FactsError;
use crate::tokens::Tokens;
use crate::{AccountId, Failure};

/// Why a token was not revoked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevokeTokenError {
    /// The account has none of that name or id.
    #[error("there is no access token \"{0}\"")]
    NotFound(String),
    /// The facts could not be written.
    #[error(transparent)]
    Facts(#[from] FactsError),
}

impl RevokeTokenError {
    /// What kind of failure this is.
    pub fn failure(&self) -> Failure {
        match self {
            Self::NotFound(_) => Failure::NotFound,
            Self::Facts(error) => error.failure(),
        }
    }
}

impl Tokens {
    /// Revokes the account's access token of that id or name; effective at once
    /// everywhere. A name that is a number is taken as the id first.
    pub async fn revoke(&self, account: AccountId, token: &str) -> Result<(), RevokeTokenError> {
        if let Ok(id) = token.parse::<i64>() {
            let sql = "DELETE FROM tokens WHERE user_id = $1 AND kind = 'access' AND id = $2";
            let delete = Statement::new(sql, [account.into(), id.into()]);
            if self.delete(delete).await? {
                return Ok(());
            }
        }
        let sql = "DELETE FROM tokens WHERE user_id = $1 AND kind = 'access' AND name = $2";
        let delete = Statement::new(sql, [account.into(), token.into()]);
        if self.delete(delete).await? {
            return Ok(());
        }
        Err(RevokeTokenError::NotFound(token.to_owned()))
    }

    async fn delete(&self, statement: Statement) -> Result<bool, FactsError> {
        match self
            .facts
            .execute(vec![statement.guarded(Guard::Rows(1))])
            .await
        {
            Ok(_) => Ok(true),
            Err(ExecuteError::Guard { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
