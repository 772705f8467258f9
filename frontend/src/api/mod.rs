//! The REST interface `/api/v1` in Gitea's shape, so that Gitea's SDKs and the
//! tools built on them work.
//!
//! What the viewer may not know of is answered as what does not exist: 404.
//! Only header credentials count here, never a browser's cookie.

mod admin;
mod archive;
mod branches;
mod commits;
mod contents;
mod deleted;
mod deploy_keys;
mod error;
mod forks;
mod identify;
mod json;
mod keys;
mod languages;
mod lookup;
mod maintenance;
mod model;
mod objects;
mod paging;
mod repositories;
mod routes;
mod search;
mod tags;
mod tokens;
mod users;
mod version;

pub(crate) use error::ApiError;
pub(crate) use routes::routes;
