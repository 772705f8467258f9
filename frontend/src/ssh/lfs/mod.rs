//! Git LFS over SSH: what stands for a key over HTTP, and the transfer over the very connection
//! (git-lfs, `docs/proposals/ssh_adapter.md`, version 1).

mod ask;
mod locks;
mod objects;
mod session;

use frontend_ssh::Operation;
use git_serve::{Packets, ServeError};
use http::StatusCode;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::git::{GitError, note};
use crate::lfs::Grant;
use crate::limits::LFS_GRANT_LIFE;
use crate::ssh::call::Served;
use session::Session;

/// `git-lfs-authenticate`: where LFS is over HTTP, and what to show there.
pub(super) async fn authenticate(
    served: Served<'_>,
    operation: Operation,
) -> Result<Result<(), ServeError>, GitError> {
    let Served {
        site,
        asked,
        target,
        mut output,
        ..
    } = served;
    let repository = target.made(site, &asked.viewer).await?;
    let grant = Grant::new(site, &asked.viewer, repository.key, operation);
    let unable = || GitError::new(StatusCode::FORBIDDEN, "sign in with a key to use LFS");
    let authorization = grant.ok_or_else(unable)?.header(site).await?;
    let mut answer = json!({
        "header": { "Authorization": authorization },
        "expires_in": LFS_GRANT_LIFE.as_secs(),
    });
    // Without a known address the client takes the host of SSH.
    if let Some(url) = &site.config.public_url {
        let (owner, name) = (&repository.owner.name, &repository.name);
        answer["href"] = format!("{url}/{owner}/{name}.git/info/lfs").into();
    }
    let written = output.write_all(format!("{answer}\n").as_bytes()).await;
    Ok(written.map_err(|_| ServeError::ClientGone))
}

/// `git-lfs-transfer`: objects and locks as a conversation.
pub(super) async fn transfer(
    served: Served<'_>,
    operation: Operation,
) -> Result<Result<(), ServeError>, GitError> {
    let Served {
        site,
        asked,
        tenant,
        target,
        input,
        output,
        ..
    } = served;
    let repository = target.made(site, &asked.viewer).await?;
    let session = Session {
        site,
        viewer: asked.viewer,
        tenant,
        repository,
        operation,
        packets: Packets::new(input),
        output,
    };
    let result = session.run().await;
    note(&site.metrics, "lfs-transfer", &result);
    Ok(result)
}
