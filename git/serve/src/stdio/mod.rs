//! What git starts as `git-upload-pack` and `git-receive-pack`, over SSH or on
//! the same machine: a service on two pipes.

mod arguments;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use git_wire::{ProtocolVersion, Service};
use tokio::io::{AsyncRead, AsyncWrite};

pub use arguments::{Arguments, UsageError};

use crate::bare::{BareRepository, OpenError, find};
use crate::{
    IdleTimeout, Mode, Output, ServeError, Transport, advertise, pour, receive_pack, upload_pack,
};

/// Why a command ended without success.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The repository cannot be served.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The service failed; the client was told.
    #[error("serve the request")]
    Serve(#[from] ServeError),
    /// The answer could not be written.
    #[error("write the answer")]
    Write(#[from] io::Error),
}

/// Serves fetches from a directory. `protocol` is the value of `GIT_PROTOCOL`.
pub async fn upload_pack_command<R, W>(
    arguments: &Arguments,
    protocol: &str,
    input: R,
    output: W,
) -> Result<(), CommandError>
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin,
{
    run(Service::UploadPack, arguments, protocol, input, output).await
}

/// Serves a push to a directory. `protocol` is the value of `GIT_PROTOCOL`.
pub async fn receive_pack_command<R, W>(
    arguments: &Arguments,
    protocol: &str,
    input: R,
    output: W,
) -> Result<(), CommandError>
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin,
{
    run(Service::ReceivePack, arguments, protocol, input, output).await
}

async fn run<R, W>(
    service: Service,
    arguments: &Arguments,
    protocol: &str,
    input: R,
    output: W,
) -> Result<(), CommandError>
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin,
{
    let directory: PathBuf = find(&arguments.directory, arguments.strict)?;
    let repository = BareRepository::open(&directory, &arguments.caller)?;
    let input = IdleTimeout::new(input, arguments.timeout.unwrap_or(NO_TIMEOUT));
    let call = ServiceCall {
        service,
        version: ProtocolVersion::from_header(protocol),
        phase: match (arguments.advertise_only, arguments.stateless) {
            (true, _) => Phase::Advertise(Transport::HttpBackend),
            (false, true) => Phase::Serve(Mode::Stateless),
            (false, false) => Phase::Serve(Mode::Stateful),
        },
    };
    let (sender, receiver) = Output::channel();
    let (served, poured) =
        tokio::join!(call.run(&repository, input, sender), pour(receiver, output));
    served?;
    Ok(poured?)
}

/// Longer than any connection lives.
const NO_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A service on a directory, and which part of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServiceCall {
    pub(crate) service: Service,
    pub(crate) version: ProtocolVersion,
    pub(crate) phase: Phase,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Phase {
    Advertise(Transport),
    Serve(Mode),
}

impl ServiceCall {
    pub(crate) async fn run<R: AsyncRead + Unpin + Send>(
        self,
        repository: &BareRepository,
        input: R,
        output: Output,
    ) -> Result<(), ServeError> {
        let Self {
            service,
            version,
            phase,
        } = self;
        let policy = repository.policy(version);
        match (phase, service) {
            (Phase::Advertise(transport), _) => {
                advertise(repository, &policy, service, version, transport, &output).await
            }
            (Phase::Serve(mode), Service::UploadPack) => {
                upload_pack(repository, &policy, version, mode, input, output).await
            }
            (Phase::Serve(mode), Service::ReceivePack) => {
                receive_pack(repository, &policy, version, mode, input, output).await
            }
        }
    }
}
