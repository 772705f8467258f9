use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use maud::html;

use crate::limits::SHOWN_ENTRIES;
use crate::pages::PageError;
use crate::pages::layout::Page;
use crate::pages::lookup::{RefKind, encode, repository};
use crate::pages::repository::heading;
use crate::pages::visitor::Visitor;
use crate::repository::View;
use crate::site::Site;

/// How many branches and tags there are.
pub(super) fn counts(view: &View) -> (usize, usize) {
    let refs = || view.refs().refs().iter();
    let branches = refs()
        .filter(|entry| entry.name.as_branch().is_some())
        .count();
    (
        branches,
        refs().filter(|entry| entry.name.as_tag().is_some()).count(),
    )
}

/// `GET /{owner}/{name}/branches`.
pub(super) async fn branches(
    state: State<Arc<Site>>,
    visitor: Extension<Visitor>,
    path: Path<(String, String)>,
) -> Result<Response, PageError> {
    list(state, visitor, path, RefKind::Branch).await
}

/// `GET /{owner}/{name}/tags`.
pub(super) async fn tags(
    state: State<Arc<Site>>,
    visitor: Extension<Visitor>,
    path: Path<(String, String)>,
) -> Result<Response, PageError> {
    list(state, visitor, path, RefKind::Tag).await
}

async fn list(
    State(site): State<Arc<Site>>,
    Extension(visitor): Extension<Visitor>,
    Path((owner, name)): Path<(String, String)>,
    kind: RefKind,
) -> Result<Response, PageError> {
    let row = repository(&site, &visitor, &owner, &name).await?;
    let view = View::open(&site, &row).await?;
    let names: Vec<&str> = view
        .refs()
        .refs()
        .iter()
        .filter_map(|entry| match kind {
            RefKind::Branch => entry.name.as_branch(),
            RefKind::Tag => entry.name.as_tag(),
            RefKind::Commit => None,
        })
        .collect();
    let title = match kind {
        RefKind::Branch => "Branches",
        RefKind::Tag => "Tags",
        RefKind::Commit => "Commits",
    };
    let address = format!("/{}/src/{}", row.full_name(), kind.as_str());
    let more = names.len().saturating_sub(SHOWN_ENTRIES);
    let content = html! {
        (heading(&row))
        h2 { (title) }
        div.card {
            @if names.is_empty() { div.inside.faint { "There are none." } }
            ul.list {
                @for name in names.iter().take(SHOWN_ENTRIES) {
                    li { a.name href={ (address) "/" (encode(name)) } { (name) } }
                }
            }
            @if more > 0 { div.inside.faint { "and " (more) " more, which are not shown" } }
        }
    };
    Ok(Page { title, content }.render(&visitor))
}
