//! Serves git repositories: drives the protocol of `git-wire` over anything that
//! implements [`Repository`].
//!
//! [`upload_pack`] and [`receive_pack`] take a request as a byte stream and an
//! [`Output`] for the answer, for smart HTTP ([`Mode::Stateless`]) as for SSH
//! and pipes ([`Mode::Stateful`]). Reading objects, planning, indexing and
//! checking run on threads that may block, joined to the asynchronous side by
//! bounded channels: a slow client holds the channel's bytes and nothing more.
//!
//! [`bare`] implements [`Repository`] on a plain bare directory, [`stdio`] and
//! [`cgi`] are what git starts as `git-upload-pack`, `git-receive-pack` and
//! `git-http-backend`. Users, permissions, routes and TLS are not here.

mod advertise;
mod answers;
pub mod bare;
pub mod cgi;
mod error;
mod gunzip;
mod hidden;
mod idle;
mod output;
mod packets;
mod policy;
mod progress;
mod pulse;
mod receive;
mod repository;
pub mod stdio;
mod upload;

pub use advertise::{Transport, advertise};
pub use answers::{AnswerCounts, Answers, Shared};
pub use error::{CommitError, Refusal, RepositoryError, ServeError};
pub use git_wire::{ProtocolVersion, Service};
pub use gunzip::Gunzip;
pub use hidden::HiddenRefs;
pub use idle::IdleTimeout;
pub use output::{OUTPUT_PIECES, Output, pour};
pub use packets::Packets;
pub use policy::{
    AGENT, CheckedOutBranch, FilterPolicy, Policy, ReceivePolicy, UploadPolicy, WantPolicy,
};
pub use receive::receive_pack;
pub use repository::{
    Head, Push, PushSession, RefCommand, RefOutcome, RefRejection, RefSnapshot, Reference,
    Repository,
};
pub use upload::upload_pack;

/// How a service is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One request and its answer (smart HTTP); the refs were advertised before.
    Stateless,
    /// A conversation that begins with the advertisement (SSH, pipes).
    Stateful,
}

#[cfg(test)]
mod tests {
    use crate::{Mode, Output, Policy, ProtocolVersion, Repository, receive_pack, upload_pack};

    /// Servers run requests as tasks on several threads.
    #[expect(dead_code, reason = "that it compiles is the test")]
    fn serving_can_move_between_threads(repository: &dyn Repository, policy: &Policy) {
        fn is_send<T: Send>(_: T) {}
        let (version, mode, input) = (ProtocolVersion::V2, Mode::Stateless, &b""[..]);
        let output = Output::channel().0;
        is_send(upload_pack(
            repository,
            policy,
            version,
            mode,
            input,
            output.clone(),
        ));
        is_send(receive_pack(
            repository, policy, version, mode, input, output,
        ));
    }
}
