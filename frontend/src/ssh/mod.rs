//! Git over SSH: the same services as over HTTP, spoken as one conversation.
//!
//! Who holds a key or a certificate is let in; what may be done is asked anew
//! for each command, so that a removed key ends with its next command and a push
//! under way with it is not stored. Host keys are facts: every frontend shows
//! the same. There are no strangers here: a public repository is cloned without
//! an account over HTTP.
//!
//! Not here: the protocol, its limits for one connection and the commands' words
//! (`frontend-ssh`), and the limits of work (`admission`).

mod archive;
mod call;
mod config;
mod door;
mod fetch;
mod lfs;
mod places;
mod push;
mod shell;
mod unmade;

pub use config::SshConfig;
pub use door::{OpenSshError, SshDoor};
