//! Which commit each line of a file is from: what `git blame` says.
//!
//! A file that was renamed is followed to its old name; lines that moved within a file or between files are
//! not.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::atomic::AtomicBool;

use git_id::ObjectId;
use git_pack::{ChangedPath, History, Objects, ReadError};

use crate::cancel;
use crate::diff::{Change, Whitespace, is_text, line_changes, rename_source, split_lines};
use crate::history::ByTime;
use crate::limits::{BLAMED_BYTES, BLAMED_COMMITS};
use crate::mode::Mode;

/// Lines that follow each other and are from the same commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlamedLines {
    /// In the file as it is, counted from 0.
    pub lines: Range<u32>,
    /// The commit that they are from.
    pub commit: ObjectId,
    /// What the file was called there.
    pub path: Vec<u8>,
    /// Where the first of them was there, counted from 0.
    pub line_there: u32,
}

/// Why it cannot be said where lines are from.
#[derive(Debug, thiserror::Error)]
pub enum BlameError {
    /// An object could not be read, or nobody waits any more.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// There is no file at the path.
    #[error("there is no file at the path")]
    NoSuchFile,
    /// The file is no text, or over the limit.
    #[error("only text of at most {limit} bytes is traced back")]
    NotText {
        /// The most bytes.
        limit: u64,
    },
    /// The history is longer than what is looked at.
    #[error("the file's history is longer than {limit} commits")]
    TooLong {
        /// The most commits.
        limit: usize,
    },
}

/// Says of some lines of a file which commits they are from, in the order of the file.
///
/// # Errors
///
/// See [`BlameError`].
pub fn blame(
    objects: &Objects,
    commit: &ObjectId,
    path: &[u8],
    lines: Option<Range<u32>>,
    cancel: &AtomicBool,
) -> Result<Vec<BlamedLines>, BlameError> {
    let mut search = Search {
        objects,
        history: History::new(objects),
        cancel,
        waiting: ByTime::default(),
        suspects: HashMap::new(),
        found: Vec::new(),
    };
    let tree = search.history.links(commit)?.tree;
    let file = search.file_at(&tree, path)?.ok_or(BlameError::NoSuchFile)?;
    let content = search.content(&file)?;
    let count = split_lines(&content).len() as u32;
    let lines = lines.unwrap_or(0..count);
    let range = lines.start.min(count)..lines.end.min(count);
    let asked = Part {
        here: range.start,
        there: range.start,
        length: range.end.saturating_sub(range.start),
    };
    search.add(*commit, path.to_vec(), file, vec![asked])?;
    for _ in 0..BLAMED_COMMITS {
        cancel::check(cancel)?;
        let Some(at) = search.waiting.pop() else {
            return Ok(search.finish());
        };
        let Some(suspect) = search.suspects.remove(&at) else {
            continue;
        };
        search.step(at.0, at.1, suspect)?;
    }
    Err(BlameError::TooLong {
        limit: BLAMED_COMMITS,
    })
}

/// Lines of the file as it is, and where they are in a suspect's.
#[derive(Clone, Copy, Debug)]
struct Part {
    here: u32,
    there: u32,
    length: u32,
}

/// A commit and a path that lines may be from.
struct Suspect {
    file: ObjectId,
    parts: Vec<Part>,
}

struct Search<'a> {
    objects: &'a Objects,
    history: History<'a>,
    cancel: &'a AtomicBool,
    waiting: ByTime<(ObjectId, Vec<u8>)>,
    suspects: HashMap<(ObjectId, Vec<u8>), Suspect>,
    found: Vec<BlamedLines>,
}

impl Search<'_> {
    fn add(
        &mut self,
        commit: ObjectId,
        path: Vec<u8>,
        file: ObjectId,
        parts: Vec<Part>,
    ) -> Result<(), ReadError> {
        let time = self.history.links(&commit)?.time;
        let at = (commit, path);
        match self.suspects.get_mut(&at) {
            Some(suspect) => suspect.parts.extend(parts),
            None => {
                self.waiting.push(time, at.clone());
                self.suspects.insert(at, Suspect { file, parts });
            }
        }
        Ok(())
    }

    /// Hands lines on to the parents that have them; those that are left are this commit's.
    fn step(
        &mut self,
        commit: ObjectId,
        path: Vec<u8>,
        mut suspect: Suspect,
    ) -> Result<(), BlameError> {
        let links = self.history.links(&commit)?;
        let mut olds: Vec<Option<(ObjectId, Vec<u8>, ObjectId)>> = vec![None; links.parents.len()];
        // A name that stayed goes before one that changed, whichever parent has it.
        for follows_names in [false, true] {
            for (at, parent) in links.parents.iter().enumerate() {
                if olds[at].is_some() {
                    continue;
                }
                let before = match follows_names {
                    false => self.same_name(&commit, parent, at, &path)?,
                    true => self.other_name(&links.tree, parent, &path)?,
                };
                let Some((old_path, old)) = before else {
                    continue;
                };
                if old == suspect.file {
                    self.add(*parent, old_path, old, suspect.parts)?;
                    return Ok(());
                }
                olds[at] = Some((*parent, old_path, old));
            }
        }
        let mut olds: Vec<_> = olds.into_iter().flatten().collect();
        let mut seen = HashSet::new();
        olds.retain(|(_, _, old)| seen.insert(*old));
        if !olds.is_empty() {
            let new = self.content(&suspect.file)?;
            for (parent, old_path, old) in olds {
                let before = self.content(&old)?;
                let (before, after) = (split_lines(&before), split_lines(&new));
                let changes = line_changes(&before, &after, Whitespace::Exact);
                let (kept, passed) = split(&suspect.parts, &changes);
                suspect.parts = kept;
                if !passed.is_empty() {
                    self.add(parent, old_path, old, passed)?;
                }
            }
        }
        let found = suspect.parts.into_iter().map(|part| BlamedLines {
            lines: part.here..part.here + part.length,
            commit,
            path: path.clone(),
            line_there: part.there,
        });
        self.found.extend(found);
        Ok(())
    }

    /// The file of the same path in a parent.
    fn same_name(
        &mut self,
        commit: &ObjectId,
        parent: &ObjectId,
        number: usize,
        path: &[u8],
    ) -> Result<Option<(Vec<u8>, ObjectId)>, ReadError> {
        let filter = self.objects.changed_paths(commit).filter(|_| number == 0);
        let key = ChangedPath::new(path);
        let tree = match filter.is_some_and(|filter| !filter.may_contain(&key)) {
            true => self.history.links(commit)?.tree,
            false => self.history.links(parent)?.tree,
        };
        let file = self.file_at(&tree, path)?;
        Ok(file.map(|file| (path.to_vec(), file)))
    }

    /// The file of a parent that was renamed to the path.
    fn other_name(
        &mut self,
        tree: &ObjectId,
        parent: &ObjectId,
        path: &[u8],
    ) -> Result<Option<(Vec<u8>, ObjectId)>, ReadError> {
        let old_tree = self.history.links(parent)?.tree;
        let before = rename_source(self.objects, &old_tree, tree, path, self.cancel)?;
        Ok(before.map(|before| (before.path, before.id)))
    }

    fn file_at(&self, tree: &ObjectId, path: &[u8]) -> Result<Option<ObjectId>, ReadError> {
        let entry = self.objects.entry_at_path(tree, path)?;
        let file = entry.filter(|entry| Mode::of(entry.mode).is_file());
        Ok(file.map(|entry| entry.id))
    }

    fn content(&self, id: &ObjectId) -> Result<Vec<u8>, BlameError> {
        let header = self.objects.header(id)?;
        let not_text = BlameError::NotText {
            limit: BLAMED_BYTES,
        };
        if header.is_none_or(|header| header.size > BLAMED_BYTES) {
            return Err(not_text);
        }
        let object = self.objects.read(id)?;
        let text = object.filter(|object| is_text(&object.data));
        text.map(|object| object.data).ok_or(not_text)
    }

    fn finish(mut self) -> Vec<BlamedLines> {
        self.found.sort_by_key(|found| found.lines.start);
        let mut joined: Vec<BlamedLines> = Vec::new();
        for found in self.found {
            match joined.last_mut() {
                Some(last)
                    if last.commit == found.commit
                        && last.path == found.path
                        && last.lines.end == found.lines.start
                        && last.line_there + last.lines.len() as u32 == found.line_there =>
                {
                    last.lines.end = found.lines.end;
                }
                _ => joined.push(found),
            }
        }
        joined
    }
}

/// Splits parts into those that changed, and those that did not, at their places before.
fn split(parts: &[Part], changes: &[Change]) -> (Vec<Part>, Vec<Part>) {
    let (mut kept, mut passed) = (Vec::new(), Vec::new());
    for part in parts {
        let end = part.there + part.length;
        let mut at = part.there;
        // Where lines that did not change were, from here on.
        let mut moved = 0i64;
        for change in changes {
            let (start, stop) = (change.after.start, change.after.end);
            if stop <= at && start < at || stop < at {
                moved = i64::from(change.before.end) - i64::from(stop);
                continue;
            }
            let cut = start.clamp(at, end);
            push(&mut passed, part, at..cut, moved);
            let cut_stop = stop.clamp(cut, end);
            push(&mut kept, part, cut..cut_stop, 0);
            at = cut_stop;
            moved = i64::from(change.before.end) - i64::from(stop);
            if start >= end {
                break;
            }
        }
        push(&mut passed, part, at..end, moved);
    }
    (kept, passed)
}

fn push(list: &mut Vec<Part>, part: &Part, range: Range<u32>, moved: i64) {
    if range.is_empty() {
        return;
    }
    list.push(Part {
        here: part.here + (range.start - part.there),
        there: (i64::from(range.start) + moved) as u32,
        length: range.len() as u32,
    });
}
