use crate::limits::COMMAND_BYTES;
use crate::words::split;

/// What a client may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Fetch.
    UploadPack,
    /// Push.
    ReceivePack,
    /// `git archive --remote`.
    UploadArchive,
    /// Ask for what LFS over HTTP needs.
    LfsAuthenticate,
    /// LFS over this very connection.
    LfsTransfer,
}

/// What LFS is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// To read.
    Download,
    /// To write.
    Upload,
}

/// A command, and the repository that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What is to be done.
    pub verb: Verb,
    /// The first part of the repository's address.
    pub owner: String,
    /// The second, with `.git` if it was written so.
    pub name: String,
    /// What for; of LFS alone.
    pub operation: Option<Operation>,
}

/// Why a command is not run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Longer than [`COMMAND_BYTES`].
    #[error("the command is longer than {COMMAND_BYTES} bytes")]
    TooLong,
    /// Not UTF-8.
    #[error("the command is not in UTF-8")]
    Encoding,
    /// Not plain words, or a quote that does not end.
    #[error("the command is not made of plain, properly quoted words: there is no shell here")]
    Quoting,
    /// Not one of git's.
    #[error(
        "{word:?} is no command of this server: it serves git-upload-pack, git-receive-pack \
         and git-upload-archive"
    )]
    Unknown {
        /// The first word.
        word: String,
    },
    /// Too few words, or too many.
    #[error("{verb} takes {takes}", verb = verb.name())]
    Arguments {
        /// The command.
        verb: Verb,
        /// What it takes.
        takes: &'static str,
    },
    /// Not of the form that addresses have here.
    #[error("{path:?} is no repository's path: use OWNER/NAME.git")]
    Path {
        /// As it was given.
        path: String,
    },
}

impl Verb {
    const ALL: [Self; 5] = [
        Self::UploadPack,
        Self::ReceivePack,
        Self::UploadArchive,
        Self::LfsAuthenticate,
        Self::LfsTransfer,
    ];

    /// As git writes it, and as metrics have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
            Self::UploadArchive => "git-upload-archive",
            Self::LfsAuthenticate => "git-lfs-authenticate",
            Self::LfsTransfer => "git-lfs-transfer",
        }
    }

    fn is_lfs(self) -> bool {
        matches!(self, Self::LfsAuthenticate | Self::LfsTransfer)
    }
}

impl Command {
    /// Reads what a client sends to be run: `git-upload-pack '/o/r.git'`, or
    /// `git upload-pack …`.
    pub fn parse(line: &[u8]) -> Result<Self, CommandError> {
        if line.len() > COMMAND_BYTES {
            return Err(CommandError::TooLong);
        }
        let line = str::from_utf8(line).map_err(|_| CommandError::Encoding)?;
        let words = split(line)?;
        let mut words = words.iter().map(String::as_str);
        let first = words.next().unwrap_or_default();
        let word = match first {
            "git" => format!("git-{}", words.next().unwrap_or_default()),
            first => first.to_owned(),
        };
        let Some(verb) = Verb::ALL.into_iter().find(|verb| verb.name() == word) else {
            return Err(CommandError::Unknown { word });
        };
        let (path, operation) = match (words.next(), words.next(), words.next()) {
            (Some(path), None, None) if !verb.is_lfs() => (path, None),
            (Some(path), Some("download"), None) if verb.is_lfs() => {
                (path, Some(Operation::Download))
            }
            // Who locks may push.
            (Some(path), Some("upload" | "lock"), None) if verb.is_lfs() => {
                (path, Some(Operation::Upload))
            }
            _ => {
                let takes = match verb.is_lfs() {
                    true => "a repository's path, and download, upload or lock",
                    false => "one repository's path",
                };
                return Err(CommandError::Arguments { verb, takes });
            }
        };
        let (owner, name) = repository(path)?;
        Ok(Self {
            verb,
            owner,
            name,
            operation,
        })
    }
}

/// `/o/r.git`, as `ssh://host/o/r.git` sends it, or `o/r.git`, as `host:o/r.git`
/// does.
fn repository(path: &str) -> Result<(String, String), CommandError> {
    let trimmed = path.strip_prefix('/').unwrap_or(path);
    let trimmed = trimmed.strip_suffix('/').unwrap_or(trimmed);
    match trimmed.split_once('/') {
        Some((owner, name)) if !owner.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok((owner.to_owned(), name.to_owned()))
        }
        _ => Err(CommandError::Path {
            path: path.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, CommandError, Operation, Verb};

    #[test]
    fn the_commands_of_git_are_read_in_every_form() {
        let cases = [
            (
                "git-upload-pack '/o/r.git'",
                Verb::UploadPack,
                "r.git",
                None,
            ),
            ("git upload-pack 'o/r'", Verb::UploadPack, "r", None),
            (
                "git-receive-pack \"/o/r.git/\"",
                Verb::ReceivePack,
                "r.git",
                None,
            ),
            (
                "git-upload-archive o/r.git",
                Verb::UploadArchive,
                "r.git",
                None,
            ),
            (
                "git-lfs-authenticate o/r.git download",
                Verb::LfsAuthenticate,
                "r.git",
                Some(Operation::Download),
            ),
            (
                "git-lfs-transfer '/o/r.git' 'upload'",
                Verb::LfsTransfer,
                "r.git",
                Some(Operation::Upload),
            ),
        ];
        for (line, verb, name, operation) in cases {
            let command = Command {
                verb,
                owner: "o".to_owned(),
                name: name.to_owned(),
                operation,
            };
            assert_eq!(Command::parse(line.as_bytes()), Ok(command), "{line}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        let unknown = |word: &str| CommandError::Unknown { word: word.into() };
        let cases = [
            ("", unknown("")),
            ("ls -la", unknown("ls")),
            ("scp -t /tmp", unknown("scp")),
            ("git", unknown("git-")),
            ("git gc", unknown("git-gc")),
            (
                "/usr/bin/git-upload-pack o/r",
                unknown("/usr/bin/git-upload-pack"),
            ),
            ("git-upload-pack 'o/r' && id", CommandError::Quoting),
            ("git-upload-pack o/r\nid", CommandError::Quoting),
        ];
        for (line, error) in cases {
            assert_eq!(Command::parse(line.as_bytes()), Err(error), "{line}");
        }
        for line in [
            "git-upload-pack",
            "git-upload-pack o/r o/s",
            "git-upload-pack --strict o/r",
            "git-lfs-authenticate o/r",
            "git-lfs-authenticate o/r remove",
            "git-lfs-transfer o/r upload now",
        ] {
            let refused = Command::parse(line.as_bytes());
            assert!(
                matches!(refused, Err(CommandError::Arguments { .. })),
                "{line}"
            );
        }
        for path in [
            "r",
            "/",
            "''",
            "o/",
            "/o",
            "//r",
            "o//r",
            "a/b/c",
            "/a/b/c.git",
        ] {
            let line = format!("git-upload-pack {path}");
            let refused = Command::parse(line.as_bytes());
            assert!(matches!(refused, Err(CommandError::Path { .. })), "{line}");
        }
        let long = format!("git-upload-pack o/{}", "r".repeat(5000));
        assert_eq!(Command::parse(long.as_bytes()), Err(CommandError::TooLong));
        assert_eq!(Command::parse(b"git \xff"), Err(CommandError::Encoding));
    }
}
