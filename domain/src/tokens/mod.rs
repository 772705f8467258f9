//! Secrets that stand for an account: access tokens, which people make and
//! name, and sessions of the web pages.
//!
//! A secret is shown once and kept only as its SHA-256. Last-used times are
//! summed in memory and written in batches: no read writes a fact.
//!
//! Not here: what a scope allows (`permissions`).

mod authenticate;
mod create;
mod list;
mod revoke;
mod scope;
mod secret;
mod service;
mod session;
mod token;

pub use authenticate::{AuthenticateError, Authenticated};
pub use create::{CreateTokenError, NewToken};
pub use revoke::RevokeTokenError;
pub use scope::{Category, Level, ScopeError, Scopes};
pub use secret::TokenSecret;
pub use service::Tokens;
pub use token::Token;
