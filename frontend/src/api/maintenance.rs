//! Maintenance of a repository, asked for now. A route of ours: Gitea has none.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use domain::{Action, Viewer};
use http::StatusCode;
use serde::Deserialize;

use crate::api::json::Body;
use crate::api::{ApiError, lookup};
use crate::repository::{Extent, Wish};
use crate::site::Site;

/// How much to do: `geometric` (by default) makes few packs of many, `full` one pack of all, with
/// bitmaps, and `drop` also drops what no reference reaches, for good.
#[derive(Debug, Deserialize)]
pub(super) struct Maintain {
    #[serde(default)]
    extent: Asked,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Asked {
    #[default]
    Geometric,
    Full,
    Drop,
}

/// `POST /repos/{owner}/{name}/maintenance`: in its turn, by this frontend. Whoever administers the
/// repository may.
pub(super) async fn ask(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Path((owner, name)): Path<(String, String)>,
    Body(asked): Body<Maintain>,
) -> Result<StatusCode, ApiError> {
    let row = lookup::repository(&site, &viewer, Action::Administer, &owner, &name).await?;
    let wish = Wish {
        id: row.storage,
        hash: row.hash,
        extent: match asked.extent {
            Asked::Geometric => Extent::Geometric,
            Asked::Full => Extent::Full,
            Asked::Drop => Extent::Drop,
        },
    };
    match site.cache.wanted.ask(wish) {
        true => Ok(StatusCode::ACCEPTED),
        false => Err(ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many repositories wait for maintenance; try again later",
        )),
    }
}
