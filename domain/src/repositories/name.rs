use std::fmt;

use crate::limits::REPOSITORY_NAME;

/// Suffixes that mean something else in an address.
const RESERVED_SUFFIXES: &[&str] = &[".git", ".wiki", ".rss", ".atom", ".lock"];

/// The checked name of a repository: letters, digits, `-`, `_` and `.`, as
/// Gitea takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryName(String);

/// Which rule a repository name breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RepositoryNameError {
    /// Nothing at all.
    #[error("a repository name must not be empty")]
    Empty,
    /// Over [`REPOSITORY_NAME`].
    #[error("a repository name has at most {REPOSITORY_NAME} characters")]
    TooLong,
    /// Another character than those allowed.
    #[error("a repository name consists of the letters a-z and A-Z, digits, '-', '_' and '.'")]
    Character,
    /// Contains `..`, or is a single `-` or `.`.
    #[error("a repository name is neither \"-\" nor \".\" and does not contain \"..\"")]
    Dots,
    /// A suffix that means something else.
    #[error("a repository name does not end with .git, .wiki, .rss, .atom or .lock")]
    Suffix,
}

impl RepositoryName {
    /// Checks a name.
    pub fn new(name: &str) -> Result<Self, RepositoryNameError> {
        if name.is_empty() {
            return Err(RepositoryNameError::Empty);
        }
        if name.contains("..") || name == "." || name == "-" {
            return Err(RepositoryNameError::Dots);
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !name.bytes().all(allowed) {
            return Err(RepositoryNameError::Character);
        }
        if name.len() > REPOSITORY_NAME {
            return Err(RepositoryNameError::TooLong);
        }
        let key = name.to_ascii_lowercase();
        if RESERVED_SUFFIXES.iter().any(|suffix| key.ends_with(suffix)) {
            return Err(RepositoryNameError::Suffix);
        }
        Ok(Self(name.to_owned()))
    }

    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{RepositoryName, RepositoryNameError};

    #[test]
    fn each_rule_has_its_error() {
        let long = "a".repeat(300);
        let cases: &[(&str, Option<RepositoryNameError>)] = &[
            ("devflow", None),
            ("Dev.Flow-2_x", None),
            (".github", None),
            (&long[..100], None),
            ("", Some(RepositoryNameError::Empty)),
            (&long, Some(RepositoryNameError::TooLong)),
            (&long[..101], Some(RepositoryNameError::TooLong)),
            (".", Some(RepositoryNameError::Dots)),
            ("..", Some(RepositoryNameError::Dots)),
            ("a..b", Some(RepositoryNameError::Dots)),
            ("-", Some(RepositoryNameError::Dots)),
            ("a/b", Some(RepositoryNameError::Character)),
            ("a b", Some(RepositoryNameError::Character)),
            ("a\nb", Some(RepositoryNameError::Character)),
            ("a\0b", Some(RepositoryNameError::Character)),
            ("ä", Some(RepositoryNameError::Character)),
            ("a.git", Some(RepositoryNameError::Suffix)),
            ("a.WIKI", Some(RepositoryNameError::Suffix)),
        ];
        for (name, expected) in cases {
            assert_eq!(RepositoryName::new(name).err(), *expected, "{name:?}");
        }
    }
}
