//! Who a request comes from.
//!
//! Git and REST clients say so in the `Authorization` header; web pages have a
//! session cookie, which nothing else accepts, so that no other site can make a
//! browser use the REST interface. Wrong passwords and tokens are counted per
//! account and address, and too many are turned away before any work is done.

mod authenticate;
mod credentials;
mod error;
mod session;
mod throttle;

pub(crate) use authenticate::{authenticate, sign_in};
pub(crate) use error::AuthError;
pub(crate) use session::{
    Session, clear_cookie, form_cookie, form_token, session_cookie, set_form_cookie,
};
pub(crate) use throttle::Throttle;
