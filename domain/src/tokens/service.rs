use std::sync::Arc;

use storage_node_api::metadata::{Statement, Value};

use crate::TokenId;
use crate::facts::{Facts, FactsError, time};
use crate::last_used::LastUsed;
use crate::tokens::{Token, TokenSecret};

/// The tokens. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub(crate) facts: Facts,
    pub(crate) last_used: Arc<LastUsed<TokenId>>,
}

impl Tokens {
    pub(crate) fn new(facts: Facts) -> Self {
        Self {
            facts,
            last_used: Arc::new(LastUsed::new("tokens")),
        }
    }

    /// Writes the last-used times that have gathered. Call it every minute or
    /// so and at the end; a crash in between forgets them.
    pub async fn flush_last_used(&self) -> Result<(), FactsError> {
        self.last_used.flush(&self.facts).await
    }

    /// Forgets sessions that have expired.
    pub async fn sweep_sessions(&self) -> Result<(), FactsError> {
        let now = time(self.facts.now());
        let sql = "DELETE FROM tokens WHERE kind = 'session' AND expires < $1";
        self.facts.execute(vec![Statement::new(sql, [now])]).await?;
        Ok(())
    }
}

/// The statement that keeps a token.
pub(crate) fn insert(token: &Token, kind: &str, secret: &TokenSecret) -> Statement {
    Statement::new(
        "INSERT INTO tokens (id, user_id, kind, name, hash, last_eight, scopes, created, expires) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        [
            token.id.into(),
            token.account.into(),
            kind.into(),
            token.name.clone().into(),
            secret.hash().into(),
            token.last_eight.clone().into(),
            token.scopes.to_text().into(),
            time(token.created),
            token.expires.map_or(Value::Null, time),
        ],
    )
}
