use storage_node_api::Timestamp;
use storage_node_api::metadata::{ExecuteError, Guard, Statement};

use crate::facts::FactsError;
use crate::limits::{TOKEN_NAME, TOKENS_PER_ACCOUNT};
use crate::tokens::service::insert;
use crate::tokens::token::ACCESS;
use crate::tokens::{Scopes, Token, TokenSecret, Tokens};
use crate::{AccountId, Failure, TokenId};

/// What a new access token is to be.
#[derive(Clone, Debug)]
pub struct NewToken<'a> {
    /// What its owner calls it; unique for the owner.
    pub name: &'a str,
    /// What it may be used for.
    pub scopes: Scopes,
    /// When it stops to work, if ever.
    pub expires: Option<Timestamp>,
}

/// Why a token was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateTokenError {
    /// Empty, over [`TOKEN_NAME`], or with control characters.
    #[error("a token name has 1 to {TOKEN_NAME} bytes and no control characters")]
    Name,
    /// The owner has one of that name.
    #[error("an access token named \"{0}\" already exists")]
    NameTaken(String),
    /// The account has as many as it may have.
    #[error("an account has at most {TOKENS_PER_ACCOUNT} access tokens; delete some first")]
    TooMany,
    /// The facts could not be written.
    #[error(transparent)]
    Facts(#[from] FactsError),
}

impl CreateTokenError {
    /// What kind of failure this is. A taken name counts as invalid, as Gitea
    /// has it.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Name | Self::NameTaken(_) | Self::TooMany => Failure::Invalid,
            Self::Facts(error) => error.failure(),
        }
    }
}

impl Tokens {
    /// Makes an access token. The secret is nowhere else: show it once.
    pub async fn create(
        &self,
        account: AccountId,
        new: NewToken<'_>,
    ) -> Result<(Token, TokenSecret), CreateTokenError> {
        let name = new.name.trim();
        if name.is_empty() || name.len() > TOKEN_NAME || name.chars().any(char::is_control) {
            return Err(CreateTokenError::Name);
        }
        if self.count(account).await? >= TOKENS_PER_ACCOUNT {
            return Err(CreateTokenError::TooMany);
        }
        let secret = TokenSecret::random(&*self.facts.runtime.random);
        let token = Token {
            id: TokenId::random(&*self.facts.runtime.random),
            account,
            name: name.to_owned(),
            last_eight: secret.last_eight().to_owned(),
            scopes: new.scopes,
            created: self.facts.now(),
            expires: new.expires,
            last_used: None,
        };
        let is_free = "SELECT id FROM tokens WHERE user_id = $1 AND kind = 'access' AND name = $2";
        let statements = vec![
            Statement::new(is_free, [account.into(), name.into()]).guarded(Guard::Rows(0)),
            insert(&token, ACCESS, &secret),
        ];
        match self.facts.execute(statements).await {
            Ok(_) => Ok((token, secret)),
            Err(ExecuteError::Guard { .. } | ExecuteError::Constraint { .. }) => {
                Err(CreateTokenError::NameTaken(token.name))
            }
            Err(error) => Err(CreateTokenError::Facts(error.into())),
        }
    }
}
