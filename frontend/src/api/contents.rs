use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use domain::{Action, Viewer};
use git_id::ObjectId;
use git_pack::{Kind, Objects, ReadError};
use git_services::{LastChange, LogOptions, Mode, Services};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::api::model::{Addresses, ContentLinks, Contents, date};
use crate::api::objects::base64_of;
use crate::api::{ApiError, lookup};
use crate::content::{RawFile, Revision, encode, resolve};
use crate::repository::View;
use crate::request::BaseUrl;
use crate::site::Site;

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    #[serde(rename = "ref")]
    revision: Option<String>,
}

/// `GET /repos/{owner}/{name}/contents`: the root.
pub(super) async fn root(
    state: State<Arc<Site>>,
    viewer: Extension<Viewer>,
    base: Extension<BaseUrl>,
    Path((owner, name)): Path<(String, String)>,
    asked: Query<Asked>,
) -> Result<Response, ApiError> {
    get(
        state,
        viewer,
        base,
        Path((owner, name, String::new())),
        asked,
    )
    .await
}

/// `GET /repos/{owner}/{name}/contents/{path}`: a file with its content, or what is in a directory.
pub(super) async fn get(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(base): Extension<BaseUrl>,
    Path((owner, name, path)): Path<(String, String, String)>,
    Query(asked): Query<Asked>,
) -> Result<Response, ApiError> {
    let row = lookup::repository(&site, &viewer, Action::Read, &owner, &name).await?;
    let view = View::open(&site, &row).await?;
    let revision = resolve(&view, asked.revision.as_deref()).ok_or_else(ApiError::not_found)?;
    let addresses = Addresses::new(base.as_str(), &row.full_name());
    let looker = Looker {
        path: path.trim_matches('/').to_owned(),
        revision,
        addresses,
    };
    let found = view.work(&site, move |services| looker.look(services));
    match found.await?.ok_or_else(ApiError::not_found)? {
        Found::One(contents) => Ok(Json(contents).into_response()),
        Found::Many(contents) => Ok(Json(contents).into_response()),
    }
}

enum Found {
    One(Box<Contents>),
    Many(Vec<Contents>),
}

/// Looks at a path of a revision.
struct Looker {
    path: String,
    revision: Revision,
    addresses: Addresses,
}

impl Looker {
    fn look(&self, services: &dyn Services) -> Result<Option<Found>, ReadError> {
        let objects = services.objects();
        let tip = &self.revision.tip;
        let header = objects.header(tip)?;
        if header.is_none_or(|header| header.kind != Kind::Commit) {
            return Ok(None);
        }
        let Some(commit) = objects.commit(tip)? else {
            return Ok(None);
        };
        let path = self.path.as_bytes();
        let entry = match self.path.as_str() {
            "" => None,
            _ => match objects.entry_at_path(&commit.tree, path)? {
                None => return Ok(None),
                entry => entry,
            },
        };
        match entry.filter(|entry| Mode::of(entry.mode) != Mode::Directory) {
            Some(entry) => {
                let options = LogOptions {
                    path: path.to_vec(),
                    limit: 1,
                    ..LogOptions::default()
                };
                let commit = services.log(tip, &options)?.commits.first().copied();
                let change = LastChange { entry, commit };
                let one = self.describe(objects, &self.path, &change, true)?;
                Ok(Some(Found::One(Box::new(one))))
            }
            None => {
                let Some(changes) = services.last_changes(tip, path)? else {
                    return Ok(None);
                };
                let mut many = Vec::with_capacity(changes.len());
                for change in changes.iter() {
                    let name = String::from_utf8_lossy(&change.entry.name);
                    let path = match self.path.as_str() {
                        "" => name.into_owned(),
                        directory => format!("{directory}/{name}"),
                    };
                    many.push(self.describe(objects, &path, change, false)?);
                }
                Ok(Some(Found::Many(many)))
            }
        }
    }

    fn describe(
        &self,
        objects: &Objects,
        path: &str,
        change: &LastChange,
        with_content: bool,
    ) -> Result<Contents, ReadError> {
        let id = &change.entry.id;
        let mode = Mode::of(change.entry.mode);
        let size = match mode {
            Mode::Submodule | Mode::Directory => 0,
            _ => objects.header(id)?.map_or(0, |header| header.size),
        };
        let content = match mode.is_file() && with_content {
            true => base64_of(objects, id, size)?,
            false => None,
        };
        let target = match mode {
            Mode::Link => objects.read(id)?.map(|link| link.data),
            _ => None,
        };
        let commit = match &change.commit {
            Some(commit) => objects.commit(commit)?,
            None => None,
        };
        let revision = encode(&self.revision.name);
        let encoded = encode(path);
        let (api, page) = (&self.addresses.api, &self.addresses.page);
        let own = Some(format!("{api}/contents/{encoded}?ref={revision}"));
        let html = Some(format!("{page}/src/{}/{encoded}", self.page_of()));
        let git = git_url(api, mode, id);
        let download = mode
            .is_file()
            .then(|| format!("{api}/raw/{encoded}?ref={revision}"));
        Ok(Contents {
            name: path.rsplit('/').next().unwrap_or_default().to_owned(),
            path: path.to_owned(),
            sha: id.to_string(),
            last_commit_sha: change.commit.map(|commit| commit.to_string()),
            last_committer_date: commit.as_ref().map(|commit| date(&commit.committer)),
            last_author_date: commit.as_ref().map(|commit| date(&commit.author)),
            kind: match mode {
                Mode::Directory => "dir",
                Mode::Submodule => "submodule",
                Mode::Link => "symlink",
                Mode::File | Mode::Executable => "file",
            },
            size,
            encoding: content.as_ref().map(|_| "base64"),
            content,
            target: target.map(|target| String::from_utf8_lossy(&target).into_owned()),
            url: own.clone(),
            html_url: html.clone(),
            git_url: git.clone(),
            download_url: download,
            submodule_git_url: None,
            links: ContentLinks { own, git, html },
        })
    }

    /// How the pages name the revision.
    fn page_of(&self) -> String {
        let name = encode(&self.revision.name);
        match self.revision.kind {
            Some(kind) => format!("{kind}/{name}"),
            None => format!("commit/{}", self.revision.tip),
        }
    }
}

fn git_url(api: &str, mode: Mode, id: &ObjectId) -> Option<String> {
    match mode {
        Mode::Submodule => None,
        Mode::Directory => Some(format!("{api}/git/trees/{id}")),
        Mode::File | Mode::Executable | Mode::Link => Some(format!("{api}/git/blobs/{id}")),
    }
}

/// `GET /repos/{owner}/{name}/raw/{path}` and `/media/{path}`: a file's bytes, or a range of them.
pub(super) async fn raw(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Path((owner, name, path)): Path<(String, String, String)>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let row = lookup::repository(&site, &viewer, Action::Read, &owner, &name).await?;
    let view = View::open(&site, &row).await?;
    let revision = resolve(&view, asked.revision.as_deref()).ok_or_else(ApiError::not_found)?;
    let file = RawFile::read(&site, &view, revision.tip, &path).await?;
    let file = file.ok_or_else(ApiError::not_found)?;
    file.answer(&path, &headers).ok_or_else(|| {
        let message = "the file is too large to be sent; clone the repository instead";
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    })
}
