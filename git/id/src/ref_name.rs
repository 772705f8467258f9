use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest reference name, in bytes. Longer ones could not be a loose ref
/// on common file systems once git appends `.lock`.
pub(crate) const MAX_REF_NAME_BYTES: usize = 1024;

/// A full reference name that `git check-ref-format` accepts, such as
/// `refs/heads/main`, or `HEAD`.
///
/// Bytes are UTF-8: git allows others, this forge does not, so that every page,
/// JSON answer and log can show every name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RefName(String);

impl RefName {
    /// Checks a full name: `HEAD` or something below `refs/`, by the rules of
    /// git-check-ref-format(1).
    pub fn new(name: &str) -> Result<Self, RefNameError> {
        check(name).map(|()| Self(name.to_owned()))
    }

    /// As [`RefName::new`], from bytes off the wire.
    pub fn from_bytes(name: &[u8]) -> Result<Self, RefNameError> {
        Self::new(std::str::from_utf8(name).map_err(|_| RefNameError::NotUtf8)?)
    }

    /// The full name of a branch.
    pub fn branch(short: &str) -> Result<Self, RefNameError> {
        Self::new(&format!("refs/heads/{short}"))
    }

    /// The full name of a tag.
    pub fn tag(short: &str) -> Result<Self, RefNameError> {
        Self::new(&format!("refs/tags/{short}"))
    }

    /// The full name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What follows `refs/heads/`, if this is a branch.
    pub fn as_branch(&self) -> Option<&str> {
        self.0.strip_prefix("refs/heads/")
    }

    /// What follows `refs/tags/`, if this is a tag.
    pub fn as_tag(&self) -> Option<&str> {
        self.0.strip_prefix("refs/tags/")
    }
}

impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RefName {
    type Error = RefNameError;

    fn try_from(name: String) -> Result<Self, RefNameError> {
        check(&name).map(|()| Self(name))
    }
}

impl From<RefName> for String {
    fn from(name: RefName) -> Self {
        name.0
    }
}

/// Which rule of git-check-ref-format(1) a name breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefNameError {
    /// Over the limit of 1024 bytes.
    #[error("a ref name has at most {MAX_REF_NAME_BYTES} bytes")]
    TooLong,
    /// Not UTF-8.
    #[error("a ref name is UTF-8 text")]
    NotUtf8,
    /// Neither `HEAD` nor below `refs/` with at least two further parts or one.
    #[error("a ref name starts with \"refs/\"")]
    OutsideRefs,
    /// An empty component: a leading, trailing or double slash.
    #[error("a ref name has no empty component")]
    EmptyComponent,
    /// A component that starts with a dot.
    #[error("no component of a ref name starts with a dot")]
    LeadingDot,
    /// A component that ends in `.lock`.
    #[error("no component of a ref name ends with \".lock\"")]
    LockSuffix,
    /// The name ends in a dot.
    #[error("a ref name does not end with a dot")]
    TrailingDot,
    /// `..` or `@{` somewhere in the name.
    #[error("a ref name contains neither \"..\" nor \"@{{\"")]
    Reserved,
    /// A control character, space, or one of `~^:?*[\`.
    #[error("a ref name contains no control character, space, or any of ~ ^ : ? * [ \\")]
    ForbiddenCharacter,
}

fn check(name: &str) -> Result<(), RefNameError> {
    if name == "HEAD" {
        return Ok(());
    }
    if name.len() > MAX_REF_NAME_BYTES {
        return Err(RefNameError::TooLong);
    }
    let below = name
        .strip_prefix("refs/")
        .ok_or(RefNameError::OutsideRefs)?;
    if name.contains("..") || name.contains("@{") {
        return Err(RefNameError::Reserved);
    }
    if name
        .bytes()
        .any(|byte| byte <= b' ' || byte == 0x7f || b"~^:?*[\\".contains(&byte))
    {
        return Err(RefNameError::ForbiddenCharacter);
    }
    for component in below.split('/') {
        if component.is_empty() {
            return Err(RefNameError::EmptyComponent);
        }
        if component.starts_with('.') {
            return Err(RefNameError::LeadingDot);
        }
        if component.ends_with(".lock") {
            return Err(RefNameError::LockSuffix);
        }
    }
    if name.ends_with('.') {
        return Err(RefNameError::TrailingDot);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{RefName, RefNameError};

    const CASES: &[(&str, Option<RefNameError>)] = &[
        ("HEAD", None),
        ("refs/heads/main", None),
        ("refs/heads/feature/ä", None),
        ("refs/heads/@", None),
        ("refs/stash", None),
        ("main", Some(RefNameError::OutsideRefs)),
        ("refs/", Some(RefNameError::EmptyComponent)),
        ("refs/heads/", Some(RefNameError::EmptyComponent)),
        ("refs/heads//a", Some(RefNameError::EmptyComponent)),
        ("refs/heads/a..b", Some(RefNameError::Reserved)),
        ("refs/heads/a@{1}", Some(RefNameError::Reserved)),
        ("refs/heads/.a", Some(RefNameError::LeadingDot)),
        ("refs/heads/a.lock", Some(RefNameError::LockSuffix)),
        ("refs/heads/a.lock/b", Some(RefNameError::LockSuffix)),
        ("refs/heads/a.", Some(RefNameError::TrailingDot)),
        ("refs/heads/a b", Some(RefNameError::ForbiddenCharacter)),
        ("refs/heads/a\u{7f}", Some(RefNameError::ForbiddenCharacter)),
        ("refs/heads/a\\b", Some(RefNameError::ForbiddenCharacter)),
    ];

    #[test]
    fn each_rule_has_its_error() {
        for (name, expected) in CASES {
            assert_eq!(RefName::new(name).err(), *expected, "{name:?}");
        }
        assert_eq!(
            RefName::from_bytes(b"refs/\xff"),
            Err(RefNameError::NotUtf8)
        );
        assert_eq!(
            RefName::new(&format!("refs/{}", "a".repeat(1024))),
            Err(RefNameError::TooLong)
        );
    }

    #[test]
    fn git_judges_the_same() {
        for (name, expected) in CASES.iter().filter(|(name, _)| name.starts_with("refs/")) {
            let status = Command::new("git")
                .args(["check-ref-format", name])
                .status()
                .unwrap();
            assert_eq!(status.success(), expected.is_none(), "{name:?}");
        }
    }
}
