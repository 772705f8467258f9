//! Two texts that come from a third, merged: what `git merge-file` does.
//!
//! Changes that do not touch are both taken, the same change on both sides once. What conflicts is narrowed
//! down to the lines that differ, and conflicts with no more than three lines between them become one.

use std::ops::Range;

use crate::diff::{Change, Whitespace, line_changes, split_lines};

/// Lines between two conflicts that become part of one, as in git.
const JOINED_LINES: u32 = 3;

/// How a conflict is written into the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictStyle {
    /// Both sides.
    Merge,
    /// Both sides, and what was there before.
    Diff3,
}

/// What the sides of a merge are called at conflicts.
#[derive(Clone, Copy, Debug)]
pub struct Labels<'a> {
    /// Our side.
    pub ours: &'a str,
    /// What was there before.
    pub base: &'a str,
    /// Their side.
    pub theirs: &'a str,
}

/// A merged text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergedText {
    /// With markers at conflicts.
    pub text: Vec<u8>,
    /// How many conflicts there are.
    pub conflicts: usize,
}

/// Merges two texts that both come from `base`.
pub fn merge_text(
    base: &[u8],
    ours: &[u8],
    theirs: &[u8],
    labels: &Labels<'_>,
    style: ConflictStyle,
) -> MergedText {
    let (base, ours, theirs) = (split_lines(base), split_lines(ours), split_lines(theirs));
    let merge = Merge {
        base: &base,
        ours: &ours,
        theirs: &theirs,
    };
    let mut regions = merge.regions();
    if style == ConflictStyle::Merge {
        regions = merge.narrow(regions);
    }
    merge.write(&regions, labels, style)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Take {
    Ours,
    Theirs,
    Conflict,
}

/// Where the three texts are not the same, and which side counts.
#[derive(Clone, Debug)]
struct Region {
    take: Take,
    base: Range<u32>,
    ours: Range<u32>,
    theirs: Range<u32>,
}

struct Merge<'a> {
    base: &'a [&'a [u8]],
    ours: &'a [&'a [u8]],
    theirs: &'a [&'a [u8]],
}

/// A range that follows another one in step, which is that much further on.
fn shifted(range: &Range<u32>, by: i64) -> Range<u32> {
    let shift = |at: u32| (i64::from(at) + by) as u32;
    shift(range.start)..shift(range.end)
}

/// How much further on the text after a change is than the one before.
fn offset(change: Option<&Change>) -> i64 {
    change.map_or(0, |change| {
        i64::from(change.after.end) - i64::from(change.before.end)
    })
}

impl Merge<'_> {
    fn regions(&self) -> Vec<Region> {
        let ours = line_changes(self.base, self.ours, Whitespace::Exact);
        let theirs = line_changes(self.base, self.theirs, Whitespace::Exact);
        let (mut one, mut other) = (ours.iter().peekable(), theirs.iter().peekable());
        // The last change of each side that was passed.
        let (mut last_one, mut last_other) = (None, None);
        let mut regions = Vec::new();
        loop {
            match (one.peek().copied(), other.peek().copied()) {
                (None, None) => return regions,
                (Some(mine), next)
                    if next.is_none_or(|next| mine.before.end < next.before.start) =>
                {
                    let theirs = shifted(&mine.before, offset(last_other));
                    let ours = mine.after.clone();
                    append(&mut regions, Take::Ours, mine.before.clone(), ours, theirs);
                    last_one = one.next();
                }
                (next, Some(yours))
                    if next.is_none_or(|next| yours.before.end < next.before.start) =>
                {
                    let ours = shifted(&yours.before, offset(last_one));
                    let theirs = yours.after.clone();
                    append(
                        &mut regions,
                        Take::Theirs,
                        yours.before.clone(),
                        ours,
                        theirs,
                    );
                    last_other = other.next();
                }
                (Some(mine), Some(yours)) => {
                    if !self.is_same(mine, yours) {
                        self.conflict(&mut regions, mine, yours);
                    }
                    let (mine_end, yours_end) = (mine.before.end, yours.before.end);
                    if mine_end >= yours_end {
                        last_other = other.next();
                    }
                    if yours_end >= mine_end {
                        last_one = one.next();
                    }
                }
                (Some(_), None) | (None, Some(_)) => unreachable!("one side alone comes first"),
            }
        }
    }

    fn is_same(&self, mine: &Change, yours: &Change) -> bool {
        mine.before == yours.before
            && lines(self.ours, &mine.after) == lines(self.theirs, &yours.after)
    }

    /// Widens two changes that touch to the same lines of the base.
    fn conflict(&self, regions: &mut Vec<Region>, mine: &Change, yours: &Change) {
        let start = mine.before.start.min(yours.before.start);
        let end = mine.before.end.max(yours.before.end);
        let widen = |change: &Change| {
            let above = change.before.start - start;
            let below = end - change.before.end;
            change.after.start - above..change.after.end + below
        };
        append(
            regions,
            Take::Conflict,
            start..end,
            widen(mine),
            widen(yours),
        );
    }

    /// Leaves of each conflict what differs, and joins those that are close to each other.
    fn narrow(&self, regions: Vec<Region>) -> Vec<Region> {
        let mut narrowed = Vec::new();
        for region in regions {
            let is_conflict = region.take == Take::Conflict;
            if !is_conflict || region.ours.is_empty() || region.theirs.is_empty() {
                narrowed.push(region);
                continue;
            }
            let (ours, theirs) = (
                lines(self.ours, &region.ours),
                lines(self.theirs, &region.theirs),
            );
            for change in line_changes(ours, theirs, Whitespace::Exact) {
                narrowed.push(Region {
                    ours: shifted(&change.before, region.ours.start.into()),
                    theirs: shifted(&change.after, region.theirs.start.into()),
                    ..region.clone()
                });
            }
        }
        let mut joined: Vec<Region> = Vec::new();
        for region in narrowed {
            match joined.last_mut() {
                Some(last)
                    if last.take == Take::Conflict
                        && region.take == Take::Conflict
                        && region.ours.start - last.ours.end <= JOINED_LINES =>
                {
                    last.ours.end = region.ours.end;
                    last.theirs.end = region.theirs.end;
                }
                _ => joined.push(region),
            }
        }
        joined
    }

    fn write(&self, regions: &[Region], labels: &Labels<'_>, style: ConflictStyle) -> MergedText {
        let mut merged = MergedText {
            text: Vec::new(),
            conflicts: 0,
        };
        let mut at = 0;
        for region in regions {
            put(&mut merged.text, lines(self.ours, &(at..region.ours.start)));
            at = region.ours.end;
            let (ours, theirs) = (
                lines(self.ours, &region.ours),
                lines(self.theirs, &region.theirs),
            );
            match region.take {
                Take::Ours => put(&mut merged.text, ours),
                Take::Theirs => put(&mut merged.text, theirs),
                Take::Conflict => {
                    merged.conflicts += 1;
                    side(&mut merged.text, "<<<<<<<", labels.ours, ours);
                    if style == ConflictStyle::Diff3 {
                        let base = lines(self.base, &region.base);
                        side(&mut merged.text, "|||||||", labels.base, base);
                    }
                    side(&mut merged.text, "=======", "", theirs);
                    side(&mut merged.text, ">>>>>>>", labels.theirs, &[]);
                }
            }
        }
        put(
            &mut merged.text,
            lines(self.ours, &(at..self.ours.len() as u32)),
        );
        merged
    }
}

/// Adds a region, to the one before if they touch.
fn append(
    regions: &mut Vec<Region>,
    take: Take,
    base: Range<u32>,
    ours: Range<u32>,
    theirs: Range<u32>,
) {
    match regions.last_mut() {
        Some(last) if ours.start <= last.ours.end || theirs.start <= last.theirs.end => {
            if last.take != take {
                last.take = Take::Conflict;
            }
            last.base.end = base.end;
            last.ours.end = ours.end;
            last.theirs.end = theirs.end;
        }
        _ => regions.push(Region {
            take,
            base,
            ours,
            theirs,
        }),
    }
}

fn lines<'a, 'b>(all: &'a [&'b [u8]], range: &Range<u32>) -> &'a [&'b [u8]] {
    &all[range.start as usize..range.end as usize]
}

fn put(text: &mut Vec<u8>, lines: &[&[u8]]) {
    lines.iter().for_each(|line| text.extend_from_slice(line));
}

/// A marker and the lines below it, the last of which gets a line feed if it has none.
fn side(text: &mut Vec<u8>, marker: &str, label: &str, lines: &[&[u8]]) {
    text.extend_from_slice(marker.as_bytes());
    if !label.is_empty() {
        text.push(b' ');
        text.extend_from_slice(label.as_bytes());
    }
    text.push(b'\n');
    put(text, lines);
    if !text.ends_with(b"\n") {
        text.push(b'\n');
    }
}
