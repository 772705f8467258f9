use domain::Repository;
use maud::{Markup, html};

use crate::content::is_text;
use crate::pages::browse::File;
use crate::pages::lookup::Place;
use crate::pages::repository::bytes;

/// A file with line numbers, or why it is not shown.
pub(super) fn card(row: &Repository, place: &Place, file: &File) -> Markup {
    let raw = format!("/{}/{}", row.full_name(), place.address("raw", &place.path));
    let text = file.content.as_ref().filter(|content| is_text(content));
    let text = text.map(|content| String::from_utf8_lossy(content));
    html! {
        section.card {
            header {
                strong { (place.path.rsplit('/').next().unwrap_or_default()) }
                span.faint { (bytes(file.size)) }
                a.end href=(raw) { "Raw" }
                @for (view, title) in [("blame", "Blame"), ("commits", "History")] {
                    a href={ "/" (row.full_name()) "/" (place.address(view, &place.path)) } { (title) }
                }
            }
            @match &text {
                Some(text) if text.is_empty() => div.inside.faint { "This file is empty." },
                Some(text) => div.code { table { (lines(text)) } },
                None if file.content.is_some() => div.inside.faint { "This file is not text." },
                None => div.inside.faint { "This file is too large to be shown." },
            }
        }
    }
}

fn lines(text: &str) -> Markup {
    html! {
        @for (number, line) in (1_u32..).zip(text.lines()) {
            tr id={ "L" (number) } {
                td { a href={ "#L" (number) } { (number) } }
                td { (line) }
            }
        }
    }
}
