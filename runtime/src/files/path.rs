//! Which paths a file tree accepts.

use std::io;

/// Longest path in bytes.
const MAX_PATH_BYTES: usize = 1024;

/// A path that no file tree accepts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("path {path:?} is not a relative path of plain names below the root")]
pub struct PathError {
    /// The path as given, cut to a printable length.
    pub path: String,
}

impl From<PathError> for io::Error {
    fn from(error: PathError) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

/// Accepts relative paths of plain names joined by `/`: no empty name, no `.` or `..`, no NUL or
/// backslash. The empty path is the root itself.
pub fn check_path(path: &str) -> Result<(), PathError> {
    let plain = |name: &str| {
        !name.is_empty() && name != "." && name != ".." && !name.contains(['\0', '\\'])
    };
    if path.is_empty() || (path.len() <= MAX_PATH_BYTES && path.split('/').all(plain)) {
        Ok(())
    } else {
        Err(PathError {
            path: path.chars().take(80).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_relative_paths_pass() {
        for good in ["", "a", "a/b.c", "..a", "a b"] {
            assert!(check_path(good).is_ok(), "{good:?}");
        }
        let long = "x".repeat(MAX_PATH_BYTES + 1);
        for bad in [
            "/", "/a", "a/", "a//b", ".", "a/..", "../a", "a\0b", "a\\b", &long,
        ] {
            assert!(check_path(bad).is_err(), "{bad:?}");
        }
    }
}
