use storage_node_api::Timestamp;

use crate::AccountId;
use crate::facts::{Columns, FactsError};

/// One account, without its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its id, for ever.
    pub id: AccountId,
    /// The name it signs in with and that its repositories' addresses begin with.
    pub name: String,
    /// Its mail address.
    pub email: String,
    /// What the person calls themselves; may be empty.
    pub full_name: String,
    /// May do everything.
    pub is_admin: bool,
    /// May sign in.
    pub is_active: bool,
    /// When it was made.
    pub created: Timestamp,
}

/// What everyone may know of a repository's owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its id, for ever.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// What the person calls themselves; may be empty.
    pub full_name: String,
    /// When it was made.
    pub created: Timestamp,
}

impl From<&User> for Owner {
    fn from(user: &User) -> Self {
        Self {
            id: user.id,
            name: user.name.clone(),
            full_name: user.full_name.clone(),
            created: user.created,
        }
    }
}

/// The columns of table `users` (as `u`) that [`read_user`] reads.
pub(crate) const USER_COLUMNS: &str =
    "u.id, u.name, u.email, u.full_name, u.is_admin, u.is_active, u.created";

pub(crate) fn read_user(row: &mut Columns) -> Result<User, FactsError> {
    Ok(User {
        id: AccountId(row.integer()?),
        name: row.text()?,
        email: row.text()?,
        full_name: row.text()?,
        is_admin: row.boolean()?,
        is_active: row.boolean()?,
        created: row.time()?,
    })
}
