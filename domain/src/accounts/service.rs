use storage_node_api::ReadPoint;

use crate::AccountId;
use crate::accounts::password::Passwords;
use crate::accounts::{PasswordCost, USER_COLUMNS, User, is_plain, read_user};
use crate::facts::{Facts, FactsError};

/// The accounts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Accounts {
    pub(crate) facts: Facts,
    pub(crate) passwords: Passwords,
}

impl Accounts {
    pub(crate) fn new(facts: Facts, cost: PasswordCost) -> Self {
        let passwords = Passwords::new(facts.runtime.clone(), cost);
        Self { facts, passwords }
    }

    /// The active account of that name, in any case.
    pub async fn by_name(&self, name: &str) -> Result<Option<User>, FactsError> {
        if !is_plain(name) {
            return Ok(None);
        }
        let sql =
            format!("SELECT {USER_COLUMNS} FROM users u WHERE u.name_key = $1 AND u.is_active = 1");
        let rows = self
            .facts
            .query(&sql, [name.to_ascii_lowercase().into()])
            .await?;
        rows.into_iter()
            .next()
            .map(|mut row| read_user(&mut row))
            .transpose()
    }

    /// The active account of that id.
    pub async fn by_id(&self, id: AccountId, point: ReadPoint) -> Result<Option<User>, FactsError> {
        let sql = format!("SELECT {USER_COLUMNS} FROM users u WHERE u.id = $1 AND u.is_active = 1");
        let rows = self.facts.query_at(point, &sql, [id.into()]).await?;
        rows.into_iter()
            .next()
            .map(|mut row| read_user(&mut row))
            .transpose()
    }
}
