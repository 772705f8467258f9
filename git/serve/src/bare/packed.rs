//! The `packed-refs` file: many refs in one, sorted, with what tags name.

use std::io;
use std::path::Path;

use git_id::{HashKind, ObjectId, RefName};

/// One ref of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PackedRef {
    pub(super) name: RefName,
    pub(super) id: ObjectId,
    pub(super) peeled: Peeled,
}

/// What is known of what a ref's object, if it is a tag, names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peeled {
    Unknown,
    Known(Option<ObjectId>),
}

/// Reads the file, sorted by name; none is like an empty one. Lines that are no
/// refs with names that this program accepts are passed over.
pub(super) fn read(directory: &Path, hash: HashKind) -> io::Result<Vec<PackedRef>> {
    match std::fs::read(directory.join("packed-refs")) {
        Ok(bytes) => Ok(parse(&bytes, hash)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn parse(bytes: &[u8], hash: HashKind) -> Vec<PackedRef> {
    let mut refs: Vec<PackedRef> = Vec::new();
    let (mut fully_peeled, mut tags_peeled) = (false, false);
    let mut take_peeled = false;
    for line in bytes.split(|&byte| byte == b'\n') {
        if let Some(header) = line.strip_prefix(b"# pack-refs with:") {
            let has = |word: &[u8]| {
                header
                    .split(|&byte| byte == b' ')
                    .any(|found| found == word)
            };
            (fully_peeled, tags_peeled) = (has(b"fully-peeled"), has(b"peeled"));
        } else if let Some(hex) = line.strip_prefix(b"^") {
            if let (true, Some(last), Ok(id)) =
                (take_peeled, refs.last_mut(), ObjectId::from_hex(hex))
            {
                last.peeled = Peeled::Known(Some(id));
            }
            take_peeled = false;
        } else {
            take_peeled = false;
            let Some((id, name)) = parse_ref(line, hash) else {
                continue;
            };
            let known = fully_peeled || (tags_peeled && name.as_tag().is_some());
            let peeled = if known {
                Peeled::Known(None)
            } else {
                Peeled::Unknown
            };
            refs.push(PackedRef { name, id, peeled });
            take_peeled = true;
        }
    }
    refs.sort_by(|a, b| a.name.cmp(&b.name));
    refs.dedup_by(|later, earlier| later.name == earlier.name);
    refs
}

fn parse_ref(line: &[u8], hash: HashKind) -> Option<(ObjectId, RefName)> {
    let (hex, name) = line.split_at_checked(hash.len_hex())?;
    let id = ObjectId::from_hex(hex).ok()?;
    Some((id, RefName::from_bytes(name.strip_prefix(b" ")?).ok()?))
}

/// The file's text; every ref must be peeled.
pub(super) fn render(refs: &[PackedRef]) -> String {
    let mut text = String::from("# pack-refs with: peeled fully-peeled sorted \n");
    for packed in refs {
        text.push_str(&format!("{} {}\n", packed.id, packed.name));
        if let Peeled::Known(Some(peeled)) = packed.peeled {
            text.push_str(&format!("^{peeled}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use git_id::{HashKind, ObjectId, RefName};
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    use super::{PackedRef, Peeled, parse, render};

    fn id(byte: u8) -> ObjectId {
        ObjectId::from_bytes(&[byte; 20]).unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        let tag = RefName::tag("v1").unwrap();
        let refs = vec![
            PackedRef {
                name: RefName::branch("a").unwrap(),
                id: id(1),
                peeled: Peeled::Known(None),
            },
            PackedRef {
                name: tag,
                id: id(2),
                peeled: Peeled::Known(Some(id(3))),
            },
        ];
        assert_eq!(parse(render(&refs).as_bytes(), HashKind::Sha1), refs);
    }

    #[test]
    fn old_headers_leave_peeling_open_and_bad_lines_are_passed_over() {
        let (one, two) = (id(1), id(2));
        let text = format!(
            "# pack-refs with: peeled \n{one} refs/tags/t\n^{two}\n{one} refs/heads/a\nrubbish\n\
             {one} refs/heads/..\n^{two}\n"
        );
        let refs = parse(text.as_bytes(), HashKind::Sha1);
        let found: Vec<_> = refs
            .iter()
            .map(|found| (found.name.as_str(), found.peeled))
            .collect();
        let expected = [
            ("refs/heads/a", Peeled::Unknown),
            ("refs/tags/t", Peeled::Known(Some(two))),
        ];
        assert_eq!(found, expected);
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_panic(bytes in vec(any::<u8>(), 0..200)) {
            parse(&bytes, HashKind::Sha256);
        }
    }
}
