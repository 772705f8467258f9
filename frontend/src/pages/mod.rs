//! Web pages, rendered here and readable without scripts.
//!
//! Whoever may not know of a repository gets the page for what does not exist.
//! Text from repositories never becomes markup but for Markdown, from which raw
//! HTML and unknown link schemes are dropped. The content policy allows no
//! script at all.

mod archive;
mod asset;
mod blame;
mod browse;
mod changes;
mod commit;
mod commits;
mod error;
mod file;
mod form;
mod home;
mod keys;
mod layout;
mod listing;
mod lookup;
mod markdown;
mod owner;
mod policy;
mod raw;
mod refs;
mod repository;
mod routes;
mod sign_in;
mod visitor;

pub(crate) use error::PageError;
pub(crate) use routes::{error_page, routes};
