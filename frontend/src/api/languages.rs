use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use domain::{Action, Viewer};
use git_pack::Kind;
use git_services::Services;
use serde_json::{Map, Value};

use crate::api::{ApiError, lookup};
use crate::content::resolve;
use crate::repository::View;
use crate::site::Site;

/// `GET /repos/{owner}/{name}/languages`: bytes in each, of the default branch.
pub(super) async fn get(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Path((owner, name)): Path<(String, String)>,
) -> Result<Json<Map<String, Value>>, ApiError> {
    let row = lookup::repository(&site, &viewer, Action::Read, &owner, &name).await?;
    let view = View::open(&site, &row).await?;
    let Some(revision) = resolve(&view, None) else {
        return Ok(Json(Map::new()));
    };
    let read = view.work(&site, move |services| {
        let header = services.objects.header(&revision.tip)?;
        if header.is_none_or(|header| header.kind != Kind::Commit) {
            return Ok(Map::new());
        }
        let Some(commit) = services.objects.commit(&revision.tip)? else {
            return Ok(Map::new());
        };
        let sizes = services.languages(&commit.tree)?;
        let sizes = sizes.iter();
        Ok(sizes
            .map(|size| (size.language.clone(), size.bytes.into()))
            .collect())
    });
    Ok(Json(read.await?))
}
