//! Text in the files of a tree.

use std::sync::atomic::AtomicBool;

use git_id::ObjectId;
use git_pack::{Objects, ReadError};
use regex::bytes::{Regex, RegexBuilder};

use crate::cancel;
use crate::diff::is_text;
use crate::limits::{
    FOUND_LINE_BYTES, PATTERN_BYTES, SEARCHED_BYTES, SEARCHED_FILES, SEARCHED_TOTAL_BYTES,
};
use crate::tree::list_tree;

/// What is looked for.
#[derive(Clone, Debug)]
pub struct SearchOptions {
    /// The text, or the regular expression.
    pub pattern: String,
    /// Whether the pattern is a regular expression.
    pub is_regex: bool,
    /// Whether upper case and lower case are the same.
    pub ignore_case: bool,
    /// Only files below this directory, or this file; empty for all.
    pub path: Vec<u8>,
    /// At most so many lines are given.
    pub limit: usize,
}

/// A line that has what was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundLine {
    /// The file.
    pub path: Vec<u8>,
    /// The line, counted from 1.
    pub line: usize,
    /// Its beginning, without the line feed.
    pub text: Vec<u8>,
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// In the order of the tree.
    pub lines: Vec<FoundLine>,
    /// Whether a limit ended the search before its end.
    pub is_cut: bool,
}

/// Why a search did not end.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// An object could not be read, or nobody waits any more.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The pattern is none, or is too large once it is compiled.
    #[error("the pattern is not one to search with: {0}")]
    Pattern(#[from] regex::Error),
}

/// Searches the files of a tree, line by line. Files that are no text or too large are passed over. The time
/// is linear in what is searched, whatever the pattern.
///
/// # Errors
///
/// See [`SearchError`].
pub fn search(
    objects: &Objects,
    tree: &ObjectId,
    options: &SearchOptions,
    cancel: &AtomicBool,
) -> Result<Found, SearchError> {
    let pattern = compile(options)?;
    let listing = list_tree(objects, tree, true, SEARCHED_FILES, cancel)?;
    let mut found = Found {
        is_cut: listing.more,
        ..Found::default()
    };
    let mut left = SEARCHED_TOTAL_BYTES;
    let wanted = |path: &[u8]| {
        let rest = path.strip_prefix(options.path.as_slice());
        options.path.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    };
    for entry in listing.entries {
        cancel::check(cancel)?;
        if !entry.mode.is_file() || !wanted(&entry.path) {
            continue;
        }
        let size = objects.header(&entry.id)?.map_or(0, |header| header.size);
        if size > SEARCHED_BYTES {
            continue;
        }
        let Some(rest) = left.checked_sub(size) else {
            found.is_cut = true;
            break;
        };
        left = rest;
        let Some(object) = objects.read(&entry.id)? else {
            continue;
        };
        if !is_text(&object.data) || !pattern.is_match(&object.data) {
            continue;
        }
        lines_of(
            &entry.path,
            &object.data,
            &pattern,
            options.limit,
            &mut found,
        );
        if found.is_cut {
            break;
        }
    }
    Ok(found)
}

fn compile(options: &SearchOptions) -> Result<Regex, regex::Error> {
    let pattern = match options.is_regex {
        true => options.pattern.clone(),
        false => regex::escape(&options.pattern),
    };
    RegexBuilder::new(&pattern)
        .case_insensitive(options.ignore_case)
        .multi_line(true)
        .size_limit(PATTERN_BYTES)
        .dfa_size_limit(PATTERN_BYTES)
        .build()
}

fn lines_of(path: &[u8], data: &[u8], pattern: &Regex, limit: usize, found: &mut Found) {
    let lines = (1..).zip(data.split(|byte| *byte == b'\n'));
    for (line, text) in lines.filter(|(_, text)| pattern.is_match(text)) {
        if found.lines.len() == limit {
            found.is_cut = true;
            return;
        }
        found.lines.push(FoundLine {
            path: path.to_vec(),
            line,
            text: text[..text.len().min(FOUND_LINE_BYTES)].to_vec(),
        });
    }
}
