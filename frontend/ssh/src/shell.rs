use std::fmt;
use std::net::IpAddr;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{Claim, Command};

/// Who may get in, and what the commands do.
#[async_trait]
pub trait Shell: fmt::Debug + Send + Sync + 'static {
    /// Someone who was let in.
    type Caller: Clone + fmt::Debug + Send + Sync + 'static;

    /// Whose the key with this fingerprint (`SHA256:…`) is, if it may be used to
    /// sign in under that name. That the client holds it is checked elsewhere.
    async fn holder(
        &self,
        login: &str,
        fingerprint: &str,
    ) -> Result<Option<Self::Caller>, Unavailable>;

    /// For whom a certificate that is believed stands under that name.
    async fn certified(
        &self,
        login: &str,
        claim: &Claim,
    ) -> Result<Option<Self::Caller>, Unavailable>;

    /// What someone reads who asks for a shell.
    fn greeting(&self, caller: &Self::Caller) -> String;

    /// Runs a command to its end. Whatever goes wrong is told on the call's
    /// `complaints`, and by the status.
    ///
    /// The streams fail or end when the client goes or stalls; what must not be
    /// left half done goes on nevertheless.
    async fn run(&self, call: Call<'_, Self::Caller>) -> Status;
}

/// Whether someone may get in cannot be told now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("whose the key is cannot be told now")]
pub struct Unavailable;

/// A command that is run.
pub struct Call<'a, C> {
    /// Who runs it.
    pub caller: C,
    /// From where.
    pub address: IpAddr,
    /// What.
    pub command: Command,
    /// The variable `GIT_PROTOCOL`; empty if it was not sent.
    pub protocol: String,
    /// What the client says.
    pub input: Box<dyn AsyncRead + Send + Unpin + 'a>,
    /// The answer.
    pub output: Box<dyn AsyncWrite + Send + Unpin + 'a>,
    /// What a person reads.
    pub complaints: Box<dyn AsyncWrite + Send + Unpin + 'a>,
}

impl<C: fmt::Debug> fmt::Debug for Call<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("caller", &self.caller)
            .field("command", &self.command)
            .finish_non_exhaustive()
    }
}

/// How a command ended, as a program's exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// As it should.
    Success,
    /// Not let in, or not done; the client was told why.
    Refused,
    /// The server could not.
    Failed,
}

impl Status {
    pub(crate) fn code(self) -> u32 {
        match self {
            Self::Success => 0,
            Self::Refused => 1,
            // As git's own commands die.
            Self::Failed => 128,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Success => "served",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}
