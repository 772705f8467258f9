use domain::repositories::Filter;
use domain::{Page, Repository, Slice, Viewer};
use maud::{Markup, html};
use serde::Deserialize;

use crate::limits::PAGE_MAX;
use crate::pages::PageError;
use crate::site::Site;

/// Which page of a listing a visitor looks at.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Asked {
    page: Option<u64>,
}

impl Asked {
    fn page(self) -> u64 {
        self.page.unwrap_or(1).clamp(1, u64::from(u32::MAX))
    }
}

/// One page of the repositories that the viewer may know of.
pub(super) async fn repositories(
    site: &Site,
    viewer: &Viewer,
    filter: &Filter<'_>,
    asked: Asked,
) -> Result<Markup, PageError> {
    let offset = (asked.page() - 1) * u64::from(PAGE_MAX);
    let slice = Slice {
        limit: PAGE_MAX,
        offset,
    };
    let page = site.forge.repositories.list(viewer, filter, slice).await?;
    Ok(html! {
        div.card {
            @if page.items.is_empty() {
                div.inside { p.faint { "No repositories to see here." } }
            } @else {
                ul.list { @for row in &page.items { (item(row)) } }
            }
        }
        (links(&page, asked.page()))
    })
}

fn item(row: &Repository) -> Markup {
    html! {
        li {
            a.name href={ "/" (row.full_name()) } { (row.full_name()) }
            @if row.is_private { " " span.badge.private { "private" } }
            @if row.fork_of.is_some() { " " span.badge { "fork" } }
            @if !row.description.is_empty() { p { (row.description) } }
        }
    }
}

fn links(page: &Page<Repository>, number: u64) -> Markup {
    let last = page.total.div_ceil(PAGE_MAX.into());
    html! {
        @if last > 1 {
            nav.pages aria-label="Pages" {
                @if number > 1 { a rel="prev" href={ "?page=" (number - 1) } { "Previous" } }
                @else { span {} }
                @if number < last { a rel="next" href={ "?page=" (number + 1) } { "Next" } }
            }
        }
    }
}
