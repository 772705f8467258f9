use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::{Action, Viewer};
use git_id::ObjectId;
use git_pack::{Kind, Objects, ReadError};

use crate::api::model::{Addresses, Tag, TagCommit};
use crate::api::paging::Paging;
use crate::api::{ApiError, lookup};
use crate::content::encode;
use crate::moment::rfc3339_at;
use crate::repository::View;
use crate::request::BaseUrl;
use crate::site::Site;

/// `GET /repos/{owner}/{name}/tags`.
pub(super) async fn list(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(base): Extension<BaseUrl>,
    Path((owner, name)): Path<(String, String)>,
    paging: Paging,
) -> Result<Response, ApiError> {
    let row = lookup::repository(&site, &viewer, Action::Read, &owner, &name).await?;
    let view = View::open(&site, &row).await?;
    let tags = view.refs().refs().iter().filter_map(|entry| {
        entry
            .name
            .as_tag()
            .map(|name| (name.to_owned(), entry.id, entry.peeled))
    });
    let (tags, total) = paging.cut(tags.collect::<Vec<_>>());
    if tags.is_empty() {
        return Ok(paging.answer(&Vec::<Tag>::new(), total));
    }
    let addresses = Addresses::new(base.as_str(), &row.full_name());
    let read = view.read(&site, move |objects| {
        let describe = |(name, id, peeled): (String, ObjectId, Option<ObjectId>)| {
            describe(objects, &addresses, name, id, peeled)
        };
        tags.into_iter()
            .map(describe)
            .collect::<Result<Vec<_>, _>>()
    });
    Ok(paging.answer(&read.await?, total))
}

fn describe(
    objects: &Objects,
    addresses: &Addresses,
    name: String,
    id: ObjectId,
    peeled: Option<ObjectId>,
) -> Result<Tag, ReadError> {
    let target = peeled.unwrap_or(id);
    // A tag may name anything, but most name a commit.
    let commit = match objects.header(&target)? {
        Some(header) if header.kind == Kind::Commit => objects.commit(&target)?,
        _ => None,
    };
    let tag = if peeled.is_some() {
        objects.read(&id)?
    } else {
        None
    };
    let message = match (&tag, &commit) {
        (Some(tag), _) => message(&tag.data),
        (None, Some(commit)) => String::from_utf8_lossy(&commit.message).into_owned(),
        (None, None) => String::new(),
    };
    let created = commit.map(|commit| commit.committer).map_or_else(
        || rfc3339_at(0, 0),
        |committer| rfc3339_at(committer.time, committer.offset_minutes),
    );
    let archive = format!("{}/archive/{}", addresses.page, encode(&name));
    Ok(Tag {
        name,
        message,
        id: id.to_string(),
        commit: TagCommit {
            sha: target.to_string(),
            url: format!("{}/git/commits/{target}", addresses.api),
            created,
        },
        zipball_url: format!("{archive}.zip"),
        tarball_url: format!("{archive}.tar.gz"),
    })
}

/// What follows the header lines of a tag object.
fn message(data: &[u8]) -> String {
    let end = data.windows(2).position(|pair| pair == b"\n\n");
    String::from_utf8_lossy(end.map_or(&[], |end| &data[end + 2..])).into_owned()
}
