//! What is at a path of a commit.

use std::collections::HashMap;

use git_id::ObjectId;
use git_pack::{Commit, Kind, Objects, ReadError};
use git_services::Services;

use crate::limits::{README_BYTES, SHOWN_ENTRIES};

/// Names that a directory's description may have, best first, in lower case.
const READMES: &[&str] = &[
    "readme.md",
    "readme.markdown",
    "readme.txt",
    "readme",
    "readme.rst",
];

/// The mode of a directory in a tree.
const DIRECTORY: u32 = 0o040_000;
/// The mode of a symbolic link in a tree.
const LINK: u32 = 0o120_000;
/// The mode of another repository's commit in a tree.
const SUBMODULE: u32 = 0o160_000;

/// What is at a path.
#[derive(Debug)]
pub(super) enum Found {
    Directory(Directory),
    File(File),
}

#[derive(Debug)]
pub(super) struct Directory {
    pub(super) commit: CommitLine,
    /// Directories first.
    pub(super) entries: Vec<Entry>,
    /// How many entries there are beyond those.
    pub(super) more: usize,
    pub(super) readme: Option<Readme>,
}

/// What is shown of a commit.
#[derive(Clone, Debug)]
pub(super) struct CommitLine {
    pub(super) id: ObjectId,
    pub(super) author: String,
    pub(super) subject: String,
    /// Seconds since the Unix epoch.
    pub(super) time: i64,
}

impl CommitLine {
    pub(super) fn new(id: ObjectId, commit: &Commit) -> Self {
        Self {
            id,
            author: String::from_utf8_lossy(&commit.author.name).into_owned(),
            subject: first_line(&commit.message),
            time: commit.committer.time,
        }
    }
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) kind: EntryKind,
    /// Bytes, of files only.
    pub(super) size: Option<u64>,
    /// The commit that changed it last, if that was found.
    pub(super) last: Option<CommitLine>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum EntryKind {
    Directory,
    Submodule,
    Link,
    File,
}

#[derive(Debug)]
pub(super) struct Readme {
    pub(super) name: String,
    pub(super) text: String,
}

#[derive(Debug)]
pub(super) struct File {
    pub(super) size: u64,
    /// `None` if it is over the limit.
    pub(super) content: Option<Vec<u8>>,
}

/// Looks at a path of a commit; `None` if there is nothing, or no commit. A
/// file of more than `limit` bytes is not read.
pub(super) fn look(
    services: &dyn Services,
    tip: ObjectId,
    path: &str,
    limit: u64,
) -> Result<Option<Found>, ReadError> {
    let objects = services.objects();
    let is_commit = objects
        .header(&tip)?
        .is_some_and(|header| header.kind == Kind::Commit);
    if !is_commit {
        return Ok(None);
    }
    let Some(commit) = objects.commit(&tip)? else {
        return Ok(None);
    };
    let tree = if path.is_empty() {
        commit.tree
    } else {
        match objects.entry_at_path(&commit.tree, path.as_bytes())? {
            None => return Ok(None),
            Some(entry) if entry.mode == SUBMODULE => return Ok(None),
            Some(entry) if entry.mode == DIRECTORY => entry.id,
            Some(entry) => return Ok(file(objects, &entry.id, limit)?.map(Found::File)),
        }
    };
    let line = CommitLine::new(tip, &commit);
    let found = directory(services, &tree, path, line)?;
    Ok(found.map(Found::Directory))
}

fn file(objects: &Objects, id: &ObjectId, limit: u64) -> Result<Option<File>, ReadError> {
    let Some(header) = objects.header(id)? else {
        return Ok(None);
    };
    let content = if header.size <= limit {
        objects.read(id)?
    } else {
        None
    };
    Ok(Some(File {
        size: header.size,
        content: content.map(|object| object.data),
    }))
}

fn directory(
    services: &dyn Services,
    tree: &ObjectId,
    path: &str,
    commit: CommitLine,
) -> Result<Option<Directory>, ReadError> {
    let objects = services.objects();
    let Some(mut all) = objects.tree(tree)? else {
        return Ok(None);
    };
    all.sort_by(|a, b| (kind(a.mode), &a.name).cmp(&(kind(b.mode), &b.name)));
    let name = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let readme = all
        .iter()
        .filter(|entry| kind(entry.mode) == EntryKind::File)
        .filter_map(|entry| {
            let key = name(&entry.name).to_ascii_lowercase();
            let rank = READMES.iter().position(|readme| *readme == key)?;
            Some((rank, entry))
        })
        .min_by_key(|(rank, _)| *rank);
    let readme = match readme {
        Some((_, entry)) => read_text(objects, &entry.id)?.map(|text| Readme {
            name: name(&entry.name),
            text,
        }),
        None => None,
    };
    let more = all.len().saturating_sub(SHOWN_ENTRIES);
    let last = last_commits(services, &commit.id, path)?;
    let mut entries = Vec::new();
    for entry in all.into_iter().take(SHOWN_ENTRIES) {
        let kind = kind(entry.mode);
        let size = match kind {
            EntryKind::File => objects.header(&entry.id)?.map(|header| header.size),
            EntryKind::Directory | EntryKind::Submodule | EntryKind::Link => None,
        };
        entries.push(Entry {
            name: name(&entry.name),
            kind,
            size,
            last: last.get(&entry.name).cloned(),
        });
    }
    Ok(Some(Directory {
        commit,
        entries,
        more,
        readme,
    }))
}

/// The commits that changed the entries of a directory last, by their names.
fn last_commits(
    services: &dyn Services,
    tip: &ObjectId,
    path: &str,
) -> Result<HashMap<Vec<u8>, CommitLine>, ReadError> {
    let (mut lines, mut last) = (HashMap::new(), HashMap::new());
    let changes = services.last_changes(tip, path.as_bytes())?;
    for change in changes.iter().flat_map(|changes| changes.iter()) {
        let Some(id) = change.commit else { continue };
        if !lines.contains_key(&id)
            && let Some(commit) = services.objects().commit(&id)?
        {
            lines.insert(id, CommitLine::new(id, &commit));
        }
        if let Some(line) = lines.get(&id) {
            last.insert(change.entry.name.clone(), line.clone());
        }
    }
    Ok(last)
}

fn read_text(objects: &Objects, id: &ObjectId) -> Result<Option<String>, ReadError> {
    let content = file(objects, id, README_BYTES)?.and_then(|file| file.content);
    Ok(content.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

fn kind(mode: u32) -> EntryKind {
    match mode {
        DIRECTORY => EntryKind::Directory,
        SUBMODULE => EntryKind::Submodule,
        LINK => EntryKind::Link,
        _ => EntryKind::File,
    }
}

fn first_line(message: &[u8]) -> String {
    let line = message
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    String::from_utf8_lossy(line).chars().take(120).collect()
}
