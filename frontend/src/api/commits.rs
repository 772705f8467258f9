use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::{Extension, Json};
use domain::{Action, Viewer};
use git_services::{LogOptions, count, log};
use serde::Deserialize;

use crate::api::model::{Addresses, Commit};
use crate::api::paging::Paging;
use crate::api::{ApiError, lookup};
use crate::content::{resolve, resolve_text};
use crate::repository::View;
use crate::request::BaseUrl;
use crate::site::Site;

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    sha: Option<String>,
    path: Option<String>,
    not: Option<String>,
}

/// `GET /repos/{owner}/{name}/commits`.
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
    let addresses = Addresses::new(base.as_str(), &row.full_name());
    let read = view.work(&site, move |objects, cancel| {
        let tips = [&tip.tip].into_iter().chain(&options.not);
        for commit in tips {
            if Commit::read(objects, commit, &addresses)?.is_none() {
                return Ok(None);
            }
        }
        let page = log(objects, &tip.tip, &options, cancel)?;
        let total = count(objects, &tip.tip, &options, cancel)? as u64;
        let mut commits = Vec::with_capacity(page.commits.len());
        for id in page.commits {
            commits.extend(Commit::read(objects, &id, &addresses)?);
        }
        Ok(Some((commits, total)))
    });
    let (commits, total) = read.await?.ok_or_else(ApiError::not_found)?;
    Ok(paging.answer(&commits, total))
}

/// `GET /repos/{owner}/{name}/git/commits/{sha}`; a branch or tag may be named too.
pub(super) async fn get(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(base): Extension<BaseUrl>,
    Path((owner, name, sha)): Path<(String, String, String)>,
) -> Result<Json<Commit>, ApiError> {
    let row = lookup::repository(&site, &viewer, Action::Read, &owner, &name).await?;
    let view = View::open(&site, &row).await?;
    let found = resolve_text(&view, &sha).ok_or_else(ApiError::not_found)?;
    let addresses = Addresses::new(base.as_str(), &row.full_name());
    let read = view.read(&site, move |objects| {
        Commit::read(objects, &found.tip, &addresses)
    });
    read.await?.map(Json).ok_or_else(ApiError::not_found)
}
