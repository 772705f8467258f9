use domain::tokens::{Token, TokenSecret};
use serde::Serialize;

use crate::moment::rfc3339;

/// An access token. The secret is in `sha1`, as Gitea calls it, and only in the
/// answer to its creation.
#[derive(Clone, Debug, Serialize)]
pub(in crate::api) struct AccessToken {
    id: i64,
    name: String,
    sha1: String,
    token_last_eight: String,
    scopes: Vec<String>,
    created_at: String,
    last_used_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

impl AccessToken {
    pub(in crate::api) fn of(token: &Token, secret: Option<&TokenSecret>) -> Self {
        Self {
            id: token.id.0,
            name: token.name.clone(),
            sha1: secret
                .map(|secret| secret.reveal().to_owned())
                .unwrap_or_default(),
            token_last_eight: token.last_eight.clone(),
            scopes: token.scopes.names(),
            created_at: rfc3339(token.created),
            last_used_at: rfc3339(token.last_used.unwrap_or(token.created)),
            expires_at: token.expires.map(rfc3339),
        }
    }
}
