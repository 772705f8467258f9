use std::time::Duration;

use domain::{Repository, Viewer};
use git_serve::{ProtocolVersion, Service};
use http::{HeaderMap, header};

use crate::auth::authenticate;
use crate::git::GitError;
use crate::repository::RefsAhead;
use crate::request::Peer;
use crate::site::Site;

/// Who asks, and what the path names: read at once, since each answer may come
/// from another region. Nothing of it may be shown before
/// [`resolve`](super::resolve::resolve) has said so.
pub(crate) struct Asked {
    pub(crate) viewer: Viewer,
    /// Whatever the path names, whether the viewer may know of it or not.
    pub(crate) found: Option<Repository>,
    /// Its refs on their way, if it was known what the path would name.
    pub(crate) refs: Option<RefsAhead>,
    /// When the reading began.
    pub(crate) at: Duration,
}

/// What a request needs beside the viewer and the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing: it is answered without a look into the repository.
    Nothing,
    /// Its refs.
    Refs,
}

impl Needs {
    /// What the advertisement needs: protocol v2 advertises no refs, and there
    /// are no pushes in it.
    pub(super) fn of_advertisement(service: Service, version: ProtocolVersion) -> Self {
        match (service, version) {
            (Service::UploadPack, ProtocolVersion::V2) => Self::Nothing,
            _ => Self::Refs,
        }
    }
}

impl Asked {
    /// Reads all of it for a request over HTTP.
    pub(crate) async fn read(
        site: &Site,
        headers: &HeaderMap,
        peer: Peer,
        path: (&str, &str),
        (service, needs): (Service, Needs),
    ) -> Result<Self, GitError> {
        // Nobody in particular pushes, whatever the path names. Git asks so first.
        if service == Service::ReceivePack && !headers.contains_key(header::AUTHORIZATION) {
            return Err(GitError::sign_in());
        }
        let viewer = async {
            let viewer = authenticate(site, headers, peer).await;
            viewer.map_err(|error| GitError::auth(&error))
        };
        Self::with(site, viewer, path, needs).await
    }

    /// Reads what the path names while it is found out who asks.
    pub(crate) async fn with(
        site: &Site,
        viewer: impl Future<Output = Result<Viewer, GitError>>,
        (owner, name): (&str, &str),
        needs: Needs,
    ) -> Result<Self, GitError> {
        let name = name.strip_suffix(".git").unwrap_or(name);
        let at = site.runtime.clock.monotonic();
        let known = site.names.get(owner, name);
        let known = known.filter(|_| needs == Needs::Refs);
        let refs = known.map(|known| RefsAhead::begin(&site.cache, known));
        let found = async { Ok(site.forge.repositories.find(owner, name).await?) };
        let (viewer, found) = tokio::try_join!(viewer, found)?;
        site.names.learn(owner, name, found.as_ref());
        Ok(Self {
            viewer,
            found,
            refs,
            at,
        })
    }
}
