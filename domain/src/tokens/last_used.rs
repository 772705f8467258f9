use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use storage_node_api::Timestamp;
use storage_node_api::limits::MAX_STATEMENTS;
use storage_node_api::metadata::Statement;

use crate::TokenId;
use crate::facts::time;
use crate::limits::{LAST_USED, LAST_USED_STEP};
use crate::tokens::Token;

/// Last-used times that wait to be written.
#[derive(Debug, Default)]
pub(crate) struct LastUsed {
    waiting: Mutex<BTreeMap<TokenId, Timestamp>>,
}

impl LastUsed {
    /// Notes a use, unless the written time is almost as late.
    pub(crate) fn note(&self, token: &Token, now: Timestamp) {
        if token
            .last_used
            .is_some_and(|written| now.since(written) < LAST_USED_STEP)
        {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < LAST_USED || waiting.contains_key(&token.id) {
            waiting.insert(token.id, now);
        }
    }

    /// One batch of what waits.
    pub(crate) fn take(&self) -> Vec<Statement> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statements = Vec::new();
        while statements.len() < MAX_STATEMENTS
            && let Some((id, used)) = waiting.pop_first()
        {
            let sql = "UPDATE tokens SET last_used = $1 \
                       WHERE id = $2 AND (last_used IS NULL OR last_used < $3)";
            statements.push(Statement::new(sql, [time(used), id.into(), time(used)]));
        }
        statements
    }
}
