//! People who sign in.
//!
//! Names are unique whatever their case. Passwords are kept as Argon2id in the
//! PHC string format; hashing runs off the asynchronous threads, a bounded
//! number at a time, and takes as long for unknown names as for known ones.
//!
//! Not here: what an account may do (`permissions`), tokens (`tokens`).

mod administrator;
mod create;
mod name;
mod password;
mod service;
mod sign_in;
mod user;

pub use administrator::EnsureAdministratorError;
pub use create::{CreateUserError, NewUser};
pub use name::{UserName, UserNameError};
pub use password::{PasswordCost, PasswordError};
pub use service::Accounts;
pub use sign_in::SignInError;
pub use user::{Owner, User};

pub(crate) use name::is_plain;
pub(crate) use user::{USER_COLUMNS, read_user};
