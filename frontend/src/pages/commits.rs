use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use git_pack::{Kind, ReadError};
use git_services::{LogOptions, Services};
use maud::html;
use serde::Deserialize;

use crate::limits::PAGE_DEFAULT;
use crate::moment::day;
use crate::pages::PageError;
use crate::pages::browse::CommitLine;
use crate::pages::layout::Page;
use crate::pages::lookup::{Place, RefKind, repository};
use crate::pages::repository::{commit_link, crumbs, heading};
use crate::pages::visitor::Visitor;
use crate::repository::View;
use crate::site::Site;

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    page: Option<usize>,
}

/// `GET /{owner}/{name}/commits/{kind}/{ref}/{path}`: what changed a path, the newest first.
pub(super) async fn list(
    State(site): State<Arc<Site>>,
    Extension(visitor): Extension<Visitor>,
    Path((owner, name, kind, rest)): Path<(String, String, String, String)>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let row = repository(&site, &visitor, &owner, &name).await?;
    let view = View::open(&site, &row).await?;
    let kind = RefKind::parse(&kind).ok_or_else(PageError::not_found)?;
    let place = Place::find(&view, kind, &rest).ok_or_else(PageError::not_found)?;
    let page = asked.page.unwrap_or(1).max(1);
    let options = LogOptions {
        path: place.path.clone().into_bytes(),
        skip: (page - 1).saturating_mul(PAGE_DEFAULT as usize),
        limit: PAGE_DEFAULT as usize,
        ..LogOptions::default()
    };
    let tip = place.tip;
    let read = view.work(&site, move |services| {
        let header = services.objects.header(&tip)?;
        if header.is_none_or(|header| header.kind != Kind::Commit) {
            return Ok(None);
        }
        read_page(services, &tip, &options).map(Some)
    });
    let (lines, more) = read.await?.ok_or_else(PageError::not_found)?;
    if lines.is_empty() {
        return Err(PageError::not_found());
    }
    let address = format!(
        "/{}/{}",
        row.full_name(),
        place.address("commits", &place.path)
    );
    let content = html! {
        (heading(&row))
        h2 { "History of " (place.name) }
        @if !place.path.is_empty() { (crumbs(&row, &place)) }
        section.card {
            ul.list {
                @for line in &lines {
                    li {
                        (commit_link(&row, line))
                        div.faint {
                            (line.author) " on "
                            time datetime=(day(line.time)) { (day(line.time)) }
                            " " code { (line.id.to_string()[..10]) }
                        }
                    }
                }
            }
        }
        nav.pages aria-label="Pages" {
            @if page > 1 { a rel="prev" href={ (address) "?page=" (page - 1) } { "Newer" } }
            @else { span {} }
            @if more { a rel="next" href={ (address) "?page=" (page + 1) } { "Older" } }
        }
    };
    let title = format!("History · {}", row.full_name());
    Ok(Page {
        title: &title,
        content,
    }
    .render(&visitor))
}

fn read_page(
    services: &dyn Services,
    tip: &git_id::ObjectId,
    options: &LogOptions,
) -> Result<(Vec<CommitLine>, bool), ReadError> {
    let page = services.log(tip, options)?;
    let mut lines = Vec::with_capacity(page.commits.len());
    for id in page.commits {
        if let Some(commit) = services.objects().commit(&id)? {
            lines.push(CommitLine::new(id, &commit));
        }
    }
    Ok((lines, page.more))
}
