//! Names that some file system takes for `.git`, `.gitmodules` or
//! `.gitattributes`: HFS+ ignores certain characters and folds case, NTFS folds
//! case, has short names and streams, and drops trailing dots and spaces.

/// What a name may be taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DotName {
    Git,
    Modules,
    Attributes,
}

/// What `name` is on some file system.
pub(super) fn dot_name(name: &[u8]) -> Option<DotName> {
    if is_hfs(name, "git") || is_ntfs_dotgit(name) {
        Some(DotName::Git)
    } else if is_hfs(name, "gitmodules") || is_ntfs_dotgitmodules(name) {
        Some(DotName::Modules)
    } else if is_hfs(name, "gitattributes") || is_ntfs(name, b"gitattributes", b"gi7d29") {
        Some(DotName::Attributes)
    } else {
        None
    }
}

/// Takes the next character that HFS+ does not ignore. The end, and what is no
/// UTF-8, is `None`.
fn next_hfs(rest: &mut &[u8]) -> Option<char> {
    loop {
        let length = match rest.first()? {
            0..=0x7f => 1,
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            _ => 4,
        };
        let (bytes, tail) = rest.split_at_checked(length)?;
        let character = std::str::from_utf8(bytes).ok()?.chars().next()?;
        *rest = tail;
        match character {
            '\u{200c}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{206a}'..='\u{206f}'
            | '\u{feff}' => {}
            '\u{fffe}' | '\u{ffff}' => return None,
            character => return Some(character),
        }
    }
}

/// Whether HFS+ takes `name` for a dot followed by `wanted`.
fn is_hfs(name: &[u8], wanted: &str) -> bool {
    let mut rest = name;
    if next_hfs(&mut rest) != Some('.') {
        return false;
    }
    let matches = wanted
        .chars()
        .all(|letter| next_hfs(&mut rest).is_some_and(|c| c.to_ascii_lowercase() == letter));
    matches && matches!(next_hfs(&mut rest), None | Some('/'))
}

/// Whether NTFS takes `name`, or its part before a separator, for `.git`.
pub(super) fn is_ntfs_dotgit(name: &[u8]) -> bool {
    let starts = |prefix: &[u8]| {
        name.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let rest = if starts(b".git") {
        &name[4..]
    } else if starts(b"git~1") {
        &name[5..]
    } else {
        return false;
    };
    let end = rest.iter().find(|byte| !matches!(byte, b'.' | b' '));
    matches!(end, None | Some(b'/' | b'\\' | b':'))
}

/// Whether NTFS takes `name` for `.gitmodules`.
pub(super) fn is_ntfs_dotgitmodules(name: &[u8]) -> bool {
    is_ntfs(name, b"gitmodules", b"gi7eba")
}

/// Whether NTFS takes `name` for a dot followed by `wanted`: written out, as its
/// usual short name, or as the short name made from a hash.
fn is_ntfs(name: &[u8], wanted: &[u8], hashed: &[u8; 6]) -> bool {
    let starts = |name: &[u8], prefix: &[u8]| {
        name.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    if name.first() == Some(&b'.') && starts(&name[1..], wanted) {
        return only_padding(&name[1 + wanted.len()..]);
    }
    if starts(name, &wanted[..6])
        && name.get(6) == Some(&b'~')
        && matches!(name.get(7), Some(b'1'..=b'4'))
    {
        return only_padding(&name[8..]);
    }
    is_hashed_short_name(name, hashed) && only_padding(&name[8..])
}

/// Whether the first eight bytes are a beginning of `hashed`, a tilde, and digits of which
/// the first is not 0.
fn is_hashed_short_name(name: &[u8], hashed: &[u8; 6]) -> bool {
    let Some(short) = name.get(..8) else {
        return false;
    };
    let letters = short
        .iter()
        .zip(hashed)
        .take_while(|(a, b)| a.eq_ignore_ascii_case(b))
        .count();
    match &short[letters..] {
        [b'~', b'1'..=b'9', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// Whether NTFS ignores all that is left: dots and spaces, then perhaps a stream.
fn only_padding(rest: &[u8]) -> bool {
    matches!(
        rest.iter().find(|byte| !matches!(byte, b'.' | b' ')),
        None | Some(b':')
    )
}

#[cfg(test)]
mod tests {
    use super::{DotName, dot_name};

    #[test]
    fn disguises_are_seen_through() {
        for (name, expected) in [
            (".git", Some(DotName::Git)),
            (".GiT", Some(DotName::Git)),
            (".g\u{200c}it", Some(DotName::Git)),
            ("\u{feff}.git", Some(DotName::Git)),
            ("git~1", Some(DotName::Git)),
            (".git. .", Some(DotName::Git)),
            (".git::$INDEX_ALLOCATION", Some(DotName::Git)),
            (".git\\x", Some(DotName::Git)),
            (".gitmodules", Some(DotName::Modules)),
            (".Gitmodules .:x", Some(DotName::Modules)),
            ("GITMOD~1", Some(DotName::Modules)),
            ("gi7eba~1", Some(DotName::Modules)),
            ("gi7~1234", Some(DotName::Modules)),
            ("~1000000", Some(DotName::Modules)),
            (".gitattributes", Some(DotName::Attributes)),
            ("gitatt~4", Some(DotName::Attributes)),
            (".gitx", None),
            ("git~2", None),
            (".gitignore", None),
            ("gitmod~5", None),
            ("gi7eba~0", None),
            ("gi7~123", None),
            ("git", None),
            ("", None),
        ] {
            assert_eq!(dot_name(name.as_bytes()), expected, "{name:?}");
        }
        assert_eq!(
            dot_name(b".git\xff"),
            Some(DotName::Git),
            "what is no character ends the name"
        );
    }
}
