use std::sync::LazyLock;

use super::Attribute;
use super::glob::Glob;

/// The longest line that counts, as in git.
const LINE_BYTES: usize = 2048;

/// The most macros of a repository; further ones are passed over.
const MACROS: usize = 256;

/// What one file says.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// The directory of the file, with a slash at the end unless it is the root.
    directory: Vec<u8>,
    lines: Vec<Line>,
    /// Names that stand for several attributes.
    pub(super) macros: Vec<(Vec<u8>, Vec<Assignment>)>,
}

#[derive(Debug)]
struct Line {
    glob: Glob,
    only_directories: bool,
    assignments: Vec<Assignment>,
}

/// An attribute and what it is.
#[derive(Clone, Debug)]
pub(super) struct Assignment {
    pub(super) name: Vec<u8>,
    pub(super) value: Attribute,
}

/// What the macro that git knows by itself stands for.
pub(super) fn binary() -> &'static [Assignment] {
    static BINARY: LazyLock<Vec<Assignment>> = LazyLock::new(|| assignments(b"-diff -merge -text"));
    &BINARY
}

impl Rules {
    /// Reads a file; lines that git would not accept are passed over.
    pub(super) fn parse(directory: &[u8], text: &[u8], may_define: bool) -> Self {
        let mut rules = Self {
            directory: directory.to_vec(),
            ..Self::default()
        };
        for line in text.split(|byte| *byte == b'\n') {
            let line = line.trim_ascii();
            if line.is_empty() || line[0] == b'#' || line.len() > LINE_BYTES {
                continue;
            }
            let Some((pattern, rest)) = first_word(line) else {
                continue;
            };
            if let Some(name) = pattern.strip_prefix(b"[attr]") {
                if may_define && !name.is_empty() && rules.macros.len() < MACROS {
                    rules.macros.push((name.to_vec(), assignments(rest)));
                }
                continue;
            }
            // A pattern that excludes has no meaning for attributes.
            if pattern.starts_with(b"!") {
                continue;
            }
            let directory = pattern.strip_suffix(b"/");
            rules.lines.push(Line {
                glob: Glob::new(directory.unwrap_or(&pattern)),
                only_directories: directory.is_some(),
                assignments: assignments(rest),
            });
        }
        rules
    }

    /// What is said of a path, what counts more first.
    pub(super) fn matching<'a>(
        &'a self,
        path: &'a [u8],
        is_directory: bool,
    ) -> impl Iterator<Item = &'a [Assignment]> {
        let below = path.strip_prefix(self.directory.as_slice());
        let lines = self.lines.iter().rev().filter(move |line| {
            (is_directory || !line.only_directories)
                && below.is_some_and(|path| line.glob.matches(path))
        });
        lines.map(|line| line.assignments.as_slice())
    }
}

/// The pattern of a line, which may be in quotes, and the rest.
fn first_word(line: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let Some(quoted) = line.strip_prefix(b"\"") else {
        let end = line.iter().position(u8::is_ascii_whitespace);
        let (word, rest) = line.split_at(end.unwrap_or(line.len()));
        return Some((word.to_vec(), rest));
    };
    let mut word = Vec::new();
    let mut at = 0;
    loop {
        match *quoted.get(at)? {
            b'"' => return Some((word, &quoted[at + 1..])),
            b'\\' => {
                at += 1;
                let escaped = *quoted.get(at)?;
                word.push(match escaped {
                    b'a' => 7,
                    b'b' => 8,
                    b'f' => 12,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'v' => 11,
                    b'0'..=b'3' => {
                        let digits = std::str::from_utf8(quoted.get(at..at + 3)?).ok()?;
                        at += 2;
                        u8::from_str_radix(digits, 8).ok()?
                    }
                    byte => byte,
                });
            }
            byte => word.push(byte),
        }
        at += 1;
    }
}

fn assignments(text: &[u8]) -> Vec<Assignment> {
    let words = text.split(u8::is_ascii_whitespace);
    let words = words.filter(|word| !word.is_empty());
    words
        .map(|word| match word {
            [b'-', name @ ..] => (name, Attribute::Unset),
            [b'!', name @ ..] => (name, Attribute::Unspecified),
            word => match word.iter().position(|byte| *byte == b'=') {
                Some(at) => (&word[..at], Attribute::Value(word[at + 1..].to_vec())),
                None => (word, Attribute::Set),
            },
        })
        .map(|(name, value)| Assignment {
            name: name.to_vec(),
            value,
        })
        .collect()
}
