//! Patches in git's extended form of the unified one (git-diff(1), "Generating patch text").

use std::io::{self, Write};
use std::ops::Range;

use git_id::ObjectId;
use git_pack::{Objects, ReadError};

use super::{FileChange, FileDiff, Hunk, LineKind, LineOptions, Side, diff_file};
use crate::mode::Mode;

/// Why a patch was not written to its end.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// An object could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Whoever takes the patch does not.
    #[error("write a patch")]
    Write(#[from] io::Error),
}

/// Writes a patch that `git apply` takes. Of a binary file it says only that it differs.
///
/// # Errors
///
/// An object is missing or damaged, or the patch could not be written.
pub fn write_patch(
    objects: &Objects,
    changes: &[FileChange],
    options: &LineOptions,
    out: &mut dyn Write,
) -> Result<(), PatchError> {
    for change in changes {
        // What became something else is told as gone and new.
        let parts = match (&change.before, &change.after) {
            (Some(before), Some(after)) if kind(before.mode) != kind(after.mode) => vec![
                FileChange {
                    after: None,
                    ..change.clone()
                },
                FileChange {
                    before: None,
                    ..change.clone()
                },
            ],
            _ => vec![change.clone()],
        };
        for part in parts {
            let diff = diff_file(objects, &part, options)?;
            write_file(objects, &part, &diff, out)?;
        }
    }
    Ok(())
}

fn kind(mode: Mode) -> u32 {
    mode.bits() & 0o170_000
}

fn write_file(
    objects: &Objects,
    change: &FileChange,
    diff: &FileDiff,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (before, after) = (&change.before, &change.after);
    let side = |side: &Option<Side>| {
        side.as_ref()
            .map_or(change.path(), |side| &side.path)
            .to_vec()
    };
    let (old, new) = (quoted(b"a/", &side(before)), quoted(b"b/", &side(after)));
    put(out, &[b"diff --git ", &old, b" ", &new, b"\n"])?;
    write_modes(change, out)?;
    if change.is_same_content() {
        return Ok(());
    }
    let null = ObjectId::null(objects.hash());
    let id = |side: &Option<Side>| side.as_ref().map_or(null, |side| side.id);
    write!(out, "index {}..{}", id(before), id(after))?;
    match (before, after) {
        (Some(before), Some(after)) if before.mode == after.mode => {
            writeln!(out, " {:06o}", after.mode.bits())?;
        }
        _ => writeln!(out)?,
    }
    let name = |side: &Option<Side>, quoted: Vec<u8>| match side {
        Some(_) => quoted,
        None => b"/dev/null".to_vec(),
    };
    let (old, new) = (name(before, old), name(after, new));
    if diff.is_binary {
        return put(out, &[b"Binary files ", &old, b" and ", &new, b" differ\n"]);
    }
    if diff.hunks.is_empty() {
        return Ok(());
    }
    put(
        out,
        &[b"--- ", &old, tab(&old), b"\n+++ ", &new, tab(&new), b"\n"],
    )?;
    diff.hunks.iter().try_for_each(|hunk| write_hunk(hunk, out))
}

fn write_modes(change: &FileChange, out: &mut dyn Write) -> io::Result<()> {
    match (&change.before, &change.after) {
        (None, Some(after)) => writeln!(out, "new file mode {:06o}", after.mode.bits()),
        (Some(before), None) => writeln!(out, "deleted file mode {:06o}", before.mode.bits()),
        (Some(before), Some(after)) => {
            if before.mode != after.mode {
                writeln!(out, "old mode {:06o}", before.mode.bits())?;
                writeln!(out, "new mode {:06o}", after.mode.bits())?;
            }
            let Some(similarity) = change.similarity else {
                return Ok(());
            };
            writeln!(out, "similarity index {similarity}%")?;
            let (old, new) = (quoted(b"", &before.path), quoted(b"", &after.path));
            put(out, &[b"rename from ", &old, b"\nrename to ", &new, b"\n"])
        }
        (None, None) => Ok(()),
    }
}

fn write_hunk(hunk: &Hunk, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "@@ -{} +{} @@", span(&hunk.before), span(&hunk.after))?;
    if !hunk.section.is_empty() {
        put(out, &[b" ", &hunk.section])?;
    }
    out.write_all(b"\n")?;
    for line in &hunk.lines {
        let sign = match line.kind {
            LineKind::Context => b" ",
            LineKind::Removed => b"-",
            LineKind::Added => b"+",
        };
        put(out, &[sign, &line.text])?;
        if !line.text.ends_with(b"\n") {
            out.write_all(b"\n\\ No newline at end of file\n")?;
        }
    }
    Ok(())
}

/// `FIRST,COUNT`, or `FIRST` of a single line; nothing is after the line that it says.
fn span(range: &Range<u32>) -> String {
    match range.len() {
        0 => format!("{},0", range.start),
        1 => (range.start + 1).to_string(),
        length => format!("{},{length}", range.start + 1),
    }
}

/// A name with a space is followed by a tab, so that its end is known.
fn tab(name: &[u8]) -> &'static [u8] {
    match name.contains(&b' ') && !name.starts_with(b"\"") {
        true => b"\t",
        false => b"",
    }
}

/// A path, in quotes as those of C if it has bytes that need them.
fn quoted(prefix: &[u8], path: &[u8]) -> Vec<u8> {
    let is_plain = |byte: &u8| matches!(byte, 0x20..=0x7e) && !matches!(byte, b'"' | b'\\');
    let whole = [prefix, path].concat();
    if path.iter().all(is_plain) {
        return whole;
    }
    let mut text = vec![b'"'];
    for byte in whole {
        match byte {
            b'"' | b'\\' => text.extend([b'\\', byte]),
            b'\n' => text.extend(b"\\n"),
            b'\t' => text.extend(b"\\t"),
            b'\r' => text.extend(b"\\r"),
            byte if is_plain(&byte) => text.push(byte),
            byte => text.extend(format!("\\{byte:03o}").bytes()),
        }
    }
    text.push(b'"');
    text
}

fn put(out: &mut dyn Write, parts: &[&[u8]]) -> io::Result<()> {
    parts.iter().try_for_each(|part| out.write_all(part))
}
