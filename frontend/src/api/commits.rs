use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use domain::{Action, Viewer};
use git_id::ObjectId;
use git_pack::ReadError;
use git_services::{LogOptions, Services, count};
use http::StatusCode;
use serde::Deserialize;

use crate::api::model::{Addresses, Commit, Comparison};
use crate::api::paging::Paging;
use crate::api::{ApiError, lookup};
use crate::content::{CommitPatch, PatchForm, resolve, resolve_text};
use crate::limits::COMPARED_COMMITS;
use crate::repository::View;
use crate::request::BaseUrl;
use crate::site::Site;

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    sha: Option<String>,
    path: Option<String>,
    not: Option<String>,
    stat: Option<bool>,
    files: Option<bool>,
}

/// `GET /repos/{owner}/{name}/commits`. What each one changed is told if `stat` or `files` ask for it.
pub(super) async fn list(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(base): Extension<BaseUrl>,
    Path((owner, name)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    paging: Paging,
) -> Result<Response, ApiError> {
    let row = lookup::repository(&site, &viewer, Action::Read, &owner, &name).await?;
    let view = View::open(&site, &row).await?;
    let tip = resolve(&view, asked.sha.as_deref()).ok_or_else(ApiError::not_found)?;
    let not = asked.not.as_deref().filter(|not| !not.is_empty());
    let not = not.map(|not| resolve_text(&view, not).ok_or_else(ApiError::not_found));
    let slice = paging.slice();
    let options = LogOptions {
        path: asked.path.unwrap_or_default().into_bytes(),
        not: not.transpose()?.map(|not| not.tip).into_iter().collect(),
        skip: usize::try_from(slice.offset).unwrap_or(usize::MAX),
        limit: slice.limit as usize,
        ..LogOptions::default()
    };
    let with_changes = asked.stat.unwrap_or(false) || asked.files.unwrap_or(false);
    let addresses = Addresses::new(base.as_str(), &row.full_name());
    let read = view.work(&site, move |services| {
        for commit in [&tip.tip].into_iter().chain(&options.not) {
            if Commit::read(services.objects, commit, &addresses)?.is_none() {
                return Ok(None);
            }
        }
        let page = services.log(&tip.tip, &options)?;
        let total = match options.not.is_empty() {
            true => services.count(&tip.tip, &options.path)?,
            false => count(services.objects, &tip.tip, &options, services.cancel)?,
        };
        let commits = describe(services, &page.commits, &addresses, with_changes)?;
        Ok(Some((commits, total as u64)))
    });
    let (commits, total) = read.await?.ok_or_else(ApiError::not_found)?;
    Ok(paging.answer(&commits, total))
}

fn describe(
    services: &dyn Services,
    ids: &[ObjectId],
    addresses: &Addresses,
    with_changes: bool,
) -> Result<Vec<Commit>, ReadError> {
    let mut commits = Vec::with_capacity(ids.len());
    for id in ids {
        commits.extend(match with_changes {
            true => Commit::read_with_changes(services, id, addresses)?,
            false => Commit::read(services.objects(), id, addresses)?,
        });
    }
    Ok(commits)
}

/// `GET /repos/{owner}/{name}/git/commits/{sha}`, where a branch or tag may be named too; with `.diff` or
/// `.patch` at its end, as text.
pub(super) async fn get(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(base): Extension<BaseUrl>,
    Path((owner, name, sha)): Path<(String, String, String)>,
) -> Result<Response, ApiError> {
    let row = lookup::repository(&site, &viewer, Action::Read, &owner, &name).await?;
    let view = View::open(&site, &row).await?;
    if let Some((form, sha)) = PatchForm::of(&sha) {
        let tip = resolve_text(&view, sha)
            .ok_or_else(ApiError::not_found)?
            .tip;
        let read = view.work(&site, move |services| {
            CommitPatch::read(services, &tip, form)
        });
        return match read.await? {
            CommitPatch::Text(text) => Ok(CommitPatch::answer(text)),
            CommitPatch::Absent => Err(ApiError::not_found()),
            CommitPatch::TooLarge => Err(too_large()),
        };
    }
    let tip = resolve_text(&view, &sha)
        .ok_or_else(ApiError::not_found)?
        .tip;
    let addresses = Addresses::new(base.as_str(), &row.full_name());
    let read = view.work(&site, move |services| {
        Commit::read_with_changes(services, &tip, &addresses)
    });
    let commit = read.await?.ok_or_else(ApiError::not_found)?;
    Ok(Json(commit).into_response())
}

fn too_large() -> ApiError {
    let message = "the patch is too large to be sent; fetch the commit instead";
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, message)
}

/// `GET /repos/{owner}/{name}/compare/{base}...{head}`: the commits of the head that the base lacks.
pub(super) async fn compare(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(base): Extension<BaseUrl>,
    Path((owner, name, asked)): Path<(String, String, String)>,
) -> Result<Json<Comparison>, ApiError> {
    let row = lookup::repository(&site, &viewer, Action::Read, &owner, &name).await?;
    let view = View::open(&site, &row).await?;
    let parts = asked.split_once("...").or_else(|| asked.split_once(".."));
    let (from, to) = parts.ok_or_else(ApiError::not_found)?;
    let tip = |name: &str| resolve_text(&view, name).map(|found| found.tip);
    let from = tip(from).ok_or_else(ApiError::not_found)?;
    let to = tip(to).ok_or_else(ApiError::not_found)?;
    let addresses = Addresses::new(base.as_str(), &row.full_name());
    let read = view.work(&site, move |services| {
        for id in [&from, &to] {
            if Commit::read(services.objects, id, &addresses)?.is_none() {
                return Ok(None);
            }
        }
        let compared = services.compare(&from, &to)?;
        let shown = compared.ahead.len().min(COMPARED_COMMITS);
        let commits = describe(services, &compared.ahead[..shown], &addresses, false)?;
        Ok(Some(Comparison {
            total_commits: compared.ahead.len(),
            commits,
        }))
    });
    read.await?.map(Json).ok_or_else(ApiError::not_found)
}
