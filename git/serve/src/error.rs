use std::error::Error;
use std::io;
use std::sync::Arc;

use git_wire::ProtocolError;

/// Why a repository could not be read or a push not begun.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// A passing trouble, such as a store without a quorum.
    #[error("{action}: the repository is unavailable at the moment, try again later")]
    Unavailable {
        /// What was being done, for example `read refs`.
        action: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A trouble that stays until somebody looks at it, such as a corrupt file.
    #[error("{action}: the repository cannot be read, ask its administrator")]
    Broken {
        /// What was being done, for example `open packs`.
        action: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// Why a commit has no outcome for each command.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Nothing was changed; pushing again is safe.
    #[error("the push was not stored, push again")]
    NotStored {
        /// The cause.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// It may or may not have been committed.
    #[error("the push may or may not have been stored: fetch to see, then push again")]
    Unknown {
        /// The cause.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// Why a request was not served to its end.
///
/// Where the client was still listening it has been told; the caller only logs,
/// and cuts the connection instead of ending the answer as if it were whole.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The client broke the protocol or asked for what it may not have.
    #[error("refuse a request")]
    Refused(#[from] Refusal),
    /// The repository could not be read.
    #[error("read the repository")]
    Repository(#[from] RepositoryError),
    /// An object could not be read.
    #[error("read objects")]
    Objects(#[from] git_pack::ReadError),
    /// The pack could not be planned.
    #[error("plan a pack")]
    Plan(#[from] git_pack::PlanError),
    /// The pack could not be written, most often because the client went away.
    #[error("write a pack")]
    Write(#[from] git_pack::WriteError),
    /// A pack could not be kept while it was made and sent.
    #[error("spool a pack")]
    Spool(#[source] io::Error),
    /// The pack that was made for this client and others could not be made.
    #[error("make a pack for several clients")]
    Shared(#[source] Arc<ServeError>),
    /// The request could not be read to its end.
    #[error("read a request")]
    Input(#[source] io::Error),
    /// Nobody takes the answer any more.
    #[error("the client went away")]
    ClientGone,
    /// The pack of a push was not taken; nothing was stored.
    #[error("receive a push")]
    Receive(#[source] Box<dyn Error + Send + Sync>),
    /// The push was not stored, or it is unknown whether it was.
    #[error("commit a push")]
    Commit(#[from] CommitError),
    /// A blocking call panicked or the runtime is shutting down.
    #[error("a blocking call failed")]
    Worker(#[source] tokio::task::JoinError),
}

/// Why a request is refused. The text is sent to the client.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The client broke the protocol.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// A want that the client may not have or that does not exist.
    #[error("upload-pack: not our ref {id}")]
    NotOurRef {
        /// The want.
        id: git_id::ObjectId,
    },
    /// A ref wanted by name that does not exist or is not shown.
    #[error("unknown ref {name}")]
    UnknownRef {
        /// The name as the client wrote it.
        name: String,
    },
    /// A filter, though none was offered.
    #[error("upload-pack: filters are not offered here")]
    FiltersNotOffered,
    /// A filter that is not allowed or not known.
    #[error("filter '{name}' not supported")]
    FilterNotSupported {
        /// The filter's name without its argument.
        name: &'static str,
    },
    /// A tree filter with more steps than are allowed.
    #[error("tree filter allows max depth {limit}, but got {depth}")]
    FilterTooDeep {
        /// The most that is allowed.
        limit: u64,
        /// What was asked.
        depth: u64,
    },
    /// All commits are older than `deepen-since` or excluded by `deepen-not`.
    #[error("upload-pack: no commits selected for shallow requests")]
    NothingSelected,
    /// A `deepen-not` that names no ref.
    #[error("upload-pack: deepen-not is not a ref: {name}")]
    DeepenNot {
        /// The name as the client wrote it.
        name: String,
    },
}
