use crate::Failure;
use crate::accounts::{Accounts, PasswordError, USER_COLUMNS, User, read_user};
use crate::facts::FactsError;
use crate::limits::EMAIL;

/// Why a sign-in failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// No such account, or another password: which of both is not told.
    #[error("the user name or password is wrong")]
    Wrong,
    /// The password could not be checked.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The account could not be read.
    #[error(transparent)]
    Facts(#[from] FactsError),
}

impl SignInError {
    /// What kind of failure this is.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Wrong => Failure::Unauthenticated,
            Self::Password(error) => error.failure(),
            Self::Facts(error) => error.failure(),
        }
    }
}

impl Accounts {
    /// The account of that name or mail address, if this is its password.
    /// Takes as long for unknown names as for known ones.
    pub async fn sign_in(&self, name: &str, password: &str) -> Result<User, SignInError> {
        // An address has an at sign, a name never has.
        let column = if name.contains('@') {
            "email_key"
        } else {
            "name_key"
        };
        let sql = format!(
            "SELECT {USER_COLUMNS}, u.password FROM users u \
             WHERE u.{column} = $1 AND u.is_active = 1"
        );
        // No database takes every text; these are nobody's anyway.
        let is_nobody = name.len() > EMAIL || name.chars().any(char::is_control);
        let key = if is_nobody { "" } else { name };
        let rows = self.facts.query(&sql, [key.to_lowercase().into()]).await?;
        let mut found = None;
        if let Some(mut row) = rows.into_iter().next() {
            found = Some((read_user(&mut row)?, row.text()?));
        }
        let stored = found.as_ref().map(|(_, stored)| stored.as_str());
        let right = self.passwords.verify(stored, password).await?;
        match found {
            Some((user, _)) if right => Ok(user),
            _ => Err(SignInError::Wrong),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SignInError;
    use crate::testing::{PASSWORD, forge, user};

    #[tokio::test]
    async fn name_or_address_with_the_password_signs_in() {
        let forge = forge().await;
        let alice = user(&forge, "alice").await;
        for name in ["alice", "ALICE", "alice@example.org"] {
            assert_eq!(
                forge.accounts.sign_in(name, PASSWORD).await,
                Ok(alice.clone())
            );
        }
        for (name, password) in [
            ("alice", "wrong"),
            ("bob", PASSWORD),
            ("", ""),
            ("alice", ""),
        ] {
            let refused = forge.accounts.sign_in(name, password).await;
            assert_eq!(refused, Err(SignInError::Wrong), "{name} {password}");
        }
    }
}
