use storage_node_api::metadata::{Constraint, ExecuteError, Guard, Statement, Value};

use crate::accounts::password::PasswordError;
use crate::accounts::{Accounts, User, UserName, UserNameError};
use crate::facts::{FactsError, time};
use crate::limits::{EMAIL, FULL_NAME};
use crate::{AccountId, Failure};

/// What a new account is to be.
#[derive(Clone)]
pub struct NewUser<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its mail address; unique, like the name.
    pub email: &'a str,
    /// What the person calls themselves; may be empty.
    pub full_name: &'a str,
    /// Its password.
    pub password: &'a str,
    /// May do everything.
    pub is_admin: bool,
}

/// Why an account was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateUserError {
    /// The name breaks a rule.
    #[error(transparent)]
    Name(#[from] UserNameError),
    /// The mail address cannot be one.
    #[error("\"{0}\" is no mail address")]
    Email(String),
    /// Over [`FULL_NAME`] or with control characters.
    #[error("a full name has at most {FULL_NAME} bytes and no control characters")]
    FullName,
    /// The password breaks a rule or could not be hashed.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// Another account has the name, in whatever case.
    #[error("user \"{0}\" already exists")]
    NameTaken(String),
    /// Another account has the address.
    #[error("mail address \"{0}\" is already used")]
    EmailTaken(String),
    /// The facts could not be written.
    #[error(transparent)]
    Facts(#[from] FactsError),
}

impl CreateUserError {
    /// What kind of failure this is. A taken name counts as invalid, as Gitea
    /// has it.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Name(_) | Self::Email(_) | Self::FullName => Failure::Invalid,
            Self::NameTaken(_) | Self::EmailTaken(_) => Failure::Invalid,
            Self::Password(error) => error.failure(),
            Self::Facts(error) => error.failure(),
        }
    }
}

/// Statements of the batch, by index.
const NAME_IS_FREE: usize = 0;
const EMAIL_IS_FREE: usize = 1;

impl Accounts {
    /// Makes an account. After a crash it is there or not, never half.
    pub async fn create(&self, new: NewUser<'_>) -> Result<User, CreateUserError> {
        let (user, statements) = self.plan_create(&new).await?;
        match self.facts.execute(statements).await {
            Ok(_) => Ok(user),
            Err(error) => Err(create_error(error, &user)),
        }
    }

    /// The account and the statements that make it, the two checks first.
    pub(crate) async fn plan_create(
        &self,
        new: &NewUser<'_>,
    ) -> Result<(User, Vec<Statement>), CreateUserError> {
        let name = UserName::new(new.name)?;
        check_email(new.email)?;
        if new.full_name.len() > FULL_NAME || new.full_name.chars().any(char::is_control) {
            return Err(CreateUserError::FullName);
        }
        let password = self.passwords.hash(new.password).await?;
        let user = User {
            id: AccountId::random(&*self.facts.runtime.random),
            name: name.to_string(),
            email: new.email.to_owned(),
            full_name: new.full_name.to_owned(),
            is_admin: new.is_admin,
            is_active: true,
            created: self.facts.now(),
        };
        let name_key = Value::from(user.name.to_ascii_lowercase());
        let email_key = Value::from(user.email.to_lowercase());
        let none = Guard::Rows(0);
        let statements = vec![
            Statement::new(
                "SELECT id FROM users WHERE name_key = $1",
                [name_key.clone()],
            )
            .guarded(none),
            Statement::new(
                "SELECT id FROM users WHERE email_key = $1",
                [email_key.clone()],
            )
            .guarded(none),
            Statement::new(
                "INSERT INTO users (id, name, name_key, email, email_key, full_name, password, \
                 is_admin, is_active, created, updated) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                [
                    user.id.into(),
                    user.name.clone().into(),
                    name_key,
                    user.email.clone().into(),
                    email_key,
                    user.full_name.clone().into(),
                    password.into(),
                    user.is_admin.into(),
                    user.is_active.into(),
                    time(user.created),
                    time(user.created),
                ],
            ),
        ];
        Ok((user, statements))
    }
}

pub(crate) fn create_error(error: ExecuteError, user: &User) -> CreateUserError {
    match error {
        ExecuteError::Guard {
            statement: NAME_IS_FREE,
            ..
        } => CreateUserError::NameTaken(user.name.clone()),
        ExecuteError::Guard {
            statement: EMAIL_IS_FREE,
            ..
        } => CreateUserError::EmailTaken(user.email.clone()),
        // Two at once: whichever the database tells of first.
        ExecuteError::Constraint {
            kind: Constraint::Unique,
            ref what,
            ..
        } => {
            if what.contains("email") {
                CreateUserError::EmailTaken(user.email.clone())
            } else {
                CreateUserError::NameTaken(user.name.clone())
            }
        }
        other => CreateUserError::Facts(other.into()),
    }
}

/// Refuses what is certainly no address; only a mail that arrives proves one.
fn check_email(email: &str) -> Result<(), CreateUserError> {
    let well_formed = email.len() <= EMAIL
        && !email
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || "<>\"(),;:\\".contains(c))
        && email.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && !domain.is_empty()
                && !domain.contains('@')
                && !domain.starts_with('.')
                && !domain.ends_with('.')
        });
    if well_formed {
        Ok(())
    } else {
        Err(CreateUserError::Email(email.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::{CreateUserError, NewUser};
    use crate::testing::forge;

    fn new<'a>(name: &'a str, email: &'a str) -> NewUser<'a> {
        NewUser {
            name,
            email,
            full_name: "",
            password: "correct horse",
            is_admin: false,
        }
    }

    #[tokio::test]
    async fn names_and_addresses_are_unique_whatever_their_case() {
        let forge = forge().await;
        let alice = forge
            .accounts
            .create(new("Alice", "Alice@Example.org"))
            .await
            .unwrap();
        assert_eq!(
            forge.accounts.by_name("aLICE").await.unwrap(),
            Some(alice.clone())
        );
        let point = storage_node_api::ReadPoint::Linearizable;
        let found = forge.accounts.by_id(alice.id, point).await.unwrap();
        assert_eq!(found, Some(alice));
        let taken = forge
            .accounts
            .create(new("alice", "other@example.org"))
            .await;
        assert_eq!(taken, Err(CreateUserError::NameTaken("alice".to_owned())));
        let taken = forge.accounts.create(new("bob", "alice@example.org")).await;
        assert_eq!(
            taken,
            Err(CreateUserError::EmailTaken("alice@example.org".to_owned()))
        );
        assert_eq!(forge.accounts.by_name("bob").await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_is_no_address_is_refused() {
        let forge = forge().await;
        for email in [
            "", "a", "@b", "a@", "a@b@c", "a b@c", "a@b\n", "a@.b", "<a@b>",
        ] {
            let refused = forge.accounts.create(new("bob", email)).await;
            assert_eq!(refused, Err(CreateUserError::Email(email.to_owned())));
        }
    }
}
