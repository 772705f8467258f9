use bytes::BytesMut;
use git_id::ObjectId;

use crate::error::{ProtocolError, shown};
use crate::pkt::put_line;

/// The arguments of `ls-refs`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LsRefs {
    /// Say what annotated tags name.
    pub peel: bool,
    /// Say where symbolic refs point.
    pub symrefs: bool,
    /// Say where HEAD points even if that ref does not exist yet.
    pub unborn: bool,
    /// Sorted, none the prefix of another; empty for all refs.
    prefixes: Vec<String>,
}

impl LsRefs {
    /// Whether the client asked for this ref.
    pub fn matches(&self, name: &str) -> bool {
        if self.prefixes.is_empty() {
            return true;
        }
        // No prefix is the prefix of another, so only the greatest one that is
        // not above the name can be the name's.
        let after = self
            .prefixes
            .partition_point(|prefix| prefix.as_str() <= name);
        after > 0 && name.starts_with(&self.prefixes[after - 1])
    }
}

/// Above so many prefixes all refs are listed, as git does: the client filters.
const MAX_PREFIXES: usize = 65_536;

#[derive(Debug, Default)]
pub(super) struct LsRefsLines {
    arguments: LsRefs,
    too_many: bool,
}

impl LsRefsLines {
    pub(super) fn take(&mut self, line: &[u8]) -> Result<(), ProtocolError> {
        match line {
            b"peel" => self.arguments.peel = true,
            b"symrefs" => self.arguments.symrefs = true,
            b"unborn" => self.arguments.unborn = true,
            _ => match line.strip_prefix(b"ref-prefix ") {
                Some(prefix) => self.prefix(prefix),
                None => return Err(ProtocolError::UnexpectedLine { line: shown(line) }),
            },
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> LsRefs {
        let prefixes = &mut self.arguments.prefixes;
        prefixes.sort_unstable();
        prefixes.dedup_by(|longer, kept| longer.starts_with(kept.as_str()));
        if self.too_many || prefixes.first().is_some_and(String::is_empty) {
            prefixes.clear();
        }
        self.arguments
    }

    fn prefix(&mut self, prefix: &[u8]) {
        if self.arguments.prefixes.len() == MAX_PREFIXES {
            self.too_many = true;
        } else {
            // Every name here is UTF-8: a replacement character matches none.
            self.arguments
                .prefixes
                .push(String::from_utf8_lossy(prefix).into_owned());
        }
    }
}

/// One ref of the answer.
#[derive(Clone, Copy, Debug)]
pub struct RefLine<'a> {
    /// The full name, or `HEAD`.
    pub name: &'a str,
    /// What it names.
    pub id: &'a ObjectId,
    /// Where it points, for a symbolic ref.
    pub symref_target: Option<&'a str>,
    /// What the annotated tag names, if `id` is one.
    pub peeled: Option<&'a ObjectId>,
}

/// Appends a ref with what the client asked for. A flush packet ends the list.
pub fn put_ref(out: &mut BytesMut, arguments: &LsRefs, line: RefLine<'_>) {
    let symref = line.symref_target.filter(|_| arguments.symrefs);
    let peeled = line.peeled.filter(|_| arguments.peel);
    let (id, name) = (line.id, line.name);
    match (symref, peeled) {
        (None, None) => put_line(out, format_args!("{id} {name}\n")),
        (Some(target), None) => put_line(out, format_args!("{id} {name} symref-target:{target}\n")),
        (None, Some(peeled)) => put_line(out, format_args!("{id} {name} peeled:{peeled}\n")),
        (Some(target), Some(peeled)) => {
            put_line(
                out,
                format_args!("{id} {name} symref-target:{target} peeled:{peeled}\n"),
            );
        }
    }
}

/// Appends the line for a HEAD that points to a ref not there yet, if the
/// client asked for it.
pub fn put_unborn_head(out: &mut BytesMut, arguments: &LsRefs, target: &str) {
    if arguments.unborn && arguments.symrefs {
        put_line(out, format_args!("unborn HEAD symref-target:{target}\n"));
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use git_id::ObjectId;
    use proptest::collection::vec;
    use proptest::prelude::proptest;

    use super::{LsRefs, LsRefsLines, RefLine, put_ref, put_unborn_head};

    proptest! {
        #[test]
        fn matching_agrees_with_trying_every_prefix(prefixes in vec("[ab/]{0,4}", 0..6), name in "[ab/]{0,6}") {
            let mut lines = LsRefsLines::default();
            for prefix in &prefixes {
                lines.take(format!("ref-prefix {prefix}").as_bytes()).unwrap();
            }
            let expected = prefixes.is_empty() || prefixes.iter().any(|prefix| name.starts_with(prefix));
            assert_eq!(lines.finish().matches(&name), expected);
        }
    }

    #[test]
    fn attributes_are_said_when_asked_for() {
        let id = ObjectId::from_bytes(&[0x11; 20]).unwrap();
        let line = RefLine {
            name: "HEAD",
            id: &id,
            symref_target: Some("refs/heads/m"),
            peeled: Some(&id),
        };
        let hex = "1".repeat(40);
        let both = format!("{hex} HEAD symref-target:refs/heads/m peeled:{hex}\n");
        let cases = [
            (false, false, format!("{hex} HEAD\n")),
            (
                true,
                false,
                format!("{hex} HEAD symref-target:refs/heads/m\n"),
            ),
            (false, true, format!("{hex} HEAD peeled:{hex}\n")),
            (true, true, both),
        ];
        for (symrefs, peel, expected) in cases {
            let mut out = BytesMut::new();
            put_ref(
                &mut out,
                &LsRefs {
                    peel,
                    symrefs,
                    ..LsRefs::default()
                },
                line,
            );
            assert_eq!(out[4..], *expected.as_bytes());
        }
        let mut out = BytesMut::new();
        put_unborn_head(
            &mut out,
            &LsRefs {
                unborn: true,
                ..LsRefs::default()
            },
            "refs/heads/m",
        );
        assert!(out.is_empty());
        let asked = LsRefs {
            unborn: true,
            symrefs: true,
            ..LsRefs::default()
        };
        put_unborn_head(&mut out, &asked, "refs/heads/m");
        assert_eq!(out[4..], *b"unborn HEAD symref-target:refs/heads/m\n");
    }
}
