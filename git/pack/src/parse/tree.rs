use std::cmp::Ordering;

use git_id::{HashKind, ObjectId};

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    /// The file mode as git stores it: 0o40000 for a directory, 0o100644, 0o100755,
    /// 0o120000 for a symbolic link, 0o160000 for a submodule.
    pub mode: u32,
    /// The name, in whatever encoding it was written.
    pub name: Vec<u8>,
    /// The object; of another repository for a submodule.
    pub id: ObjectId,
}

/// What a tree entry leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    Tree,
    /// A file or a symbolic link.
    Blob,
    /// A commit of another repository.
    Submodule,
}

/// An entry, borrowed from the tree's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawEntry<'a> {
    /// The file mode as git stores it.
    pub mode: u32,
    /// The name.
    pub name: &'a [u8],
    /// The bytes of the object's id.
    pub id: &'a [u8],
    /// All of the entry.
    pub(crate) raw: &'a [u8],
}

impl RawEntry<'_> {
    /// As git canonicalises modes: what is neither a directory, file nor link is
    /// a submodule.
    pub(crate) const fn kind(&self) -> EntryKind {
        match self.mode & 0o170_000 {
            0o040_000 => EntryKind::Tree,
            0o100_000 | 0o120_000 => EntryKind::Blob,
            _ => EntryKind::Submodule,
        }
    }

    /// The object; of another repository for a submodule.
    pub fn object_id(&self) -> ObjectId {
        ObjectId::from_bytes(self.id).expect("an entry's id has the length of the repository's ids")
    }
}

/// The entries of a tree in their order; ends with an error at the first that is
/// malformed.
#[derive(Clone)]
pub struct RawEntries<'a> {
    rest: &'a [u8],
    id_length: usize,
}

/// A tree that git could not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedTree;

impl<'a> RawEntries<'a> {
    /// The entries of a tree's content.
    pub const fn new(data: &'a [u8], hash: HashKind) -> Self {
        Self {
            rest: data,
            id_length: hash.len_bytes(),
        }
    }

    fn parse(&mut self) -> Option<RawEntry<'a>> {
        let (mode, at) = parse_mode(self.rest)?;
        let length = find_nul(&self.rest[at..])?;
        let (raw, rest) = self
            .rest
            .split_at_checked(at + length + 1 + self.id_length)?;
        if length == 0 {
            return None;
        }
        self.rest = rest;
        let (name, id) = (&raw[at..at + length], &raw[at + length + 1..]);
        Some(RawEntry {
            mode,
            name,
            id,
            raw,
        })
    }

    /// Passes over the next entry if its bytes are exactly these.
    pub(crate) fn pass_over(&mut self, raw: &[u8]) -> bool {
        self.rest
            .strip_prefix(raw)
            .inspect(|rest| self.rest = rest)
            .is_some()
    }
}

/// The mode at the beginning of an entry, and where the name begins.
fn parse_mode(entry: &[u8]) -> Option<(u32, usize)> {
    if entry.starts_with(b"100644 ") {
        return Some((0o100_644, 7));
    }
    if entry.starts_with(b"40000 ") {
        return Some((0o040_000, 6));
    }
    let mut mode = 0u32;
    for (at, digit) in entry.iter().enumerate() {
        match digit {
            b'0'..=b'7' => mode = (mode << 3 | u32::from(digit - b'0')) & 0xffff,
            b' ' if at > 0 => return Some((mode, at + 1)),
            _ => return None,
        }
    }
    None
}

/// The place of the first NUL, eight bytes at a time.
fn find_nul(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let zeroes = word.wrapping_sub(ONES) & !word & (ONES << 7);
        if zeroes != 0 {
            return Some(at * 8 + zeroes.trailing_zeros() as usize / 8);
        }
    }
    rest.iter()
        .position(|byte| *byte == 0)
        .map(|at| words.len() * 8 + at)
}

impl<'a> Iterator for RawEntries<'a> {
    type Item = Result<RawEntry<'a>, MalformedTree>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = self.parse();
        if entry.is_none() {
            self.rest = &[];
        }
        Some(entry.ok_or(MalformedTree))
    }
}

/// Git's order of entries: by name, a directory's followed by a slash.
pub(crate) fn entry_order(a: &RawEntry<'_>, b: &RawEntry<'_>) -> Ordering {
    let common = a.name.len().min(b.name.len());
    let next = |entry: &RawEntry<'_>| match entry.name.get(common) {
        Some(byte) => *byte,
        None if entry.kind() == EntryKind::Tree => b'/',
        None => 0,
    };
    a.name[..common]
        .cmp(&b.name[..common])
        .then_with(|| next(a).cmp(&next(b)))
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use git_id::HashKind;
    use proptest::prelude::proptest;

    use super::{EntryKind, RawEntries, RawEntry, entry_order, find_nul};

    fn tree(entries: &[(&str, &str)]) -> Vec<u8> {
        let mut data = Vec::new();
        for (mode, name) in entries {
            data.extend_from_slice(format!("{mode} {name}\0").as_bytes());
            data.extend_from_slice(&[7; 20]);
        }
        data
    }

    #[test]
    fn entries_are_read_in_order_with_their_kinds() {
        let data = tree(&[
            ("100644", "a"),
            ("40000", "b"),
            ("120000", "c"),
            ("160000", "d"),
        ]);
        let kinds: Vec<_> = RawEntries::new(&data, HashKind::Sha1)
            .map(|entry| entry.unwrap().kind())
            .collect();
        assert_eq!(
            kinds,
            [
                EntryKind::Blob,
                EntryKind::Tree,
                EntryKind::Blob,
                EntryKind::Submodule
            ]
        );
    }

    #[test]
    fn a_malformed_entry_ends_the_tree_with_an_error() {
        let whole = tree(&[("100644", "a")]);
        for (what, data) in [
            ("cut off", whole[..20].to_vec()),
            ("no name", tree(&[("100644", "")])),
            ("no mode", tree(&[("", "a")])),
            ("bad digit", tree(&[("10a644", "a")])),
        ] {
            let results: Vec<_> = RawEntries::new(&data, HashKind::Sha1).collect();
            assert_eq!(results.len(), 1, "{what}");
            assert!(results[0].is_err(), "{what}");
        }
    }

    #[test]
    fn directories_sort_as_if_they_ended_in_a_slash() {
        let entry = |mode, name| RawEntry {
            mode,
            name,
            id: &[],
            raw: &[],
        };
        let (file, directory, dotted) = (
            entry(0o100644, b"foo"),
            entry(0o40000, b"foo"),
            entry(0o100644, b"foo.c"),
        );
        assert_eq!(entry_order(&file, &dotted), Ordering::Less);
        assert_eq!(entry_order(&directory, &dotted), Ordering::Greater);
        assert_eq!(entry_order(&file, &file), Ordering::Equal);
    }

    proptest! {
        #[test]
        fn the_first_nul_is_found(bytes in proptest::collection::vec(0u8..3, 0..40), high: u8) {
            let bytes: Vec<u8> = bytes.iter().map(|byte| byte.wrapping_mul(high | 1)).collect();
            assert_eq!(find_nul(&bytes), bytes.iter().position(|byte| *byte == 0));
        }

        #[test]
        fn no_bytes_make_it_panic(data: Vec<u8>) {
            for entry in RawEntries::new(&data, HashKind::Sha256) {
                let _ = entry;
            }
        }
    }
}
