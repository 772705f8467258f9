use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::Repository;
use git_id::ObjectId;
use git_pack::{Commit, Kind};
use http::StatusCode;
use maud::{Markup, html};

use crate::content::{Changes, CommitPatch, PatchForm, resolve_text};
use crate::moment::day;
use crate::pages::PageError;
use crate::pages::changes::changes;
use crate::pages::layout::Page;
use crate::pages::lookup::repository;
use crate::pages::repository::heading;
use crate::pages::visitor::Visitor;
use crate::repository::View;
use crate::site::Site;

/// `GET /{owner}/{name}/commit/{id}`: a commit and what it changed of its first parent; with `.diff` or
/// `.patch` at its end, as text.
pub(super) async fn show(
    State(site): State<Arc<Site>>,
    Extension(visitor): Extension<Visitor>,
    Path((owner, name, asked)): Path<(String, String, String)>,
) -> Result<Response, PageError> {
    let row = repository(&site, &visitor, &owner, &name).await?;
    let view = View::open(&site, &row).await?;
    if let Some((form, asked)) = PatchForm::of(&asked) {
        let tip = resolve_text(&view, asked)
            .ok_or_else(PageError::not_found)?
            .tip;
        let read = view.work(&site, move |services| {
            CommitPatch::read(services, &tip, form)
        });
        return match read.await? {
            CommitPatch::Text(text) => Ok(CommitPatch::answer(text)),
            CommitPatch::Absent => Err(PageError::not_found()),
            CommitPatch::TooLarge => {
                let message = "This patch is too large to be sent; fetch the commit instead.";
                Err(PageError::new(StatusCode::PAYLOAD_TOO_LARGE, message))
            }
        };
    }
    let tip = resolve_text(&view, &asked)
        .ok_or_else(PageError::not_found)?
        .tip;
    let read = view.work(&site, move |services| {
        let header = services.objects.header(&tip)?;
        if header.is_none_or(|header| header.kind != Kind::Commit) {
            return Ok(None);
        }
        let Some(commit) = services.objects.commit(&tip)? else {
            return Ok(None);
        };
        let changes = Changes::of(services, &commit)?;
        Ok(Some((commit, changes)))
    });
    let (commit, found) = read.await?.ok_or_else(PageError::not_found)?;
    let content = html! {
        (heading(&row))
        (about(&row, &tip, &commit))
        (changes(&found))
    };
    let title = format!("{} · {}", &tip.to_string()[..10], row.full_name());
    Ok(Page {
        title: &title,
        content,
    }
    .render(&visitor))
}

fn about(row: &Repository, id: &ObjectId, commit: &Commit) -> Markup {
    let message = String::from_utf8_lossy(&commit.message);
    let (subject, body) = message.split_once('\n').unwrap_or((&message, ""));
    let address = format!("/{}/commit", row.full_name());
    html! {
        section.card {
            header {
                strong { (String::from_utf8_lossy(&commit.author.name)) }
                time.faint datetime=(day(commit.author.time)) { (day(commit.author.time)) }
                code.faint { (id) }
                a.end href={ "/" (row.full_name()) "/src/commit/" (id) } { "Files" }
                a href={ (address) "/" (id) ".patch" } { "Patch" }
            }
            div.inside {
                h2.subject { (subject) }
                @if !body.trim().is_empty() { pre { (body.trim()) } }
                @for parent in &commit.parents {
                    div.faint { "parent " a href={ (address) "/" (parent) } { code { (parent) } } }
                }
            }
        }
    }
}
