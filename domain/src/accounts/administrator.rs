use storage_node_api::metadata::{ExecuteError, Guard, Statement};

use crate::accounts::create::create_error;
use crate::accounts::{Accounts, CreateUserError, NewUser};
use crate::facts::FactsError;

/// Random bytes of a generated password.
const PASSWORD_BYTES: usize = 15;
/// 32 characters that are hard to mistake for one another.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Why there is still no administrator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnsureAdministratorError {
    /// The account could not be made.
    #[error("create the first administrator")]
    Create(#[source] CreateUserError),
    /// Whether there is one could not be read.
    #[error("look for an administrator")]
    Look(#[source] FactsError),
}

impl Accounts {
    /// Makes the first administrator if there is none. Returns the password if
    /// it was generated: show it once, it is nowhere else. With several
    /// processes starting at once exactly one makes the account.
    pub async fn ensure_administrator(
        &self,
        name: &str,
        password: Option<&str>,
    ) -> Result<Option<String>, EnsureAdministratorError> {
        let sql = "SELECT id FROM users WHERE is_admin = 1 LIMIT 1";
        let rows = self
            .facts
            .query(sql, [])
            .await
            .map_err(EnsureAdministratorError::Look)?;
        if !rows.is_empty() {
            return Ok(None);
        }
        let generated = if password.is_none() {
            Some(self.generate_password())
        } else {
            None
        };
        let new = NewUser {
            name,
            email: &format!("{name}@localhost"),
            full_name: "",
            password: password.or(generated.as_deref()).unwrap_or_default(),
            is_admin: true,
        };
        let planned = self.plan_create(&new).await;
        let (user, mut statements) = planned.map_err(EnsureAdministratorError::Create)?;
        let alone = statements.len();
        statements.push(
            Statement::new("SELECT id FROM users WHERE is_admin = 1", []).guarded(Guard::Rows(1)),
        );
        match self.facts.execute(statements).await {
            Ok(_) => Ok(generated),
            Err(ExecuteError::Guard { statement, .. }) if statement == alone => Ok(None),
            Err(error) => {
                // Another process was faster, with the same name.
                if self.is_administrator(name).await? {
                    return Ok(None);
                }
                Err(EnsureAdministratorError::Create(create_error(error, &user)))
            }
        }
    }

    async fn is_administrator(&self, name: &str) -> Result<bool, EnsureAdministratorError> {
        let user = self
            .by_name(name)
            .await
            .map_err(EnsureAdministratorError::Look)?;
        Ok(user.is_some_and(|user| user.is_admin))
    }

    fn generate_password(&self) -> String {
        let mut bytes = [0; PASSWORD_BYTES];
        self.facts.runtime.random.fill(&mut bytes);
        bytes
            .iter()
            .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::forge;

    #[tokio::test]
    async fn there_is_one_first_administrator() {
        let forge = forge().await;
        let accounts = &forge.accounts;
        let password = accounts
            .ensure_administrator("root", None)
            .await
            .unwrap()
            .unwrap();
        assert!(accounts.sign_in("root", &password).await.unwrap().is_admin);
        assert_eq!(accounts.ensure_administrator("root", None).await, Ok(None));
        assert_eq!(
            accounts
                .ensure_administrator("other", Some("password"))
                .await,
            Ok(None)
        );
        assert_eq!(accounts.by_name("other").await, Ok(None));
    }

    #[tokio::test]
    async fn a_given_password_is_not_shown() {
        let forge = forge().await;
        let given = Some("correct horse");
        assert_eq!(
            forge.accounts.ensure_administrator("root", given).await,
            Ok(None)
        );
        assert!(
            forge
                .accounts
                .sign_in("root", "correct horse")
                .await
                .unwrap()
                .is_admin
        );
    }
}
