use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Of a record: the file's length before, the offset, and how many bytes that
/// were there follow; three 64-bit words.
const HEADER: usize = 24;

struct Record<'a> {
    length: u64,
    offset: u64,
    bytes: &'a [u8],
}

/// Applies all undo files below `undo` to the files below `data`, and removes them.
pub(super) fn apply(undo: &Path, data: &Path) -> anyhow::Result<usize> {
    let mut files = HashMap::new();
    find_inodes(data, &mut files)?;
    let mut undone = 0;
    for entry in fs::read_dir(undo)? {
        let path = entry?.path();
        let bytes = fs::read(&path)?;
        let inode: Option<u64> = path
            .file_name()
            .and_then(|name| name.to_str()?.parse().ok());
        // A file that was removed since has nothing to be taken back.
        if let Some(file) = inode.and_then(|inode| files.get(&inode)) {
            let records = parse(&bytes);
            let file = File::options()
                .write(true)
                .open(file)
                .with_context(|| format!("open {}", file.display()))?;
            for record in records.iter().rev() {
                file.write_all_at(record.bytes, record.offset)?;
                file.set_len(record.length)?;
            }
            undone += records.len();
        }
        fs::remove_file(&path)?;
    }
    Ok(undone)
}

/// All whole records: the last may be torn by the kill, and then its write never
/// began.
fn parse(mut bytes: &[u8]) -> Vec<Record<'_>> {
    let mut records = Vec::new();
    while let Some((header, rest)) = bytes.split_at_checked(HEADER) {
        let word = |at: usize| {
            let word = header[at * 8..][..8].try_into();
            u64::from_ne_bytes(word.expect("eight bytes are eight bytes"))
        };
        let count = usize::try_from(word(2)).unwrap_or(usize::MAX);
        let Some((content, rest)) = rest.split_at_checked(count) else {
            break;
        };
        records.push(Record {
            length: word(0),
            offset: word(1),
            bytes: content,
        });
        bytes = rest;
    }
    records
}

/// All regular files below a directory, by inode.
fn find_inodes(directory: &Path, found: &mut HashMap<u64, PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            find_inodes(&entry.path(), found)?;
        } else if kind.is_file() {
            found.insert(entry.metadata()?.ino(), entry.path());
        }
    }
    Ok(())
}
