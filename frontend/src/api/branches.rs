use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::{Extension, Json};
use domain::{Action, Repository, Viewer};
use git_id::{ObjectId, RefName};
use serde::Deserialize;

use crate::api::model::{Branch, BranchCommit, Permission};
use crate::api::paging::Paging;
use crate::api::{ApiError, lookup};
use crate::repository::View;
use crate::request::BaseUrl;
use crate::site::Site;

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    q: Option<String>,
}

/// `GET /repos/{owner}/{name}/branches`.
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
    let text = asked.q.unwrap_or_default();
    let branches = view.refs().refs().iter().filter_map(|entry| {
        entry
            .name
            .as_branch()
            .filter(|name| name.contains(&text))
            .map(|name| (name.to_owned(), entry.id))
    });
    let (branches, total) = paging.cut(branches.collect());
    let described = describe(&site, &viewer, &row, &view, &base, branches).await?;
    Ok(paging.answer(&described, total))
}

/// `GET /repos/{owner}/{name}/branches/{branch}`.
pub(super) async fn get(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(base): Extension<BaseUrl>,
    Path((owner, name, branch)): Path<(String, String, String)>,
) -> Result<Json<Branch>, ApiError> {
    let row = lookup::repository(&site, &viewer, Action::Read, &owner, &name).await?;
    let view = View::open(&site, &row).await?;
    let full = RefName::branch(&branch).map_err(|_| ApiError::not_found())?;
    let id = view.refs().get(&full).ok_or_else(ApiError::not_found)?.id;
    let branches = vec![(branch, id)];
    let mut described = describe(&site, &viewer, &row, &view, &base, branches).await?;
    described.pop().map(Json).ok_or_else(ApiError::not_found)
}

async fn describe(
    site: &Site,
    viewer: &Viewer,
    row: &Repository,
    view: &View,
    base: &BaseUrl,
    branches: Vec<(String, ObjectId)>,
) -> Result<Vec<Branch>, ApiError> {
    if branches.is_empty() {
        return Ok(Vec::new());
    }
    let may_push = Permission::of(viewer, row).may_push();
    let url = format!("{}/{}", base.as_str(), row.full_name());
    let read = view.read(site, move |objects| {
        let mut described = Vec::new();
        for (name, id) in branches {
            if let Some(commit) = objects.commit(&id)? {
                let commit =
                    BranchCommit::new(id.to_string(), &commit, format!("{url}/commit/{id}"));
                described.push(Branch::new(&name, commit, may_push));
            }
        }
        Ok(described)
    });
    Ok(read.await?)
}
