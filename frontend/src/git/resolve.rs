use domain::permissions::authorize_namespace;
use domain::repositories::{CreateRepositoryError, NewRepository};
use domain::{Access, Action, Repository, User, Viewer, authorize};
use git_id::HashKind;
use git_serve::Service;

use crate::git::GitError;
use crate::site::Site;

/// What a git request is about.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// A repository that the viewer may use so.
    Existing(Box<Repository>),
    /// One that the viewer's push would make.
    New {
        /// Who would own it.
        owner: Box<User>,
        /// Its name.
        name: String,
    },
}

impl Target {
    /// The repository, made now if a push would make it.
    pub(crate) async fn made(
        self,
        site: &Site,
        viewer: &Viewer,
    ) -> Result<Box<Repository>, GitError> {
        match self {
            Self::Existing(repository) => Ok(repository),
            Self::New { owner, name } => Ok(Box::new(create(site, viewer, &owner, &name).await?)),
        }
    }
}

/// What the service does with a repository.
pub(super) fn action(service: Service) -> Action {
    match service {
        Service::UploadPack => Action::Read,
        Service::ReceivePack => Action::Write,
    }
}

/// The repository that the path names, with or without `.git`, if the viewer
/// may use it for the service.
pub(crate) fn resolve(
    site: &Site,
    viewer: &Viewer,
    service: Service,
    (owner, name): (&str, &str),
    repository: Option<Repository>,
) -> Result<Target, GitError> {
    let name = name.strip_suffix(".git").unwrap_or(name);
    match (
        authorize(viewer, action(service), repository.as_ref()),
        repository,
    ) {
        (Access::Granted, Some(repository)) => Ok(Target::Existing(Box::new(repository))),
        (Access::SignIn, _) => Err(GitError::sign_in()),
        (Access::Forbidden(reason), _) => Err(GitError::forbidden(reason)),
        (Access::Hidden | Access::Granted, found) => {
            let Some(user) = viewer.user() else {
                return Err(GitError::sign_in());
            };
            let is_push = service == Service::ReceivePack && site.config.config.push_to_create;
            if is_push && found.is_none() && user.name.eq_ignore_ascii_case(owner) {
                return would_create(viewer, user, name);
            }
            Err(GitError::not_found())
        }
    }
}

/// Checks all that can be checked before the first byte is pushed.
fn would_create(viewer: &Viewer, user: &User, name: &str) -> Result<Target, GitError> {
    match authorize_namespace(viewer, user.id) {
        Access::Granted => {}
        Access::Forbidden(reason) => return Err(GitError::forbidden(reason)),
        Access::SignIn => return Err(GitError::sign_in()),
        Access::Hidden => return Err(GitError::not_found()),
    }
    domain::repositories::RepositoryName::new(name).map_err(CreateRepositoryError::from)?;
    Ok(Target::New {
        owner: Box::new(user.clone()),
        name: name.to_owned(),
    })
}

/// Makes the repository that a push is for. If another push was faster, it is
/// that one's.
pub(crate) async fn create(
    site: &Site,
    viewer: &Viewer,
    owner: &User,
    name: &str,
) -> Result<Repository, GitError> {
    let new = NewRepository {
        name,
        description: "",
        is_private: site.config.config.push_to_create_private,
        default_branch: None,
        hash: HashKind::Sha1,
    };
    match site.forge.repositories.create(owner.into(), new).await {
        Ok(repository) => Ok(repository),
        Err(CreateRepositoryError::NameTaken(_)) => {
            let path = (owner.name.as_str(), name);
            let found = site.forge.repositories.find(path.0, path.1).await?;
            match resolve(site, viewer, Service::ReceivePack, path, found)? {
                Target::Existing(repository) => Ok(*repository),
                Target::New { .. } => Err(GitError::not_found()),
            }
        }
        Err(error) => Err(error.into()),
    }
}
