use std::sync::Arc;

use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use domain::repositories::{Filter, Sort};
use domain::{AccountId, Viewer};
use serde::{Deserialize, Serialize};

use crate::api::ApiError;
use crate::api::model::{Repository, describe_all};
use crate::api::paging::Paging;
use crate::request::BaseUrl;
use crate::site::Site;

/// What to look for.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    q: Option<String>,
    #[serde(rename = "includeDesc", default)]
    include_desc: bool,
    uid: Option<i64>,
    is_private: Option<bool>,
    sort: Option<String>,
    order: Option<String>,
}

#[derive(Debug, Serialize)]
struct SearchResults {
    ok: bool,
    data: Vec<Repository>,
}

/// `GET /repos/search`.
pub(super) async fn repositories(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(base): Extension<BaseUrl>,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
    paging: Paging,
) -> Result<Response, ApiError> {
    let Query(asked) = asked.map_err(|error| ApiError::invalid(error.body_text()))?;
    let sort = match asked.sort.as_deref().unwrap_or_default() {
        "" | "alpha" => Sort::Name,
        "created" => Sort::Created,
        "updated" => Sort::Updated,
        "id" => Sort::Id,
        other => {
            let known = "alpha, created, updated, id";
            return Err(ApiError::invalid(format!(
                "sort {other:?} is not offered: use {known}"
            )));
        }
    };
    let descending = match asked.order.as_deref().unwrap_or_default() {
        "" | "asc" => false,
        "desc" => true,
        _ => return Err(ApiError::invalid("order is \"asc\" or \"desc\"")),
    };
    let filter = Filter {
        owner: asked.uid.filter(|id| *id != 0).map(AccountId),
        text: asked.q.as_deref(),
        in_description: asked.include_desc,
        fork_of: None,
        is_private: asked.is_private,
        sort,
        descending,
    };
    let page = site
        .forge
        .repositories
        .list(&viewer, &filter, paging.slice())
        .await?;
    let data = describe_all(&site, &page.items, &viewer, &base).await?;
    Ok(paging.answer(&SearchResults { ok: true, data }, page.total))
}
