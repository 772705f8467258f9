use domain::{Access, Action, Repository, Viewer, authorize};
use frontend_ssh::Operation;
use git_serve::Service;
use http::request::Parts;

use super::LfsError;
use super::token::Grant;
use crate::admission::Tenant;
use crate::git::{Asked, GitError, Needs, resolve};
use crate::request::Peer;
use crate::site::Site;

/// Someone who may do what they ask for, and the repository.
pub(super) struct Entered {
    pub(super) viewer: Viewer,
    pub(super) tenant: Tenant,
    pub(super) repository: Box<Repository>,
}

/// The service of git that an operation of LFS is as good as.
fn service(operation: Operation) -> Service {
    match operation {
        Operation::Download => Service::UploadPack,
        Operation::Upload => Service::ReceivePack,
    }
}

/// Finds out who asks and what for. An upload to a repository that a push would make makes it:
/// git-lfs sends its objects before git pushes.
pub(super) async fn enter(
    site: &Site,
    parts: &Parts,
    path: (&str, &str),
    operation: Operation,
) -> Result<Entered, LfsError> {
    let peer = Peer::of(&parts.extensions);
    let service = service(operation);
    let asked = match Grant::is_in(&parts.headers) {
        true => granted(site, parts, path, operation).await?,
        false => {
            let wanted = (service, Needs::Nothing);
            Asked::read(site, &parts.headers, peer, path, wanted).await?
        }
    };
    let target = resolve(site, &asked.viewer, service, path, asked.found)?;
    let repository = target.made(site, &asked.viewer).await?;
    Ok(Entered {
        tenant: Tenant::of(&asked.viewer, peer),
        viewer: asked.viewer,
        repository,
    })
}

/// Who shows a grant. One that is for something else is as good as none.
async fn granted(
    site: &Site,
    parts: &Parts,
    path: (&str, &str),
    operation: Operation,
) -> Result<Asked, LfsError> {
    let Some(grant) = Grant::of(&parts.headers, site).await? else {
        return Err(GitError::sign_in().into());
    };
    let viewer = async { Ok(grant.viewer(site).await?) };
    let mut asked = Asked::with(site, viewer, path, Needs::Nothing).await?;
    let covered = |found: &Repository| grant.covers(found.key, operation);
    if !asked.found.as_ref().is_some_and(covered) {
        asked.viewer = Viewer::Anonymous;
    }
    Ok(asked)
}

impl Entered {
    /// Whether the viewer may change the repository's settings.
    pub(super) fn administers(&self) -> bool {
        let access = authorize(&self.viewer, Action::Administer, Some(&*self.repository));
        access == Access::Granted
    }
}
