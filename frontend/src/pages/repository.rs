use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use domain::Repository;
use maud::{Markup, html};

use crate::limits::SHOWN_FILE_BYTES;
use crate::moment::day;
use crate::pages::PageError;
use crate::pages::browse::{CommitLine, Directory, Entry, EntryKind, Found, Readme, look};
use crate::pages::layout::Page;
use crate::pages::lookup::{Place, RefKind, encode, repository};
use crate::pages::markdown::{Links, render};
use crate::pages::visitor::Visitor;
use crate::pages::{file, refs};
use crate::repository::View;
use crate::request::BaseUrl;
use crate::site::Site;

/// `GET /{owner}/{name}`: the default branch's files. An address that git
/// would clone from leads here too.
pub(super) async fn overview(
    State(site): State<Arc<Site>>,
    Extension(visitor): Extension<Visitor>,
    Extension(base): Extension<BaseUrl>,
    Path((owner, name)): Path<(String, String)>,
) -> Result<Response, PageError> {
    if let Some(name) = name.strip_suffix(".git") {
        // Whether there is such a repository, the other page tells.
        let address = format!("/{}/{}", encode(&owner), encode(name));
        return Ok(Redirect::to(&address).into_response());
    }
    let row = repository(&site, &visitor, &owner, &name).await?;
    let view = View::open(&site, &row).await?;
    let shown = Shown {
        site: &site,
        visitor: &visitor,
        base: &base,
        row: &row,
        view: &view,
    };
    match Place::default_branch(&view) {
        Some(place) => shown.place(place).await,
        None => Ok(shown.without_default_branch()),
    }
}

/// `GET /{owner}/{name}/src/{kind}/{ref}/{path}`.
pub(super) async fn source(
    State(site): State<Arc<Site>>,
    Extension(visitor): Extension<Visitor>,
    Extension(base): Extension<BaseUrl>,
    Path((owner, name, kind, rest)): Path<(String, String, String, String)>,
) -> Result<Response, PageError> {
    let row = repository(&site, &visitor, &owner, &name).await?;
    let view = View::open(&site, &row).await?;
    let kind = RefKind::parse(&kind).ok_or_else(PageError::not_found)?;
    let place = Place::find(&view, kind, &rest).ok_or_else(PageError::not_found)?;
    let shown = Shown {
        site: &site,
        visitor: &visitor,
        base: &base,
        row: &row,
        view: &view,
    };
    shown.place(place).await
}

/// A repository that is being shown.
struct Shown<'a> {
    site: &'a Site,
    visitor: &'a Visitor,
    base: &'a BaseUrl,
    row: &'a Repository,
    view: &'a View,
}

impl Shown<'_> {
    async fn place(&self, place: Place) -> Result<Response, PageError> {
        let (tip, path) = (place.tip, place.path.clone());
        let found = self
            .view
            .work(self.site, move |services| {
                look(services, tip, &path, SHOWN_FILE_BYTES)
            })
            .await?;
        let content = match found.ok_or_else(PageError::not_found)? {
            Found::Directory(directory) => self.directory(&place, directory),
            Found::File(found) => html! {
                (heading(self.row))
                (self.tools(Some(&place)))
                (crumbs(self.row, &place))
                (file::card(self.row, &place, &found))
            },
        };
        Ok(Page {
            title: &self.row.full_name(),
            content,
        }
        .render(self.visitor))
    }

    fn directory(&self, place: &Place, directory: Directory) -> Markup {
        let commit = &directory.commit;
        html! {
            (heading(self.row))
            (self.tools(Some(place)))
            @if !place.path.is_empty() { (crumbs(self.row, place)) }
            section.card {
                header {
                    strong { (commit.author) }
                    (commit_link(self.row, commit))
                    code.faint title=(commit.id) { (commit.id.to_string()[..10]) }
                    time.faint datetime=(day(commit.time)) { (day(commit.time)) }
                    a.end href={ "/" (self.row.full_name()) "/" (place.address("commits", &place.path)) } {
                        "History"
                    }
                }
                table.files {
                    @for entry in &directory.entries { (entry_row(self.row, place, entry)) }
                }
                @if directory.more > 0 {
                    div.inside.faint { "and " (directory.more) " more, which are not shown" }
                }
            }
            @if let Some(readme) = &directory.readme { (readme_card(self.row, place, readme)) }
        }
    }

    /// The clone address, and what there is besides files.
    fn tools(&self, place: Option<&Place>) -> Markup {
        let address = format!("/{}", self.row.full_name());
        let (branches, tags) = refs::counts(self.view);
        html! {
            div.tools {
                @if let Some(place) = place {
                    span { (place.kind.as_str()) " " strong { (place.name) } }
                }
                a href={ (address) "/branches" } { (branches) " " (plural(branches, "branch", "branches")) }
                a href={ (address) "/tags" } { (tags) " " (plural(tags, "tag", "tags")) }
                @if let Some(place) = place {
                    @let archive = format!("{address}/archive/{}", encode(&place.name));
                    span {
                        "Download "
                        a href={ (archive) ".tar.gz" } { "tar.gz" } " "
                        a href={ (archive) ".zip" } { "zip" }
                    }
                }
                div.clone.end {
                    label.faint for="clone" { "Clone" }
                    input #clone type="text" readonly value={ (self.clone_url()) };
                }
            }
        }
    }

    fn clone_url(&self) -> String {
        format!("{}/{}.git", self.base.as_str(), self.row.full_name())
    }

    fn without_default_branch(&self) -> Response {
        let head = self
            .view
            .refs()
            .head_target()
            .and_then(|head| head.as_branch());
        let branch = head.unwrap_or("main");
        let is_empty = self.view.refs().refs().is_empty();
        let url = self.clone_url();
        let content = html! {
            (heading(self.row))
            (self.tools(None))
            section.card {
                div.inside.prose {
                    @if is_empty {
                        h2 { "This repository is empty" }
                    } @else {
                        h2 { "The default branch " code { (branch) } " does not exist yet" }
                    }
                    p { "Push an existing repository:" }
                    pre { "git remote add origin " (url) "\ngit push -u origin " (branch) }
                    p { "Or start a new one:" }
                    pre {
                        "git init -b " (branch) "\necho \"# " (self.row.name) "\" > README.md\n"
                        "git add README.md\ngit commit -m \"first commit\"\n"
                        "git remote add origin " (url) "\ngit push -u origin " (branch)
                    }
                }
            }
        };
        Page {
            title: &self.row.full_name(),
            content,
        }
        .render(self.visitor)
    }
}

/// The name of a repository and what it is about.
pub(super) fn heading(row: &Repository) -> Markup {
    html! {
        h1 {
            a href={ "/" (row.owner.name) } { (row.owner.name) } " / "
            a href={ "/" (row.full_name()) } { strong { (row.name) } }
            @if row.is_private { " " span.badge.private { "private" } }
            @if row.fork_of.is_some() { " " span.badge { "fork" } }
        }
        p.lead { (row.description) }
    }
}

pub(super) fn crumbs(row: &Repository, place: &Place) -> Markup {
    let root = format!("/{}/{}", row.full_name(), place.address("src", ""));
    let parts: Vec<&str> = place.path.split('/').collect();
    html! {
        nav.crumbs aria-label="Path" {
            a href=(root) { (row.name) }
            @for (index, part) in parts.iter().enumerate() {
                " / "
                @if index + 1 == parts.len() { strong { (part) } }
                @else { a href={ (root) "/" (encode(&parts[..=index].join("/"))) } { (part) } }
            }
        }
    }
}

fn entry_row(row: &Repository, place: &Place, entry: &Entry) -> Markup {
    let path = match place.path.as_str() {
        "" => entry.name.clone(),
        directory => format!("{directory}/{}", entry.name),
    };
    let address = format!("/{}/{}", row.full_name(), place.address("src", &path));
    html! {
        tr {
            td {
                @match entry.kind {
                    EntryKind::Directory => a.dir href=(address) { (entry.name) "/" },
                    EntryKind::Submodule => { (entry.name) " " span.badge { "submodule" } },
                    EntryKind::Link => { a href=(address) { (entry.name) } " " span.badge { "link" } },
                    EntryKind::File => a href=(address) { (entry.name) },
                }
            }
            td.last {
                @if let Some(last) = &entry.last { (commit_link(row, last)) }
            }
            td {
                @if let Some(last) = &entry.last {
                    time datetime=(day(last.time)) { (day(last.time)) }
                }
            }
            td { @if let Some(size) = entry.size { (bytes(size)) } }
        }
    }
}

/// A commit's subject, which leads to its page.
pub(super) fn commit_link(row: &Repository, commit: &CommitLine) -> Markup {
    html! {
        a.faint href={ "/" (row.full_name()) "/commit/" (commit.id) } {
            @if commit.subject.is_empty() { (commit.id.to_string()[..10]) }
            @else { (commit.subject) }
        }
    }
}

fn readme_card(row: &Repository, place: &Place, readme: &Readme) -> Markup {
    let name = readme.name.to_ascii_lowercase();
    let is_markdown = name.ends_with(".md") || name.ends_with(".markdown");
    let links = Links {
        pages: format!("/{}/{}", row.full_name(), place.address("src", "")),
        raw: format!("/{}/{}", row.full_name(), place.address("raw", "")),
        directory: place.path.clone(),
    };
    html! {
        section.card aria-label="Description" {
            header { strong { (readme.name) } }
            div.inside.prose {
                @if is_markdown { (render(&readme.text, &links)) } @else { pre { (readme.text) } }
            }
        }
    }
}

fn plural(count: usize, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}

/// A size as people read it.
pub(super) fn bytes(size: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if size < 1024 {
        return format!("{size} B");
    }
    let mut tenths = size * 10 / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_are_readable() {
        let sizes = [0, 1023, 1024, 1536, 1 << 20, 5 << 30, u64::MAX / 10].map(bytes);
        assert_eq!(
            sizes[..6],
            ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "5.0 GiB"]
        );
    }
}
