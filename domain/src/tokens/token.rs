use storage_node_api::Timestamp;

use crate::facts::{Columns, FactsError};
use crate::tokens::Scopes;
use crate::{AccountId, TokenId};

/// One access token or session, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// Whose it is.
    pub account: AccountId,
    /// What its owner calls it.
    pub name: String,
    /// The last eight characters of its secret.
    pub last_eight: String,
    /// What it may be used for.
    pub scopes: Scopes,
    /// When it was made.
    pub created: Timestamp,
    /// When it stops to work, if ever.
    pub expires: Option<Timestamp>,
    /// When it was used last, some minutes late; `None` for never.
    pub last_used: Option<Timestamp>,
}

/// The `kind` of a token that a person made.
pub(crate) const ACCESS: &str = "access";
/// The `kind` of a session.
pub(crate) const SESSION: &str = "session";

/// The columns of table `tokens` (as `t`) that [`read_token`] reads.
pub(crate) const TOKEN_COLUMNS: &str =
    "t.id, t.user_id, t.name, t.last_eight, t.scopes, t.created, t.expires, t.last_used";

pub(crate) fn read_token(row: &mut Columns) -> Result<Token, FactsError> {
    Ok(Token {
        id: TokenId(row.integer()?),
        account: AccountId(row.integer()?),
        name: row.text()?,
        last_eight: row.text()?,
        scopes: row.parsed(Scopes::from_text)?,
        created: row.time()?,
        expires: row.optional_time()?,
        last_used: row.optional_time()?,
    })
}
