//! Serving fetches and clones.

mod filter;
mod object_info;
mod pack;
mod shallow;
mod v0;
mod v2;
mod view;
mod wants;

use bytes::BytesMut;
use git_wire::pkt::put_line;
use git_wire::{ProtocolVersion, Service};
use tokio::io::AsyncRead;

use crate::packets::Packets;
use crate::{Mode, Output, Policy, Repository, RepositoryError, ServeError, Transport, advertise};

/// Serves fetches: one request ([`Mode::Stateless`]) or a whole conversation.
///
/// The client is told of every error while it can still be: before the pack by
/// an `ERR` line, in the pack on the error band. Returns when the answer has
/// been handed to `output`.
pub async fn upload_pack<R: AsyncRead + Unpin + Send>(
    repository: &dyn Repository,
    policy: &Policy,
    version: ProtocolVersion,
    mode: Mode,
    input: R,
    output: Output,
) -> Result<(), ServeError> {
    if mode == Mode::Stateful {
        let service = Service::UploadPack;
        let said = advertise(
            repository,
            policy,
            service,
            version,
            Transport::Stream,
            &output,
        )
        .await;
        if let Err(error) = said {
            return Err(tell(Failure::Untold(error), &output).await);
        }
    }
    let call = Call {
        repository,
        policy,
        mode,
        output: &output,
    };
    let mut packets = Packets::new(input);
    let served = match version {
        ProtocolVersion::V2 => v2::serve(&call, &mut packets).await,
        ProtocolVersion::V0 | ProtocolVersion::V1 => v0::serve(&call, &mut packets).await,
    };
    match served {
        Ok(()) => Ok(()),
        Err(failure) => Err(tell(failure, &output).await),
    }
}

/// What serving one connection needs throughout.
#[derive(Clone, Copy)]
struct Call<'a> {
    repository: &'a dyn Repository,
    policy: &'a Policy,
    mode: Mode,
    output: &'a Output,
}

/// An error, and whether the client knows of it.
#[derive(Debug)]
enum Failure {
    Told(ServeError),
    Untold(ServeError),
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        Self::Untold(error)
    }
}

impl From<RepositoryError> for Failure {
    fn from(error: RepositoryError) -> Self {
        Self::Untold(error.into())
    }
}

/// What a client may read of an error: refusals whole, of the rest not what
/// lies beneath.
fn text_for_client(error: &ServeError) -> String {
    match error {
        ServeError::Refused(refusal) => refusal.to_string(),
        ServeError::Repository(error) => error.to_string(),
        _ => "upload-pack: the server failed to serve this request".to_owned(),
    }
}

async fn tell(failure: Failure, output: &Output) -> ServeError {
    let error = match failure {
        Failure::Told(error) => return error,
        Failure::Untold(error) => error,
    };
    if !matches!(error, ServeError::ClientGone | ServeError::Input(_)) {
        let mut out = BytesMut::new();
        put_line(&mut out, format_args!("ERR {}", text_for_client(&error)));
        // If the client is gone too, the first error says more.
        let _gone = output.send(out.freeze()).await;
    }
    error
}
