use git_services::{FileChange, FileDiff, Hunk, LineKind};
use maud::{Markup, html};

use crate::content::Changes;
use crate::limits::SHOWN_LINES;

/// What changed, file by file and line by line.
pub(super) fn changes(found: &Changes) -> Markup {
    let mut left = SHOWN_LINES;
    let mut shown = |diff: &FileDiff| {
        let lines = diff.hunks.iter().map(|hunk| hunk.lines.len()).sum();
        let fits = lines <= left;
        left -= if fits { lines } else { 0 };
        fits
    };
    html! {
        p.lead {
            (found.files.len() + found.more) " files changed, "
            (found.added()) " lines added, " (found.removed()) " removed"
        }
        @for (change, diff) in &found.files { (file(change, diff, shown(diff))) }
        @if found.more > 0 { p.faint { "and " (found.more) " more files, which are not shown" } }
    }
}

fn file(change: &FileChange, diff: &FileDiff, is_shown: bool) -> Markup {
    html! {
        section.card {
            header {
                strong { (title(change)) }
                @if let Some(similarity) = change.similarity {
                    span.faint { "renamed, " (similarity) "% the same" }
                }
                @if let Some(modes) = modes(change) { span.faint { (modes) } }
                span.end.faint { "+" (diff.added) " −" (diff.removed) }
            }
            @if diff.is_binary {
                div.inside.faint { "This file is not text." }
            } @else if !is_shown {
                div.inside.faint { "These changes are too long to be shown." }
            } @else if !diff.hunks.is_empty() {
                div.code { table.diff { @for hunk in &diff.hunks { (rows(hunk)) } } }
            }
        }
    }
}

fn title(change: &FileChange) -> String {
    let text = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
    match (&change.before, &change.after) {
        (Some(before), Some(after)) if before.path != after.path => {
            format!("{} → {}", text(&before.path), text(&after.path))
        }
        _ => text(change.path()),
    }
}

fn modes(change: &FileChange) -> Option<String> {
    match (&change.before, &change.after) {
        (None, _) => Some("new".to_owned()),
        (_, None) => Some("deleted".to_owned()),
        (Some(before), Some(after)) if before.mode != after.mode => {
            let (before, after) = (before.mode.bits(), after.mode.bits());
            Some(format!("mode {before:06o} → {after:06o}"))
        }
        _ => None,
    }
}

fn rows(hunk: &Hunk) -> Markup {
    let (mut old, mut new) = (hunk.before.start, hunk.after.start);
    let mut numbered = Vec::with_capacity(hunk.lines.len());
    for line in &hunk.lines {
        let is_old = line.kind != LineKind::Added;
        let is_new = line.kind != LineKind::Removed;
        old += u32::from(is_old);
        new += u32::from(is_new);
        numbered.push((is_old.then_some(old), is_new.then_some(new), line));
    }
    html! {
        tr.hunk { td {} td {} td { "@@ " (String::from_utf8_lossy(&hunk.section)) } }
        @for (old, new, line) in numbered {
            @let (class, sign) = match line.kind {
                LineKind::Context => ("", " "),
                LineKind::Removed => ("removed", "-"),
                LineKind::Added => ("added", "+"),
            };
            tr class=(class) {
                td { @if let Some(old) = old { (old) } }
                td { @if let Some(new) = new { (new) } }
                td { (sign) (String::from_utf8_lossy(&line.text).trim_end_matches('\n')) }
            }
        }
    }
}
