use std::collections::HashMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::Repository;
use git_id::ObjectId;
use git_pack::{Kind, ReadError};
use git_services::{BlameError, BlamedLines, Services};
use http::StatusCode;
use maud::{Markup, html};

use crate::limits::SHOWN_FILE_BYTES;
use crate::moment::day;
use crate::pages::PageError;
use crate::pages::browse::{CommitLine, Found, look};
use crate::pages::layout::Page;
use crate::pages::lookup::{Place, RefKind, repository};
use crate::pages::repository::{commit_link, crumbs, heading};
use crate::pages::visitor::Visitor;
use crate::repository::View;
use crate::site::Site;

/// `GET /{owner}/{name}/blame/{kind}/{ref}/{path}`: which commit each line of a file is from.
pub(super) async fn show(
    State(site): State<Arc<Site>>,
    Extension(visitor): Extension<Visitor>,
    Path((owner, name, kind, rest)): Path<(String, String, String, String)>,
) -> Result<Response, PageError> {
    let row = repository(&site, &visitor, &owner, &name).await?;
    let view = View::open(&site, &row).await?;
    let kind = RefKind::parse(&kind).ok_or_else(PageError::not_found)?;
    let place = Place::find(&view, kind, &rest).ok_or_else(PageError::not_found)?;
    let (tip, path) = (place.tip, place.path.clone());
    let read = view.work(&site, move |services| Blamed::read(services, tip, &path));
    let blamed = match read.await? {
        Ok(blamed) => blamed,
        Err(BlameError::NoSuchFile) => return Err(PageError::not_found()),
        Err(error) => {
            let message = format!("The lines cannot be traced back: {error}.");
            return Err(PageError::new(StatusCode::UNPROCESSABLE_ENTITY, message));
        }
    };
    let content = html! {
        (heading(&row))
        (crumbs(&row, &place))
        section.card { div.code { table.blame { (rows(&row, &blamed)) } } }
    };
    let title = format!("{} · {}", place.path, row.full_name());
    Ok(Page {
        title: &title,
        content,
    }
    .render(&visitor))
}

/// A file and where its lines are from.
struct Blamed {
    text: String,
    parts: Vec<BlamedLines>,
    commits: HashMap<ObjectId, CommitLine>,
}

impl Blamed {
    fn read(
        services: &dyn Services,
        tip: ObjectId,
        path: &str,
    ) -> Result<Result<Self, BlameError>, ReadError> {
        let objects = services.objects();
        let header = objects.header(&tip)?;
        if header.is_none_or(|header| header.kind != Kind::Commit) {
            return Ok(Err(BlameError::NoSuchFile));
        }
        let content = match look(services, tip, path, SHOWN_FILE_BYTES)? {
            Some(Found::File(file)) => file.content,
            _ => return Ok(Err(BlameError::NoSuchFile)),
        };
        let Some(content) = content else {
            let limit = SHOWN_FILE_BYTES;
            return Ok(Err(BlameError::NotText { limit }));
        };
        let parts = match services.blame(&tip, path.as_bytes(), None) {
            Ok(parts) => parts,
            Err(BlameError::Read(error)) => return Err(error),
            Err(error) => return Ok(Err(error)),
        };
        let mut commits = HashMap::new();
        for part in &parts {
            if !commits.contains_key(&part.commit)
                && let Some(commit) = objects.commit(&part.commit)?
            {
                commits.insert(part.commit, CommitLine::new(part.commit, &commit));
            }
        }
        Ok(Ok(Self {
            text: String::from_utf8_lossy(&content).into_owned(),
            parts,
            commits,
        }))
    }
}

fn rows(row: &Repository, blamed: &Blamed) -> Markup {
    let mut lines = blamed.text.lines();
    html! {
        @for part in &blamed.parts {
            @for number in part.lines.clone() {
                tr id={ "L" (number + 1) } {
                    td { a href={ "#L" (number + 1) } { (number + 1) } }
                    td.last {
                        @if number == part.lines.start
                            && let Some(commit) = blamed.commits.get(&part.commit)
                        {
                            time datetime=(day(commit.time)) { (day(commit.time)) } " "
                            (commit_link(row, commit))
                        }
                    }
                    td { (lines.next().unwrap_or_default()) }
                }
            }
        }
    }
}
