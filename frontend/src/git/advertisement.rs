use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, Request, State};
use axum::response::Response;
use git_serve::{Policy, ProtocolVersion, Repository, Service, Transport, advertise};
use http::StatusCode;
use serde::Deserialize;

use crate::admission::{Cost, Tenant};
use crate::git::GitError;
use crate::git::answer::answer;
use crate::git::asked::{Asked, Needs};
use crate::git::policy::policy;
use crate::git::resolve::{Target, resolve};
use crate::git::service::version;
use crate::repository::{Absent, StorageRepository};
use crate::request::{Peer, RequestId};
use crate::site::Site;

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    service: Option<String>,
}

/// `GET info/refs`.
pub(super) async fn info_refs(
    State(site): State<Arc<Site>>,
    Extension(id): Extension<RequestId>,
    Path((owner, name)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
    request: Request,
) -> Result<Response, GitError> {
    let headers = request.headers();
    let Some(service) = wanted.service else {
        return Err(super::dumb::refusal());
    };
    let Some(service) = Service::from_name(&service) else {
        let message = "unknown service: this server has git-upload-pack and git-receive-pack";
        return Err(GitError::new(StatusCode::FORBIDDEN, message));
    };
    let (peer, version) = (Peer::of(request.extensions()), version(headers));
    let path = (owner.as_str(), name.as_str());
    let needs = Needs::of_advertisement(service, version);
    let asked = Asked::read(&site, headers, peer, path, (service, needs)).await?;
    let tenant = Tenant::of(&asked.viewer, peer);
    let repository: Box<dyn Repository> =
        match resolve(&site, &asked.viewer, service, path, asked.found)? {
            Target::Existing(row) => {
                let repository = StorageRepository::new(site.cache.clone(), &row);
                Box::new(repository.with_refs(asked.refs))
            }
            Target::New { .. } => Box::new(Absent),
        };
    let turn = site.requests.enter(tenant, Cost::ONE).await?;
    let policy = policy(&site.config.config, id.to_string());
    let content_type = service.advertisement_content_type();
    let said = answer(&site, "advertisement", content_type, None, move |output| {
        Box::pin(async move {
            let _turn = turn;
            said(repository, policy, service, version, output).await
        })
    });
    Ok(said.await)
}

async fn said(
    repository: Box<dyn Repository>,
    policy: Policy,
    service: Service,
    version: ProtocolVersion,
    output: git_serve::Output,
) -> Result<(), git_serve::ServeError> {
    advertise(
        &*repository,
        &policy,
        service,
        version,
        Transport::Http,
        &output,
    )
    .await
}
