//! Repositories: what they are called, whose they are, who may see them.
//!
//! The row in SQL and the record in the group are made and removed in an order
//! that leaves no half of one: SQL `creating` → the group's record → SQL
//! `active`, and SQL `deleting` → seal → delete → no row. Every step may be
//! repeated, so that [`Repositories::reconcile`] can finish what a crash left.
//!
//! Not here: objects and pushes, which are git's.

mod content;
mod create;
mod delete;
mod edit;
mod find;
mod fork;
mod list;
mod name;
mod reconcile;
mod repository;
mod service;
#[cfg(test)]
mod tests;
mod unnamed;

pub use content::ContentError;
pub use create::{CreateRepositoryError, NewRepository};
pub use delete::DeleteRepositoryError;
pub use edit::{Edit, EditRepositoryError};
pub use fork::ForkRepositoryError;
pub use list::{Filter, Sort};
pub use name::{RepositoryName, RepositoryNameError};
pub use reconcile::Reconciled;
pub use repository::Repository;
pub use service::Repositories;
pub use unnamed::RemoveUnnamedError;
