use std::fs;
use std::path::{Path, PathBuf};

use super::ConfigError;

/// Why a directory cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No repository is there.
    #[error("'{path}' does not appear to be a git repository")]
    NotARepository {
        /// What was asked for.
        path: PathBuf,
    },
    /// Its configuration cannot be read.
    #[error("read the configuration of '{path}'")]
    Config {
        /// The repository.
        path: PathBuf,
        /// The cause.
        #[source]
        source: ConfigError,
    },
    /// `GIT_NAMESPACE` is no namespace.
    #[error("bad git namespace path '{namespace}'")]
    Namespace {
        /// What it is.
        namespace: String,
    },
    /// It was made by a git that does things which this program does not.
    #[error("'{path}' has {extension}, which is not supported")]
    Unsupported {
        /// The repository.
        path: PathBuf,
        /// What is not supported.
        extension: String,
    },
}

/// Finds the repository that git would find for `path`: the directory itself if
/// `strict`, or else also `path/.git`, `path.git/.git` and `path.git`, in git's
/// order. A `.git` that is a file leads to where it points.
pub fn find(path: &Path, strict: bool) -> Result<PathBuf, OpenError> {
    let suffixes: &[&str] = if strict {
        &[""]
    } else {
        &["/.git", "", ".git/.git", ".git"]
    };
    let text = path.as_os_str();
    let candidates = suffixes.iter().map(|suffix| {
        let mut candidate = text.to_os_string();
        candidate.push(suffix);
        follow_file(PathBuf::from(candidate))
    });
    let mut repositories = candidates.filter(|candidate| is_repository(candidate));
    repositories
        .next()
        .ok_or_else(|| OpenError::NotARepository {
            path: path.to_path_buf(),
        })
}

fn is_repository(path: &Path) -> bool {
    path.join("HEAD").symlink_metadata().is_ok()
        && path.join("objects").is_dir()
        && path.join("refs").is_dir()
}

/// `gitdir: <path>` in a file named `.git`.
fn follow_file(path: PathBuf) -> PathBuf {
    const MAX_FILE_BYTES: u64 = 4096;
    let small_file = path
        .metadata()
        .is_ok_and(|data| data.is_file() && data.len() < MAX_FILE_BYTES);
    if !small_file {
        return path;
    }
    let text = fs::read_to_string(&path).unwrap_or_default();
    match (text.trim_end().strip_prefix("gitdir: "), path.parent()) {
        (Some(target), Some(parent)) => parent.join(target),
        _ => path,
    }
}
