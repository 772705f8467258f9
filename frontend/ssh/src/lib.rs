//! One SSH connection after another, for programs that serve git: the only user of russh.
//!
//! The crate speaks the protocol (RFC 4251 to 4254), checks signatures and certificates, reads the
//! few commands that git sends, and holds a connection to its limits. Whose a key is and what a
//! command does, a [`Shell`] says.
//!
//! What it keeps true: nobody gets further than the key exchange without a key that the shell
//! knows or a certificate of a configured authority; nothing but the commands of [`Verb`] is ever
//! run; there are no terminals, subsystems, forwardings or agents; a client that stalls holds a
//! bounded window and is cut. There are no passwords: a key cannot be guessed.
//!
//! Not here: listening, limits over all connections, accounts, git. The tasks of russh itself are
//! tokio's own, since it asks for nothing else.

mod algorithms;
mod certificate;
mod command;
mod connection;
mod guard;
mod handler;
mod host_key;
pub mod limits;
mod metrics;
mod phase;
mod server;
mod session;
mod shell;
mod source;
mod words;

pub use certificate::{Authorities, AuthorityError, Claim};
pub use command::{Command, CommandError, Operation, Verb};
pub use connection::Ended;
pub use host_key::{HostKey, HostKeyError, KINDS as HOST_KEY_KINDS};
pub use metrics::Metrics;
pub use server::{Server, ServerError};
pub use shell::{Call, Shell, Status, Unavailable};
