use git_id::{HashKind, ObjectId};

use super::dot_names::{DotName, dot_name, is_ntfs_dotgit, is_ntfs_dotgitmodules};
use super::{FsckProblem, SpecialFile};
use crate::parse::{EntryKind, RawEntries, RawEntry};

/// The longest name of an entry, git's default.
const MAX_NAME_BYTES: usize = 4096;

/// Checks a tree. All entries are read before the verdict, which is the first
/// of git's list that applies.
pub(super) fn check_tree(
    data: &[u8],
    hash: HashKind,
    special: &mut dyn FnMut(SpecialFile, ObjectId),
) -> Result<(), FsckProblem> {
    let mut seen = Seen::default();
    let mut previous: Option<RawEntry<'_>> = None;
    let mut candidates = Vec::new();
    let mut start = 0;
    for entry in RawEntries::new(data, hash) {
        let Ok(entry) = entry else {
            return Err(FsckProblem::BadTree);
        };
        seen.zero_padded |= data[start] == b'0';
        let mode_length = data[start..]
            .iter()
            .position(|byte| *byte == b' ')
            .unwrap_or(0);
        start += mode_length + 2 + entry.name.len() + entry.id.len();
        seen.look(&entry, special);
        if let Some(previous) = &previous {
            match order(previous, &entry, &mut candidates) {
                Order::Sorted => {}
                Order::Unsorted => seen.unsorted = true,
                Order::Duplicate => seen.duplicate = true,
            }
        }
        previous = Some(entry);
    }
    seen.verdict()
}

#[derive(Default)]
struct Seen {
    symlinked_modules: bool,
    null_id: bool,
    full_path: bool,
    dot: bool,
    dotdot: bool,
    dotgit: bool,
    zero_padded: bool,
    duplicate: bool,
    unsorted: bool,
    large_name: bool,
}

impl Seen {
    fn look(&mut self, entry: &RawEntry<'_>, special: &mut dyn FnMut(SpecialFile, ObjectId)) {
        self.null_id |= entry.id.iter().all(|byte| *byte == 0);
        self.large_name |= entry.name.len() > MAX_NAME_BYTES;
        let mut marks = entry
            .name
            .iter()
            .fold(0, |marks, byte| marks | MARKS[usize::from(*byte)]);
        // A dot, or the beginning of a character that HFS+ ignores.
        if matches!(entry.name[0], b'.' | 0xe2 | 0xef) {
            marks |= UNUSUAL;
        }
        if marks == 0 {
            return;
        }
        self.full_path |= marks & SLASH != 0;
        self.dot |= entry.name == b".";
        self.dotdot |= entry.name == b"..";
        match dot_name(entry.name) {
            Some(DotName::Git) => self.dotgit = true,
            Some(DotName::Modules) => self.modules(entry, special),
            Some(DotName::Attributes) if entry.mode & 0o170_000 != 0o120_000 => {
                special(SpecialFile::Attributes, entry.object_id());
            }
            Some(DotName::Attributes) | None => {}
        }
        if marks & BACKSLASH != 0 {
            let starts = (0..entry.name.len()).filter(|at| entry.name[*at] == b'\\');
            for start in starts.map(|at| at + 1) {
                self.dotgit |= is_ntfs_dotgit(&entry.name[start..]);
                if is_ntfs_dotgitmodules(&entry.name[start..]) {
                    self.modules(entry, special);
                }
            }
        }
    }

    fn modules(&mut self, entry: &RawEntry<'_>, special: &mut dyn FnMut(SpecialFile, ObjectId)) {
        if entry.mode & 0o170_000 == 0o120_000 {
            self.symlinked_modules = true;
        } else {
            special(SpecialFile::Modules, entry.object_id());
        }
    }

    fn verdict(&self) -> Result<(), FsckProblem> {
        let findings = [
            (self.symlinked_modules, FsckProblem::GitmodulesSymlink),
            (self.null_id, FsckProblem::NullSha1),
            (self.full_path, FsckProblem::FullPathname),
            (self.dot, FsckProblem::HasDot),
            (self.dotdot, FsckProblem::HasDotdot),
            (self.dotgit, FsckProblem::HasDotgit),
            (self.zero_padded, FsckProblem::ZeroPaddedFilemode),
            (self.duplicate, FsckProblem::DuplicateEntries),
            (self.unsorted, FsckProblem::TreeNotSorted),
            (self.large_name, FsckProblem::LargePathname),
        ];
        findings
            .into_iter()
            .find(|(found, _)| *found)
            .map_or(Ok(()), |(_, problem)| Err(problem))
    }
}

const SLASH: u8 = 1;
const BACKSLASH: u8 = 2;
/// The name may be read as a special one by some file system.
const UNUSUAL: u8 = 4;

const MARKS: [u8; 256] = {
    let mut marks = [0; 256];
    marks[b'/' as usize] = SLASH;
    marks[b'\\' as usize] = BACKSLASH;
    marks[b'~' as usize] = UNUSUAL;
    marks
};

enum Order {
    Sorted,
    Unsorted,
    Duplicate,
}

/// Judges two entries that follow each other. Names may also be duplicates
/// without being neighbours, since a directory sorts as if it ended in a slash:
/// `candidates` holds the files that a later directory may still coincide with.
fn order<'a>(first: &RawEntry<'a>, second: &RawEntry<'a>, candidates: &mut Vec<&'a [u8]>) -> Order {
    let common = first.name.len().min(second.name.len());
    match first.name[..common].cmp(&second.name[..common]) {
        std::cmp::Ordering::Less => return Order::Sorted,
        std::cmp::Ordering::Greater => return Order::Unsorted,
        std::cmp::Ordering::Equal => {}
    }
    if first.name.len() == second.name.len() {
        return Order::Duplicate;
    }
    let next = |entry: &RawEntry<'_>| match entry.name.get(common) {
        Some(byte) => *byte,
        None if entry.kind() == EntryKind::Tree => b'/',
        None => 0,
    };
    let (one, two) = (next(first), next(second));
    let below_slash = |byte: u8| 0 < byte && byte < b'/';
    if one == 0 && below_slash(two) {
        candidates.push(first.name);
    } else if two == b'/' && below_slash(one) {
        while let Some(file) = candidates.pop() {
            match second.name.strip_prefix(file) {
                None => {}
                Some([]) => return Order::Duplicate,
                Some([byte, ..]) if below_slash(*byte) => {
                    candidates.push(file);
                    break;
                }
                Some(_) => {}
            }
        }
    }
    if one < two {
        Order::Sorted
    } else {
        Order::Unsorted
    }
}
