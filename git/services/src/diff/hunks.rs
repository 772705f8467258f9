use std::ops::Range;

use super::{Change, FileDiff, LineOptions, Whitespace, line_changes, split_lines};

/// The longest part of a function's line that is shown, in bytes, as in git.
const SECTION_BYTES: usize = 80;

/// Changes that are close to each other, with the lines around them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// The lines that it covers before, counted from 0.
    pub before: Range<u32>,
    /// The lines that it covers after.
    pub after: Range<u32>,
    /// The line above it that looks like a function's or section's first.
    pub section: Vec<u8>,
    /// What is shown.
    pub lines: Vec<HunkLine>,
}

/// A line of a hunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HunkLine {
    /// What became of it.
    pub kind: LineKind,
    /// With the line feed at its end, unless there is none.
    pub text: Vec<u8>,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LineKind {
    /// It stayed.
    Context,
    /// It is gone.
    Removed,
    /// It is new.
    Added,
}

/// Compares two texts.
pub(super) fn compare(before: &[u8], after: &[u8], options: &LineOptions) -> FileDiff {
    let (before, after) = (split_lines(before), split_lines(after));
    let changes = line_changes(&before, &after, options.whitespace);
    let text = Texts {
        before: &before,
        after: &after,
        options,
    };
    let groups = text.groups(&changes);
    let kept = groups.iter().flat_map(|group| group.iter());
    let count = |range: fn(&Change) -> &Range<u32>| {
        let lengths = kept.clone().map(|change| range(change).len() as u32);
        lengths.sum()
    };
    FileDiff {
        is_binary: false,
        added: count(|change| &change.after),
        removed: count(|change| &change.before),
        hunks: groups.iter().map(|group| text.hunk(group)).collect(),
    }
}

struct Texts<'a> {
    before: &'a [&'a [u8]],
    after: &'a [&'a [u8]],
    options: &'a LineOptions,
}

impl Texts<'_> {
    /// Changes whose surroundings meet belong together.
    fn groups<'c>(&self, changes: &'c [Change]) -> Vec<&'c [Change]> {
        let most = self.options.context.saturating_mul(2);
        let meet = |one: &Change, next: &Change| next.before.start - one.before.end <= most;
        let groups = changes.chunk_by(meet);
        groups
            .filter(|group| !self.options.ignore_blank_lines || !self.is_blank(group))
            .collect()
    }

    fn is_blank(&self, group: &[Change]) -> bool {
        let blank = |line: &&[u8]| match self.options.whitespace {
            Whitespace::Exact => matches!(*line, b"\n" | b"\r\n" | b""),
            _ => line.iter().all(u8::is_ascii_whitespace),
        };
        group.iter().all(|change| {
            lines(self.before, &change.before).iter().all(blank)
                && lines(self.after, &change.after).iter().all(blank)
        })
    }

    fn hunk(&self, group: &[Change]) -> Hunk {
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            unreachable!("a group has at least one change");
        };
        let context = self.options.context;
        let above = context.min(first.before.start).min(first.after.start);
        let left = |all: &[&[u8]], end: u32| all.len() as u32 - end;
        let below = context
            .min(left(self.before, last.before.end))
            .min(left(self.after, last.after.end));
        let before = first.before.start - above..last.before.end + below;
        let after = first.after.start - above..last.after.end + below;
        let mut shown = Vec::new();
        let mut push = |kind, all: &[&[u8]], range: Range<u32>| {
            shown.extend(lines(all, &range).iter().map(|line| HunkLine {
                kind,
                text: line.to_vec(),
            }));
        };
        let mut at = after.start;
        for change in group {
            push(LineKind::Context, self.after, at..change.after.start);
            push(LineKind::Removed, self.before, change.before.clone());
            push(LineKind::Added, self.after, change.after.clone());
            at = change.after.end;
        }
        push(LineKind::Context, self.after, at..after.end);
        Hunk {
            section: self.section(before.start),
            before,
            after,
            lines: shown,
        }
    }

    /// The last line above that begins like a definition.
    fn section(&self, start: u32) -> Vec<u8> {
        let above = lines(self.before, &(0..start)).iter().rev();
        let mut found = above.filter(|line| {
            let first = line.first().copied().unwrap_or(0);
            first.is_ascii_alphabetic() || first == b'_' || first == b'$'
        });
        let line = found.next().copied().unwrap_or_default();
        let line = &line[..line.len().min(SECTION_BYTES)];
        line.trim_ascii_end().to_vec()
    }
}

fn lines<'a, 'b>(all: &'a [&'b [u8]], range: &Range<u32>) -> &'a [&'b [u8]] {
    &all[range.start as usize..range.end as usize]
}
