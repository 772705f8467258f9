use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use domain::{Commits, Repository as Row};
use git_serve::{Mode, ProtocolVersion, Repository, Service, receive_pack, upload_pack};
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};

use crate::admission::{Cost, Tenant, Turn};
use crate::git::GitError;
use crate::git::announced;
use crate::git::answer::answer;
use crate::git::asked::{Asked, Needs};
use crate::git::input::input;
use crate::git::policy::policy;
use crate::git::resolve::{Target, create, resolve};
use crate::repository::{Absent, Authority, StorageRepository};
use crate::request::{Peer, RequestId, refuse_body};
use crate::site::Site;

/// The length of a request that only asks whether it would be let in: a flush
/// packet, which git sends before a long push.
const PROBE_BYTES: &[u8] = b"4";

/// The protocol version that a request asks for.
pub(super) fn version(headers: &HeaderMap) -> ProtocolVersion {
    let value = headers
        .get("git-protocol")
        .and_then(|value| value.to_str().ok());
    value.map(ProtocolVersion::from_header).unwrap_or_default()
}

/// `POST git-upload-pack`: fetches and clones.
pub(super) async fn fetch(
    State(site): State<Arc<Site>>,
    Extension(id): Extension<RequestId>,
    Path((owner, name)): Path<(String, String)>,
    request: Request,
) -> Result<Response, GitError> {
    let service = Service::UploadPack;
    let (parts, body) = request.into_parts();
    let entered = enter_fetch(&site, &parts, (&owner, &name)).await;
    let (repository, turn) = match entered {
        Ok(entered) => entered,
        Err(error) => {
            refuse_body(&parts.headers, body, &site.runtime).await;
            return Err(error);
        }
    };
    let (input, fault) = input(&site, service, &parts.headers, body)?;
    let policy = policy(&site.config.config, id.to_string());
    let version = version(&parts.headers);
    tracing::debug!(?repository, ?version, "fetch");
    let content_type = service.result_content_type();
    let answered = answer(
        &site,
        "upload-pack",
        content_type,
        Some(fault),
        move |output| {
            Box::pin(async move {
                let _turn = turn;
                upload_pack(
                    &repository,
                    &policy,
                    version,
                    Mode::Stateless,
                    input,
                    output,
                )
                .await
            })
        },
    );
    Ok(answered.await)
}

/// `POST git-receive-pack`: pushes.
pub(super) async fn push(
    State(site): State<Arc<Site>>,
    Extension(id): Extension<RequestId>,
    Path((owner, name)): Path<(String, String)>,
    request: Request,
) -> Result<Response, GitError> {
    let service = Service::ReceivePack;
    let (parts, body) = request.into_parts();
    let (asked, target, turn) = match enter_push(&site, &parts, (&owner, &name)).await {
        Ok(entered) => entered,
        Err(error) => {
            refuse_body(&parts.headers, body, &site.runtime).await;
            return Err(error);
        }
    };
    let (input, fault) = input(&site, service, &parts.headers, body)?;
    let repository: Box<dyn Repository> = match target {
        Target::Existing(row) => for_push(&site, asked, &row),
        Target::New { .. } if is_probe(&parts.headers) => Box::new(Absent),
        Target::New { owner, name } => {
            let row = create(&site, &asked.viewer, &owner, &name).await?;
            for_push(&site, asked, &row)
        }
    };
    let policy = policy(&site.config.config, id.to_string());
    let version = version(&parts.headers);
    let content_type = service.result_content_type();
    let answered = answer(
        &site,
        "receive-pack",
        content_type,
        Some(fault),
        move |output| {
            Box::pin(async move {
                let _turn = turn;
                receive_pack(
                    &*repository,
                    &policy,
                    version,
                    Mode::Stateless,
                    input,
                    output,
                )
                .await
            })
        },
    );
    Ok(answered.await)
}

/// Checks a fetch before its body is looked at, and waits for its turn.
async fn enter_fetch(
    site: &Site,
    parts: &Parts,
    path: (&str, &str),
) -> Result<(StorageRepository, Turn), GitError> {
    let (peer, service) = (Peer::of(&parts.extensions), Service::UploadPack);
    let wanted = (service, Needs::Refs);
    let asked = Asked::read(site, &parts.headers, peer, path, wanted).await?;
    check_content_type(&parts.headers, service)?;
    match resolve(site, &asked.viewer, service, path, asked.found)? {
        Target::Existing(row) => {
            let cost = Cost::of_fetch(site.cache.stored_bytes(row.storage));
            let tenant = Tenant::of(&asked.viewer, peer);
            let turn = site.fetches.enter(tenant, cost).await?;
            let repository = StorageRepository::new(site.cache.clone(), &row);
            Ok((repository.with_refs(asked.refs), turn))
        }
        Target::New { .. } => Err(GitError::not_found()),
    }
}

/// Checks a push before its body is looked at, and waits for its turn.
async fn enter_push(
    site: &Site,
    parts: &Parts,
    path: (&str, &str),
) -> Result<(Asked, Target, Turn), GitError> {
    let (peer, service) = (Peer::of(&parts.extensions), Service::ReceivePack);
    let wanted = (service, Needs::Refs);
    let mut asked = Asked::read(site, &parts.headers, peer, path, wanted).await?;
    check_content_type(&parts.headers, service)?;
    let target = resolve(site, &asked.viewer, service, path, asked.found.take())?;
    let announced = announced::length(&parts.headers);
    announced::check(site, announced)?;
    let cost = Cost::of_push(announced);
    let tenant = Tenant::of(&asked.viewer, peer);
    let turn = site.pushes.enter(tenant, cost).await?;
    Ok((asked, target, turn))
}

/// A repository to push to by the right of who asked.
pub(crate) fn for_push(site: &Site, asked: Asked, row: &Row) -> Box<dyn Repository> {
    tracing::debug!(repo.id = %row.storage, "push");
    let authority = Authority {
        forge: site.forge.clone(),
        viewer: asked.viewer,
        repository: row.key,
        read_at: asked.at,
    };
    let commits = Commits::new(site.storage.clone(), site.runtime.clone());
    let repository = StorageRepository::new(site.cache.clone(), row).with_refs(asked.refs);
    Box::new(repository.for_push(authority, commits, site.config.config.push_threads))
}

fn is_probe(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_LENGTH)
        .is_some_and(|length| length.as_bytes() == PROBE_BYTES)
}

fn check_content_type(headers: &HeaderMap, service: Service) -> Result<(), GitError> {
    let expected = service.request_content_type();
    let found = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    if found.is_some_and(|found| found.eq_ignore_ascii_case(expected)) {
        return Ok(());
    }
    let message = format!("send this request with Content-Type {expected}");
    Err(GitError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
}
