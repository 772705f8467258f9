use std::fmt;

use crate::limits::USER_NAME;

/// First path segments that are, or may become, pages of the forge itself.
const RESERVED: &[&str] = &[
    "-",
    ".",
    "..",
    ".well-known",
    "about",
    "api",
    "assets",
    "attachments",
    "avatar",
    "avatars",
    "captcha",
    "commits",
    "debug",
    "devtest",
    "error",
    "explore",
    "favicon.ico",
    "ghost",
    "healthz",
    "help",
    "issues",
    "login",
    "logout",
    "manifest.json",
    "metrics",
    "milestones",
    "new",
    "notifications",
    "org",
    "orgs",
    "packages",
    "pulls",
    "raw",
    "readyz",
    "repo",
    "repo-avatars",
    "repos",
    "robots.txt",
    "runners",
    "search",
    "serviceworker.js",
    "settings",
    "ssh_info",
    "static",
    "swagger.v1.json",
    "user",
    "users",
    "v1",
    "v2",
    "v3",
];

/// Suffixes that mean another representation of a page.
const RESERVED_SUFFIXES: &[&str] = &[".keys", ".gpg", ".rss", ".atom", ".png", ".git"];

/// No release takes longer names, of whatever thing.
const LONGEST: usize = 255;

/// The checked name of an account: letters, digits, `-`, `_` and `.`, as Gitea
/// takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserName(String);

/// Which rule a user name breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserNameError {
    /// Nothing at all.
    #[error("a user name must not be empty")]
    Empty,
    /// Over [`USER_NAME`].
    #[error("a user name has at most {USER_NAME} characters")]
    TooLong,
    /// Another character than those allowed.
    #[error("a user name consists of the letters a-z and A-Z, digits, '-', '_' and '.'")]
    Character,
    /// Does not begin and end with a letter or digit.
    #[error("a user name begins and ends with a letter or digit")]
    Edge,
    /// Two of `-_.` in a row.
    #[error("a user name has no two of '-', '_' and '.' in a row")]
    Run,
    /// Needed for the forge's own pages.
    #[error("this user name is reserved; choose another")]
    Reserved,
}

impl UserName {
    /// Checks a name.
    pub fn new(name: &str) -> Result<Self, UserNameError> {
        if name.is_empty() {
            return Err(UserNameError::Empty);
        }
        let key = name.to_ascii_lowercase();
        if RESERVED.contains(&key.as_str()) {
            return Err(UserNameError::Reserved);
        }
        let joint = |byte: u8| matches!(byte, b'-' | b'_' | b'.');
        let bytes = name.as_bytes();
        if !bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || joint(*byte))
        {
            return Err(UserNameError::Character);
        }
        if bytes.len() > USER_NAME {
            return Err(UserNameError::TooLong);
        }
        if bytes.first().copied().is_some_and(joint) || bytes.last().copied().is_some_and(joint) {
            return Err(UserNameError::Edge);
        }
        if bytes
            .windows(2)
            .any(|pair| pair.iter().all(|byte| joint(*byte)))
        {
            return Err(UserNameError::Run);
        }
        if RESERVED_SUFFIXES.iter().any(|suffix| key.ends_with(suffix)) {
            return Err(UserNameError::Reserved);
        }
        Ok(Self(name.to_owned()))
    }

    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a name could ever have been taken: what is not asked of a database,
/// which does not take every text.
pub(crate) fn is_plain(name: &str) -> bool {
    name.len() <= LONGEST && name.bytes().all(|byte| byte.is_ascii_graphic())
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{UserName, UserNameError};

    #[test]
    fn each_rule_has_its_error() {
        let long = "a".repeat(41);
        let cases: &[(&str, Option<UserNameError>)] = &[
            ("alice", None),
            ("Alice-B.c_1", None),
            ("7", None),
            ("", Some(UserNameError::Empty)),
            (&long, Some(UserNameError::TooLong)),
            (&long[..40], None),
            ("älice", Some(UserNameError::Character)),
            ("a b", Some(UserNameError::Character)),
            ("a/b", Some(UserNameError::Character)),
            ("a\u{1}b", Some(UserNameError::Character)),
            (".a", Some(UserNameError::Edge)),
            ("a-", Some(UserNameError::Edge)),
            ("a..b", Some(UserNameError::Run)),
            ("a-_b", Some(UserNameError::Run)),
            ("..", Some(UserNameError::Reserved)),
            ("API", Some(UserNameError::Reserved)),
            ("v2", Some(UserNameError::Reserved)),
            ("alice.keys", Some(UserNameError::Reserved)),
        ];
        for (name, expected) in cases {
            assert_eq!(UserName::new(name).err(), *expected, "{name:?}");
        }
    }
}
