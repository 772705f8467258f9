//! Which lines, or words, of one text became which of another.

use std::borrow::Cow;
use std::ops::Range;

use imara_diff::{Algorithm, Diff, InternedInput};

/// When two lines count as the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Whitespace {
    /// If they are.
    #[default]
    Exact,
    /// Also if only the amount of white space differs, or that at their ends: `git diff -b`.
    IgnoreAmount,
    /// Also if only white space differs: `git diff -w`.
    IgnoreAll,
}

/// A range of one text that became a range of the other, where one of the two may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// In the text before.
    pub before: Range<u32>,
    /// In the text after.
    pub after: Range<u32>,
}

/// The lines of a text, each with the line feed at its end.
pub(crate) fn split_lines(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').collect()
}

/// What changed between two lists of lines, by Myers' algorithm as git uses it.
pub(crate) fn line_changes(
    before: &[&[u8]],
    after: &[&[u8]],
    whitespace: Whitespace,
) -> Vec<Change> {
    let mut input = InternedInput::default();
    input.update_before(before.iter().map(|line| Line(normal(line, whitespace))));
    input.update_after(after.iter().map(|line| Line(normal(line, whitespace))));
    let mut diff = Diff::compute(Algorithm::Myers, &input);
    diff.postprocess_lines(&input);
    changes(&diff)
}

/// A line in the form in which it is compared.
#[derive(Default, PartialEq, Eq, Hash)]
struct Line<'a>(Cow<'a, [u8]>);

impl AsRef<[u8]> for Line<'_> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn normal(line: &[u8], whitespace: Whitespace) -> Cow<'_, [u8]> {
    match whitespace {
        Whitespace::Exact => Cow::Borrowed(line),
        Whitespace::IgnoreAll => line
            .iter()
            .copied()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect(),
        Whitespace::IgnoreAmount => {
            let mut text = Vec::with_capacity(line.len());
            for byte in line.trim_ascii_end() {
                match byte.is_ascii_whitespace() {
                    true if text.last() == Some(&b' ') => {}
                    true => text.push(b' '),
                    false => text.push(*byte),
                }
            }
            Cow::Owned(text)
        }
    }
}

fn changes(diff: &Diff) -> Vec<Change> {
    let change = |hunk: imara_diff::Hunk| Change {
        before: hunk.before,
        after: hunk.after,
    };
    diff.hunks().map(change).collect()
}

/// What changed between two texts word by word, as ranges of bytes. A word is a run of letters, digits
/// and underscores or of white space, or any other byte; bytes beyond ASCII count as letters.
pub fn word_changes(before: &[u8], after: &[u8]) -> Vec<Change> {
    let (old, new) = (split_words(before), split_words(after));
    let mut input = InternedInput::default();
    input.update_before(old.iter().copied());
    input.update_after(new.iter().copied());
    let mut diff = Diff::compute(Algorithm::Myers, &input);
    diff.postprocess_no_heuristic(&input);
    let (old, new) = (ends(&old), ends(&new));
    let place =
        |ends: &[u32], range: Range<u32>| ends[range.start as usize]..ends[range.end as usize];
    let changes = changes(&diff).into_iter();
    changes
        .map(|change| Change {
            before: place(&old, change.before),
            after: place(&new, change.after),
        })
        .collect()
}

fn split_words(text: &[u8]) -> Vec<&[u8]> {
    let class = |byte: u8| match byte {
        b'_' | 0x80.. => 1,
        _ if byte.is_ascii_alphanumeric() => 1,
        _ if byte.is_ascii_whitespace() => 2,
        _ => 3,
    };
    text.chunk_by(|one, next| class(*one) == class(*next) && class(*one) != 3)
        .collect()
}

/// Where each word begins, and where the last one ends.
fn ends(words: &[&[u8]]) -> Vec<u32> {
    let mut at = 0;
    let ends = words.iter().map(|word| {
        at += word.len() as u32;
        at
    });
    [0].into_iter().chain(ends).collect()
}

#[cfg(test)]
mod tests {
    use super::{Whitespace, line_changes, split_lines, word_changes};

    #[test]
    fn white_space_is_ignored_as_asked() {
        let before = split_lines(b"a  b\nc d\ne");
        let after = split_lines(b"a b \ncd\ne\n");
        let count = |whitespace| {
            let changes = line_changes(&before, &after, whitespace);
            changes
                .iter()
                .map(|change| change.after.len())
                .sum::<usize>()
        };
        assert_eq!(count(Whitespace::Exact), 3);
        assert_eq!(count(Whitespace::IgnoreAmount), 1);
        assert_eq!(count(Whitespace::IgnoreAll), 0);
    }

    #[test]
    fn words_are_told_apart() {
        let (before, after) = (b"let one_two = 3;", b"let one = 3 + x;");
        let changes = word_changes(before, after);
        let shown: Vec<_> = changes
            .iter()
            .map(|change| {
                let old = &before[change.before.start as usize..change.before.end as usize];
                let new = &after[change.after.start as usize..change.after.end as usize];
                (old, new)
            })
            .collect();
        assert_eq!(shown, [(&b"one_two"[..], &b"one"[..]), (b"", b" + x")]);
    }
}
