use crate::error::{ProtocolError, shown};

/// The most rules that one filter may be combined of.
const MAX_FILTER_RULES: usize = 64;

/// The deepest that combined filters may be nested.
const MAX_FILTER_NESTING: usize = 8;

/// What a partial clone leaves out (git-rev-list(1), `--filter`): an object is sent
/// if every rule lets it pass, or if the client wants it by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The rules, as the client gave them; nested combinations are taken apart.
    pub rules: Vec<FilterRule>,
}

/// One rule of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterRule {
    /// `blob:none`: no blobs.
    BlobNone,
    /// `blob:limit=N`: no blobs of N bytes or more.
    BlobLimit(u64),
    /// `tree:N`: no trees and blobs N or more steps below a commit; a commit's own tree is no
    /// step below it.
    TreeDepth(u64),
    /// `object:type=TYPE`: nothing but objects of that type, given as its name.
    ObjectType(ObjectType),
    /// `sparse:oid=BLOB`: no blobs but those that the patterns in a blob select. The text names the
    /// blob, and is not checked.
    SparseOid(String),
}

/// A type of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectType {
    /// Files' contents.
    Blob,
    /// Directories.
    Tree,
    /// Commits.
    Commit,
    /// Annotated tags.
    Tag,
}

impl FilterRule {
    /// The name under which git's configuration allows or forbids it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::BlobNone => "blob:none",
            Self::BlobLimit(_) => "blob:limit",
            Self::TreeDepth(_) => "tree",
            Self::ObjectType(_) => "object:type",
            Self::SparseOid(_) => "sparse:oid",
        }
    }
}

impl Filter {
    /// Reads a filter as it stands in a request.
    pub(crate) fn parse(spec: &[u8]) -> Result<Self, ProtocolError> {
        let invalid = || ProtocolError::InvalidFilter { spec: shown(spec) };
        let text = std::str::from_utf8(spec).map_err(|_| invalid())?;
        let mut rules = Vec::new();
        take(text, 0, &mut rules).ok_or_else(invalid)?;
        Ok(Self { rules })
    }
}

/// Adds the rules of a specification; `None` if it is not one.
fn take(spec: &str, nesting: usize, rules: &mut Vec<FilterRule>) -> Option<()> {
    if let Some(parts) = spec.strip_prefix("combine:") {
        if nesting == MAX_FILTER_NESTING {
            return None;
        }
        for part in parts.split('+') {
            take(&unescape(part)?, nesting + 1, rules)?;
        }
        return Some(());
    }
    if rules.len() == MAX_FILTER_RULES {
        return None;
    }
    rules.push(rule(spec)?);
    Some(())
}

fn rule(spec: &str) -> Option<FilterRule> {
    if spec == "blob:none" {
        return Some(FilterRule::BlobNone);
    }
    if let Some(limit) = spec.strip_prefix("blob:limit=") {
        return number(limit).map(FilterRule::BlobLimit);
    }
    if let Some(depth) = spec.strip_prefix("tree:") {
        return number(depth).map(FilterRule::TreeDepth);
    }
    if let Some(name) = spec.strip_prefix("sparse:oid=") {
        return (!name.is_empty()).then(|| FilterRule::SparseOid(name.to_owned()));
    }
    let kind = match spec.strip_prefix("object:type=")? {
        "blob" => ObjectType::Blob,
        "tree" => ObjectType::Tree,
        "commit" => ObjectType::Commit,
        "tag" => ObjectType::Tag,
        _ => return None,
    };
    Some(FilterRule::ObjectType(kind))
}

/// Digits with an optional unit of 1024, its square or its cube.
fn number(text: &str) -> Option<u64> {
    let (digits, unit) = match text.as_bytes().last()? {
        b'k' | b'K' => (&text[..text.len() - 1], 1 << 10),
        b'm' | b'M' => (&text[..text.len() - 1], 1 << 20),
        b'g' | b'G' => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| digits.parse::<u64>().ok()?.checked_mul(unit))?
}

/// A part of a combination, without its `%` escapes. What git always escapes must be.
fn unescape(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        let plain = match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            0..=b' ' | 127.. => return None,
            byte if b"~`!@#$^&*()[]{}\\;'\",<>?".contains(&byte) => return None,
            byte => byte,
        };
        bytes.push(plain);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::proptest;

    use super::FilterRule::{BlobLimit, BlobNone, ObjectType, SparseOid, TreeDepth};
    use super::{Filter, MAX_FILTER_RULES};

    fn rules(spec: &str) -> Option<Vec<super::FilterRule>> {
        Filter::parse(spec.as_bytes())
            .ok()
            .map(|filter| filter.rules)
    }

    #[test]
    fn each_rule_is_read() {
        for (spec, expected) in [
            ("blob:none", vec![BlobNone]),
            ("blob:limit=0", vec![BlobLimit(0)]),
            ("blob:limit=12k", vec![BlobLimit(12 << 10)]),
            ("blob:limit=1M", vec![BlobLimit(1 << 20)]),
            ("tree:0", vec![TreeDepth(0)]),
            ("tree:18446744073709551615", vec![TreeDepth(u64::MAX)]),
            ("object:type=tag", vec![ObjectType(super::ObjectType::Tag)]),
            (
                "sparse:oid=main:.patterns",
                vec![SparseOid("main:.patterns".to_owned())],
            ),
            ("combine:blob:none+tree:3", vec![BlobNone, TreeDepth(3)]),
            (
                "combine:combine:tree%3a1%2Bblob:none+blob:limit=1",
                vec![TreeDepth(1), BlobNone, BlobLimit(1)],
            ),
        ] {
            assert_eq!(rules(spec), Some(expected), "{spec}");
        }
    }

    #[test]
    fn what_git_refuses_is_refused() {
        let many = format!("combine:{}", vec!["tree:1"; MAX_FILTER_RULES + 1].join("+"));
        let nested = (0..20).fold("tree:1".to_owned(), |spec, _| {
            format!("combine:{}", spec.replace('%', "%25").replace('+', "%2b"))
        });
        for spec in [
            "",
            "blob",
            "blob:limit=",
            "blob:limit=-1",
            "blob:limit=k",
            "blob:limit=18446744073709551616",
            "blob:limit=18446744073709551615k",
            "tree:",
            "tree:+1",
            "sparse:path=x",
            "sparse:oid=",
            "object:type=file",
            "combine:",
            "combine:tree:1+",
            "combine:tree:1+blob:none%",
            "combine:tree:1 +blob:none",
            "combine:sparse:oid=a~1",
            "combine:tree%3",
            &many,
            &nested,
        ] {
            assert_eq!(rules(spec), None, "{spec}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(spec: Vec<u8>, text in "(combine:)?[a-z:=%0-9+]{0,40}") {
            let _either = (Filter::parse(&spec), Filter::parse(text.as_bytes()));
        }
    }
}
