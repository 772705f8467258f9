//! Git over smart HTTP (gitprotocol-http(5)): the advertisement, the two
//! services, and a clear word for clients that speak the dumb protocol.
//!
//! Whoever may not know of a repository gets the same answer as for one that
//! does not exist: 401 for nobody in particular, so that git asks for
//! credentials, 404 for those who are signed in.

mod advertisement;
mod announced;
mod answer;
mod asked;
mod dumb;
mod error;
mod input;
mod policy;
mod resolve;
mod routes;
mod service;

pub(crate) use announced::length as announced_length;
pub(crate) use answer::note;
pub(crate) use asked::{Asked, Needs};
pub(crate) use error::GitError;
pub(crate) use policy::policy;
pub(crate) use resolve::{Target, create, resolve};
pub(crate) use routes::routes;
pub(crate) use service::for_push;
