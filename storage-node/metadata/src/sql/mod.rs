//! SQL that every replica, and every backend, understands alike.
//!
//! Three nets, one behind the other: `dialect` reads the text and refuses what
//! SQLite would take but what is not portable or escapes the other nets;
//! `gate` is SQLite's own authoriser with a list of allowed functions, and the
//! count of instructions; `schema` looks at the tables that a migration left
//! and makes the triggers that keep their values to the declared types.

pub(crate) mod dialect;
pub(crate) mod gate;
pub(crate) mod schema;
pub(crate) mod statement;
