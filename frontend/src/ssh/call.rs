use domain::Viewer;
use frontend_ssh::{Call, Command, Operation, Status, Verb};
use git_serve::{ProtocolVersion, ServeError, Service};
use http::StatusCode;
use storage_node_api::ReadPoint;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tracing::Instrument;

use crate::admission::Tenant;
use crate::git::{Asked, GitError, Needs, Target, resolve};
use crate::request::Peer;
use crate::site::Site;
use crate::ssh::archive::archive;
use crate::ssh::fetch::fetch;
use crate::ssh::lfs;
use crate::ssh::push::push;
use crate::ssh::shell::Caller;

/// What a service is run with.
pub(super) struct Served<'a> {
    pub(super) site: &'a Site,
    pub(super) asked: Asked,
    pub(super) tenant: Tenant,
    pub(super) target: Target,
    pub(super) version: ProtocolVersion,
    /// What joins the log lines of this command.
    pub(super) id: String,
    pub(super) input: Box<dyn AsyncRead + Send + Unpin + 'a>,
    pub(super) output: Box<dyn AsyncWrite + Send + Unpin + 'a>,
}

/// Runs a command, and tells of what stood against it.
pub(super) async fn serve(site: &Site, call: Call<'_, Caller>) -> Status {
    let Call {
        caller,
        address,
        command,
        protocol,
        input,
        output,
        mut complaints,
    } = call;
    let id = format!("{:016x}", site.runtime.random.u64());
    let span = tracing::info_span!(
        "ssh",
        req.id = id,
        command = command.verb.name(),
        owner = command.owner,
        name = command.name,
        peer = %address,
        who = caller.name,
        means = ?caller.viewer.means(),
    );
    let running = async {
        let service = service(&command);
        let (asked, target) = admit(site, &caller.viewer, service, &command).await?;
        let served = Served {
            site,
            tenant: Tenant::of(&asked.viewer, Peer(address)),
            asked,
            target,
            version: ProtocolVersion::from_header(&protocol),
            id,
            input,
            output,
        };
        match command.verb {
            Verb::UploadPack => fetch(served).await,
            Verb::ReceivePack => push(served).await,
            Verb::LfsAuthenticate => lfs::authenticate(served, operation(&command)).await,
            Verb::LfsTransfer => lfs::transfer(served, operation(&command)).await,
            Verb::UploadArchive => archive(served).await,
        }
    };
    match running.instrument(span.clone()).await {
        Ok(Ok(())) => Status::Success,
        // The service has told the client.
        Ok(Err(ServeError::Refused(_) | ServeError::Receive(_))) => Status::Refused,
        Ok(Err(_)) => Status::Failed,
        Err(refused) => {
            let message = format!("devflow: {}\n", refused.message_when_signed_in());
            if let Err(error) = complaints.write_all(message.as_bytes()).await {
                span.in_scope(|| tracing::debug!(%error, "a client did not wait for its answer"));
            }
            Status::Refused
        }
    }
}

/// The service of git whose rights a command takes.
fn service(command: &Command) -> Service {
    match command.verb {
        Verb::UploadPack | Verb::UploadArchive => Service::UploadPack,
        Verb::ReceivePack => Service::ReceivePack,
        Verb::LfsAuthenticate | Verb::LfsTransfer => match operation(command) {
            Operation::Download => Service::UploadPack,
            Operation::Upload => Service::ReceivePack,
        },
    }
}

/// What LFS is asked for; whoever does not say may only read.
fn operation(command: &Command) -> Operation {
    command.operation.unwrap_or(Operation::Download)
}

/// What the command is about, if the caller may do that now. Who was let in
/// longer ago may have lost the right since.
async fn admit(
    site: &Site,
    viewer: &Viewer,
    service: Service,
    command: &Command,
) -> Result<(Asked, Target), GitError> {
    let path = (command.owner.as_str(), command.name.as_str());
    let now = async { Ok(site.forge.present(viewer, ReadPoint::Linearizable).await?) };
    let mut asked = Asked::with(site, now, path, Needs::Refs).await?;
    if asked.viewer == Viewer::Anonymous {
        return Err(GitError::new(
            StatusCode::FORBIDDEN,
            "what you signed in with is no longer valid",
        ));
    }
    let target = resolve(site, &asked.viewer, service, path, asked.found.take())?;
    Ok((asked, target))
}
