use storage_node_api::Timestamp;

use crate::Failure;
use crate::accounts::{USER_COLUMNS, User, read_user};
use crate::facts::FactsError;
use crate::tokens::token::{ACCESS, SESSION, TOKEN_COLUMNS, read_token};
use crate::tokens::{Token, TokenSecret, Tokens};

/// Whose a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// The account.
    pub user: User,
    /// The token or session.
    pub token: Token,
}

/// Why a secret was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticateError {
    /// There is no such token; it may have been revoked.
    #[error("the access token is not valid: it may have been revoked")]
    Unknown,
    /// It is past its time. Only who holds the secret gets to read this.
    #[error("the access token \"{name}\" has expired; make a new one")]
    Expired {
        /// What its owner called it.
        name: String,
        /// When it expired.
        at: Timestamp,
    },
    /// It could not be looked up.
    #[error(transparent)]
    Facts(#[from] FactsError),
}

impl AuthenticateError {
    /// What kind of failure this is.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Unknown | Self::Expired { .. } => Failure::Unauthenticated,
            Self::Facts(error) => error.failure(),
        }
    }
}

impl Tokens {
    /// Whose access token this is.
    pub async fn authenticate(
        &self,
        secret: &TokenSecret,
    ) -> Result<Authenticated, AuthenticateError> {
        let found = self.find(secret, ACCESS).await?;
        let token = &found.token;
        self.last_used
            .note(token.id, token.last_used, self.facts.now());
        Ok(found)
    }

    /// Whose session this is.
    pub async fn resume_session(
        &self,
        secret: &TokenSecret,
    ) -> Result<Authenticated, AuthenticateError> {
        self.find(secret, SESSION).await
    }

    async fn find(
        &self,
        secret: &TokenSecret,
        kind: &str,
    ) -> Result<Authenticated, AuthenticateError> {
        let sql = format!(
            "SELECT {USER_COLUMNS}, {TOKEN_COLUMNS} \
             FROM tokens t JOIN users u ON u.id = t.user_id \
             WHERE t.hash = $1 AND t.kind = $2 AND u.is_active = 1"
        );
        let rows = self
            .facts
            .query(&sql, [secret.hash().into(), kind.into()])
            .await?;
        let mut row = rows.into_iter().next().ok_or(AuthenticateError::Unknown)?;
        let found = Authenticated {
            user: read_user(&mut row)?,
            token: read_token(&mut row)?,
        };
        match found.token.expires {
            Some(at) if at <= self.facts.now() => Err(AuthenticateError::Expired {
                name: found.token.name,
                at,
            }),
            _ => Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::AuthenticateError;
    use crate::Slice;
    use crate::testing::{forge_and_clock, user};
    use crate::tokens::{CreateTokenError, NewToken, RevokeTokenError, Scopes, TokenSecret};

    const FIRST: Slice = Slice {
        limit: 10,
        offset: 0,
    };

    fn new(name: &str) -> NewToken<'_> {
        NewToken {
            name,
            scopes: Scopes::parse(["read:repository"]).unwrap(),
            expires: None,
        }
    }

    #[tokio::test]
    async fn a_secret_stands_for_its_account_until_it_is_revoked() {
        let (forge, _clock) = forge_and_clock().await;
        let alice = user(&forge, "alice").await;
        let (token, secret) = forge.tokens.create(alice.id, new("ci")).await.unwrap();
        let found = forge.tokens.authenticate(&secret).await.unwrap();
        assert_eq!((found.user, found.token), (alice.clone(), token.clone()));
        let session = forge.tokens.resume_session(&secret).await;
        assert_eq!(
            session,
            Err(AuthenticateError::Unknown),
            "an access token is no session"
        );
        let other = TokenSecret::parse(&format!("dft_{}", "0".repeat(40))).unwrap();
        assert_eq!(
            forge.tokens.authenticate(&other).await,
            Err(AuthenticateError::Unknown)
        );
        forge.tokens.revoke(alice.id, "ci").await.unwrap();
        assert_eq!(
            forge.tokens.authenticate(&secret).await,
            Err(AuthenticateError::Unknown)
        );
        let again = forge.tokens.revoke(alice.id, "ci").await;
        assert_eq!(again, Err(RevokeTokenError::NotFound("ci".to_owned())));
    }

    #[tokio::test]
    async fn an_expired_token_says_so() {
        let (forge, clock) = forge_and_clock().await;
        let alice = user(&forge, "alice").await;
        let expires = Some(forge.tokens.facts.now().plus(Duration::from_secs(60)));
        let new = NewToken {
            expires,
            ..new("short")
        };
        let (_, secret) = forge.tokens.create(alice.id, new).await.unwrap();
        assert!(forge.tokens.authenticate(&secret).await.is_ok());
        clock.advance(Duration::from_secs(61));
        let expired = forge.tokens.authenticate(&secret).await.unwrap_err();
        assert!(
            matches!(expired, AuthenticateError::Expired { .. }),
            "{expired}"
        );
    }

    #[tokio::test]
    async fn names_are_unique_for_their_owner_only() {
        let (forge, _clock) = forge_and_clock().await;
        let (alice, bob) = (user(&forge, "alice").await, user(&forge, "bob").await);
        forge.tokens.create(alice.id, new("ci")).await.unwrap();
        forge.tokens.create(bob.id, new("ci")).await.unwrap();
        let taken = forge.tokens.create(alice.id, new("ci")).await.unwrap_err();
        assert_eq!(taken, CreateTokenError::NameTaken("ci".to_owned()));
        assert_eq!(
            forge
                .tokens
                .list(alice.id, FIRST)
                .await
                .unwrap()
                .items
                .len(),
            1
        );
    }

    #[tokio::test]
    async fn use_is_written_in_batches() {
        let (forge, clock) = forge_and_clock().await;
        let alice = user(&forge, "alice").await;
        let (_, secret) = forge.tokens.create(alice.id, new("ci")).await.unwrap();
        clock.advance(Duration::from_secs(5));
        forge.tokens.authenticate(&secret).await.unwrap();
        let used = async || forge.tokens.list(alice.id, FIRST).await.unwrap().items[0].last_used;
        assert_eq!(used().await, None, "a read wrote a fact");
        forge.tokens.flush_last_used().await.unwrap();
        assert_eq!(used().await, Some(forge.tokens.facts.now()));
    }

    #[tokio::test]
    async fn sessions_end() {
        let (forge, clock) = forge_and_clock().await;
        let alice = user(&forge, "alice").await;
        let first = forge.tokens.open_session(alice.id).await.unwrap();
        let second = forge.tokens.open_session(alice.id).await.unwrap();
        assert_eq!(
            forge.tokens.resume_session(&first).await.unwrap().user,
            alice
        );
        assert_eq!(forge.tokens.list(alice.id, FIRST).await.unwrap().total, 0);
        forge.tokens.close_session(&first).await.unwrap();
        assert!(forge.tokens.resume_session(&first).await.is_err());
        assert!(forge.tokens.resume_session(&second).await.is_ok());
        clock.advance(crate::limits::SESSION_LIFE);
        assert!(forge.tokens.resume_session(&second).await.is_err());
        clock.advance(Duration::from_secs(1));
        forge.tokens.sweep_sessions().await.unwrap();
        assert_eq!(
            forge.tokens.resume_session(&second).await,
            Err(AuthenticateError::Unknown)
        );
    }
}
