//! Repositories: what they are called, whose they are, who may see them.
//!
//! The row in SQL and the record in the group are made and removed in an order
//! that leaves no half of one: SQL `creating` → the group's record → SQL
//! `active`, and SQL `deleting` → seal → delete → no row. Every step may be
//! repeated, so that [`Repositories::reconcile`] can finish what a crash left.
//!
//! A repository may also be *removed* for a while: its row moves from
//! `repositories` to `removed_repositories` in one batch, and its group is left
//! alone, so that forks go on and [`Repositories::restore`] is one batch too.
//! The ways out of `removed` are guarded writes of which one wins: back to
//! `repositories`, or to `purging`, from which there is no return. Only what is
//! `purging` is sealed and deleted in its group; its rows go last. At every
//! instant a repository has a row in exactly one of the two tables. A push that
//! was let in before the removal may still land; it comes back, or goes, with
//! the rest.
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
mod purge;
mod reconcile;
mod remove;
mod removed;
mod repository;
mod restore;
mod service;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod undelete_tests;
mod unnamed;

pub use content::ContentError;
pub use create::{CreateRepositoryError, NewRepository};
pub use delete::DeleteRepositoryError;
pub use edit::{Edit, EditRepositoryError};
pub use fork::ForkRepositoryError;
pub use list::{Filter, Sort};
pub use name::{RepositoryName, RepositoryNameError};
pub use purge::PurgeError;
pub use reconcile::Reconciled;
pub use removed::RemovedRepository;
pub use repository::Repository;
pub use restore::RestoreError;
pub use service::Repositories;
pub use unnamed::RemoveUnnamedError;
