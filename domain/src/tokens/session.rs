use storage_node_api::metadata::Statement;

use crate::facts::FactsError;
use crate::limits::SESSION_LIFE;
use crate::tokens::service::insert;
use crate::tokens::token::SESSION;
use crate::tokens::{Scopes, Token, TokenSecret, Tokens};
use crate::{AccountId, TokenId};

impl Tokens {
    /// Opens a session for someone who has just signed in; the secret goes into
    /// the browser's cookie. It lives for [`SESSION_LIFE`].
    pub async fn open_session(&self, account: AccountId) -> Result<TokenSecret, FactsError> {
        let secret = TokenSecret::random(&*self.facts.runtime.random);
        let id = TokenId::random(&*self.facts.runtime.random);
        let now = self.facts.now();
        let session = Token {
            id,
            account,
            name: id.to_string(),
            last_eight: secret.last_eight().to_owned(),
            scopes: Scopes::all(),
            created: now,
            expires: Some(now.plus(SESSION_LIFE)),
            last_used: None,
        };
        self.facts
            .execute(vec![insert(&session, SESSION, &secret)])
            .await?;
        Ok(secret)
    }

    /// Ends a session. No effect if it has ended.
    pub async fn close_session(&self, secret: &TokenSecret) -> Result<(), FactsError> {
        let sql = "DELETE FROM tokens WHERE hash = $1 AND kind = 'session'";
        self.facts
            .execute(vec![Statement::new(sql, [secret.hash().into()])])
            .await?;
        Ok(())
    }
}
