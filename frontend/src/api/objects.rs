//! Git's objects by their ids, and refs.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::{Action, Repository, Viewer};
use git_id::ObjectId;
use git_pack::{Kind, Objects, ReadError};
use git_services::{Mode, PathEntry, Services, signed};
use serde::Deserialize;

use crate::api::model::{
    Addresses, AnnotatedTag, Blob, CommitUser, Reference, Target, Tree, TreeEntry, Verification,
};
use crate::api::{ApiError, lookup};
use crate::content::resolve_text;
use crate::limits::{JSON_FILE_BYTES, TREE_ENTRIES, TREE_PAGE};
use crate::repository::View;
use crate::request::BaseUrl;
use crate::site::Site;

#[derive(Debug, Deserialize)]
pub(super) struct AskedTree {
    recursive: Option<String>,
    page: Option<usize>,
    per_page: Option<usize>,
}

/// `GET /repos/{owner}/{name}/git/trees/{sha}`; a branch or tag may be named too.
pub(super) async fn tree(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(base): Extension<BaseUrl>,
    Path((owner, name, sha)): Path<(String, String, String)>,
    Query(asked): Query<AskedTree>,
) -> Result<Json<Tree>, ApiError> {
    let row = lookup::repository(&site, &viewer, Action::Read, &owner, &name).await?;
    let view = View::open(&site, &row).await?;
    let tip = resolve_text(&view, &sha)
        .ok_or_else(ApiError::not_found)?
        .tip;
    let addresses = Addresses::new(base.as_str(), &row.full_name());
    let recursive = asked
        .recursive
        .is_some_and(|recursive| matches!(recursive.as_str(), "1" | "true"));
    let page = asked.page.unwrap_or(1).max(1);
    let per_page = asked.per_page.unwrap_or(TREE_PAGE).clamp(1, TREE_PAGE);
    let read = view.work(&site, move |services| {
        let objects = services.objects;
        let Some(id) = tree_of(objects, &tip)? else {
            return Ok(None);
        };
        let listing = services.list_tree(&id, recursive, TREE_ENTRIES)?;
        let total_count = listing.entries.len();
        let skip = (page - 1).saturating_mul(per_page);
        let shown = listing.entries.iter().skip(skip).take(per_page);
        let entries = shown.map(|entry| tree_entry(objects, entry, &addresses));
        Ok(Some(Tree {
            sha: id.to_string(),
            url: format!("{}/git/trees/{id}", addresses.api),
            tree: entries.collect::<Result<_, _>>()?,
            truncated: listing.more || skip.saturating_add(per_page) < total_count,
            page,
            total_count,
        }))
    });
    read.await?.map(Json).ok_or_else(ApiError::not_found)
}

/// The tree of a commit, or a tree itself.
fn tree_of(objects: &Objects, id: &ObjectId) -> Result<Option<ObjectId>, ReadError> {
    Ok(match objects.header(id)?.map(|header| header.kind) {
        Some(Kind::Commit) => objects.commit(id)?.map(|commit| commit.tree),
        Some(Kind::Tree) => Some(*id),
        _ => None,
    })
}

fn tree_entry(
    objects: &Objects,
    entry: &PathEntry,
    addresses: &Addresses,
) -> Result<TreeEntry, ReadError> {
    let (kind, place) = match entry.mode {
        Mode::Directory => ("tree", Some("trees")),
        Mode::Submodule => ("commit", None),
        Mode::File | Mode::Executable | Mode::Link => ("blob", Some("blobs")),
    };
    let size = match kind {
        "blob" => objects.header(&entry.id)?.map_or(0, |header| header.size),
        _ => 0,
    };
    let url = place.map(|place| format!("{}/git/{place}/{}", addresses.api, entry.id));
    Ok(TreeEntry {
        path: String::from_utf8_lossy(&entry.path).into_owned(),
        mode: format!("{:06o}", entry.mode.bits()),
        kind,
        size,
        sha: entry.id.to_string(),
        url: url.unwrap_or_default(),
    })
}

/// `GET /repos/{owner}/{name}/git/blobs/{sha}`.
pub(super) async fn blob(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(base): Extension<BaseUrl>,
    Path((owner, name, sha)): Path<(String, String, String)>,
) -> Result<Json<Blob>, ApiError> {
    let row = lookup::repository(&site, &viewer, Action::Read, &owner, &name).await?;
    let view = View::open(&site, &row).await?;
    let id: ObjectId = sha.parse().map_err(|_| ApiError::not_found())?;
    let addresses = Addresses::new(base.as_str(), &row.full_name());
    let read = view.read(&site, move |objects| {
        let header = objects.header(&id)?;
        let Some(header) = header.filter(|header| header.kind == Kind::Blob) else {
            return Ok(None);
        };
        let content = base64_of(objects, &id, header.size)?;
        Ok(Some(Blob {
            encoding: content.as_ref().map(|_| "base64"),
            content,
            url: format!("{}/git/blobs/{id}", addresses.api),
            sha: id.to_string(),
            size: header.size,
        }))
    });
    read.await?.map(Json).ok_or_else(ApiError::not_found)
}

/// A blob in base64, unless it is too large for that.
pub(super) fn base64_of(
    objects: &Objects,
    id: &ObjectId,
    size: u64,
) -> Result<Option<String>, ReadError> {
    if size > JSON_FILE_BYTES {
        return Ok(None);
    }
    Ok(objects.read(id)?.map(|blob| STANDARD.encode(blob.data)))
}

/// `GET /repos/{owner}/{name}/git/tags/{sha}`: a tag object.
pub(super) async fn tag(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(base): Extension<BaseUrl>,
    Path((owner, name, sha)): Path<(String, String, String)>,
) -> Result<Json<AnnotatedTag>, ApiError> {
    let row = lookup::repository(&site, &viewer, Action::Read, &owner, &name).await?;
    let view = View::open(&site, &row).await?;
    let id: ObjectId = sha.parse().map_err(|_| ApiError::not_found())?;
    let addresses = Addresses::new(base.as_str(), &row.full_name());
    let read = view.read(&site, move |objects| {
        let Some(tag) = objects.tag(&id)? else {
            return Ok(None);
        };
        let object = objects.read(&id)?;
        let signed = object.and_then(|object| signed(object.kind, &object.data));
        Ok(Some(AnnotatedTag {
            tag: String::from_utf8_lossy(&tag.name).into_owned(),
            sha: id.to_string(),
            url: format!("{}/git/tags/{id}", addresses.api),
            message: String::from_utf8_lossy(&tag.message).into_owned(),
            tagger: CommitUser::of(&tag.tagger),
            object: target(&tag.target, tag.target_kind, &addresses),
            verification: Verification::of(signed),
        }))
    });
    read.await?.map(Json).ok_or_else(ApiError::not_found)
}

fn target(id: &ObjectId, kind: Kind, addresses: &Addresses) -> Target {
    Target {
        kind: kind.name(),
        sha: id.to_string(),
        url: format!("{}/git/{}s/{id}", addresses.api, kind.name()),
    }
}

/// `GET /repos/{owner}/{name}/git/refs`: all of them.
pub(super) async fn refs(
    state: State<Arc<Site>>,
    viewer: Extension<Viewer>,
    base: Extension<BaseUrl>,
    Path((owner, name)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    refs_below(state, viewer, base, Path((owner, name, String::new()))).await
}

/// `GET /repos/{owner}/{name}/git/refs/{prefix}`: those whose names, without `refs/`, begin so. A name
/// that is a ref's gives that ref alone.
pub(super) async fn refs_below(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(base): Extension<BaseUrl>,
    Path((owner, name, prefix)): Path<(String, String, String)>,
) -> Result<Response, ApiError> {
    let row = lookup::repository(&site, &viewer, Action::Read, &owner, &name).await?;
    let view = View::open(&site, &row).await?;
    let described = describe_refs(&site, &row, &view, &base, &prefix).await?;
    let exact = format!("refs/{prefix}");
    if prefix.is_empty() {
        return Ok(Json(described).into_response());
    }
    if let Some(found) = described.iter().find(|found| found.name == exact) {
        return Ok(Json(found).into_response());
    }
    match described.is_empty() {
        true => Err(ApiError::not_found()),
        false => Ok(Json(described).into_response()),
    }
}

async fn describe_refs(
    site: &Site,
    row: &Repository,
    view: &View,
    base: &BaseUrl,
    prefix: &str,
) -> Result<Vec<Reference>, ApiError> {
    let addresses = Addresses::new(base.as_str(), &row.full_name());
    let prefix = format!("refs/{prefix}");
    let wanted = view.refs().refs().iter();
    let wanted: Vec<(String, ObjectId)> = wanted
        .filter(|entry| entry.name.as_str().starts_with(&prefix))
        .map(|entry| (entry.name.as_str().to_owned(), entry.id))
        .collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let read = view.read(site, move |objects| {
        let mut described = Vec::new();
        for (name, id) in wanted {
            let Some(header) = objects.header(&id)? else {
                continue;
            };
            described.push(Reference {
                url: format!("{}/git/{name}", addresses.api),
                name,
                object: target(&id, header.kind, &addresses),
            });
        }
        Ok(described)
    });
    Ok(read.await?)
}
