use std::collections::HashSet;
use std::sync::atomic::AtomicBool;

use git_id::ObjectId;
use git_pack::{ChangedPath, History, Links, Objects, ReadError};

use super::ByTime;
use crate::cancel;

/// Which commits of a history are asked for.
#[derive(Clone, Debug, Default)]
pub struct LogOptions {
    /// Only those that changed this path; empty for all.
    pub path: Vec<u8>,
    /// What these reach is left out.
    pub not: Vec<ObjectId>,
    /// Only those whose committer's time is not before this, in seconds since the epoch.
    pub since: Option<i64>,
    /// Only those whose committer's time is not after this.
    pub until: Option<i64>,
    /// So many are passed over.
    pub skip: usize,
    /// At most so many are given.
    pub limit: usize,
}

/// A part of a history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPage {
    /// Newest first.
    pub commits: Vec<ObjectId>,
    /// Whether others follow.
    pub more: bool,
}

/// The commits that a commit reaches, as `git log` orders and simplifies them: a commit that has the path
/// as one of its parents has it is followed to that parent only.
///
/// # Errors
///
/// An object is missing or damaged, or nobody waits any more.
pub fn log(
    objects: &Objects,
    tip: &ObjectId,
    options: &LogOptions,
    cancel: &AtomicBool,
) -> Result<LogPage, ReadError> {
    let mut page = LogPage::default();
    let mut passed = 0;
    walk(objects, tip, options, cancel, &mut |commit| {
        if passed < options.skip {
            passed += 1;
        } else if page.commits.len() < options.limit {
            page.commits.push(commit);
        } else {
            page.more = true;
        }
        !page.more
    })?;
    Ok(page)
}

/// How many commits [`log`] gives if there is no limit.
///
/// # Errors
///
/// As for [`log`].
pub fn count(
    objects: &Objects,
    tip: &ObjectId,
    options: &LogOptions,
    cancel: &AtomicBool,
) -> Result<usize, ReadError> {
    let mut count = 0;
    walk(objects, tip, options, cancel, &mut |_| {
        count += 1;
        true
    })?;
    Ok(count)
}

/// Tells of commits until it is told that it is enough.
fn walk(
    objects: &Objects,
    tip: &ObjectId,
    options: &LogOptions,
    cancel: &AtomicBool,
    tell: &mut dyn FnMut(ObjectId) -> bool,
) -> Result<(), ReadError> {
    let mut history = History::new(objects);
    let mut seen = super::compare::reached(&mut history, &options.not, cancel)?;
    let mut waiting = ByTime::default();
    let path = Path::new(objects, &options.path);
    let mut add = |history: &mut History<'_>, waiting: &mut ByTime<_>, commit: ObjectId| {
        if seen.insert(commit) {
            let links = history.links(&commit)?;
            waiting.push(links.time, (commit, links));
        }
        Ok::<_, ReadError>(())
    };
    add(&mut history, &mut waiting, *tip)?;
    while let Some((commit, links)) = waiting.pop() {
        cancel::check(cancel)?;
        let same = path.same_parent(&mut history, &commit, &links)?;
        let in_time = options.since.is_none_or(|since| links.time >= since)
            && options.until.is_none_or(|until| links.time <= until);
        if matches!(same, Same::None) && in_time && !tell(commit) {
            return Ok(());
        }
        match same {
            Same::Parent(parent) => add(&mut history, &mut waiting, parent)?,
            Same::None | Same::Absent => {
                for parent in links.parents {
                    add(&mut history, &mut waiting, parent)?;
                }
            }
        }
    }
    Ok(())
}

/// Which parent has a path as the commit has it.
enum Same {
    /// No parent: the commit changed it.
    None,
    /// This one.
    Parent(ObjectId),
    /// There is neither a parent nor the path.
    Absent,
}

/// A path whose history is asked for, or all paths.
struct Path<'a> {
    objects: &'a Objects,
    path: &'a [u8],
    key: ChangedPath,
}

impl<'a> Path<'a> {
    fn new(objects: &'a Objects, path: &'a [u8]) -> Self {
        Self {
            objects,
            path,
            key: ChangedPath::new(path),
        }
    }

    fn same_parent(
        &self,
        history: &mut History<'_>,
        commit: &ObjectId,
        links: &Links,
    ) -> Result<Same, ReadError> {
        if self.path.is_empty() {
            // Every commit counts, even one that changed nothing.
            return Ok(Same::None);
        }
        if let Some(parent) = links.parents.first()
            && let Some(filter) = self.objects.changed_paths(commit)
            && !filter.may_contain(&self.key)
        {
            return Ok(Same::Parent(*parent));
        }
        let here = self.at(&links.tree)?;
        for parent in &links.parents {
            let tree = history.links(parent)?.tree;
            if tree == links.tree || self.at(&tree)? == here {
                return Ok(Same::Parent(*parent));
            }
        }
        Ok(match here {
            None if links.parents.is_empty() => Same::Absent,
            _ => Same::None,
        })
    }

    fn at(&self, root: &ObjectId) -> Result<Option<(u32, ObjectId)>, ReadError> {
        let entry = self.objects.entry_at_path(root, self.path)?;
        Ok(entry.map(|entry| (entry.mode, entry.id)))
    }
}

/// Commits that were met.
pub(super) type Seen = HashSet<ObjectId>;
