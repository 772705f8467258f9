use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::bare::Caller;

/// The arguments of `git upload-pack` and `git receive-pack`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// The repository.
    pub directory: PathBuf,
    /// One request, without an advertisement (`--stateless-rpc`).
    pub stateless: bool,
    /// The advertisement alone (`--http-backend-info-refs`, formerly
    /// `--advertise-refs`).
    pub advertise_only: bool,
    /// Only the directory itself, not `.git` in it (`--strict`).
    pub strict: bool,
    /// How long the client may be silent (`--timeout=<seconds>`).
    pub timeout: Option<Duration>,
    /// What the environment says; not part of the command line.
    pub caller: Caller,
}

/// What is wrong with a command line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// An option that the command does not have.
    #[error("unknown option '{option}'")]
    Option {
        /// The option.
        option: String,
    },
    /// No directory, or more than one.
    #[error("exactly one directory is needed")]
    Directory,
}

impl Arguments {
    /// Reads what follows the command's name.
    pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Self, UsageError> {
        let mut arguments = Self {
            directory: PathBuf::new(),
            stateless: false,
            advertise_only: false,
            strict: false,
            timeout: None,
            caller: Caller::default(),
        };
        let (mut directories, mut options) = (Vec::new(), true);
        for word in words {
            match word
                .to_str()
                .filter(|word| options && word.starts_with('-'))
            {
                Some("--") => options = false,
                Some(option) => arguments.option(option)?,
                None => directories.push(PathBuf::from(word)),
            }
        }
        match <[PathBuf; 1]>::try_from(directories) {
            Ok([directory]) => Ok(Self {
                directory,
                ..arguments
            }),
            Err(_) => Err(UsageError::Directory),
        }
    }

    fn option(&mut self, option: &str) -> Result<(), UsageError> {
        let unknown = || UsageError::Option {
            option: option.to_owned(),
        };
        match option {
            "--stateless-rpc" => self.stateless = true,
            "--advertise-refs" | "--http-backend-info-refs" => self.advertise_only = true,
            "--strict" => self.strict = true,
            "--no-strict" => self.strict = false,
            _ => {
                let seconds = option.strip_prefix("--timeout=").ok_or_else(unknown)?;
                let seconds: u64 = seconds.parse().map_err(|_| unknown())?;
                self.timeout = (seconds > 0).then(|| Duration::from_secs(seconds));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::{Arguments, UsageError};

    fn parse(words: &[&str]) -> Result<Arguments, UsageError> {
        Arguments::parse(words.iter().map(Into::into))
    }

    #[test]
    fn options_come_before_or_after_the_directory() {
        let arguments = parse(&["--strict", "repo.git", "--stateless-rpc", "--timeout=5"]).unwrap();
        assert_eq!(arguments.directory, Path::new("repo.git"));
        assert!(arguments.strict && arguments.stateless && !arguments.advertise_only);
        assert_eq!(arguments.timeout, Some(Duration::from_secs(5)));
        assert_eq!(parse(&["--", "-x"]).unwrap().directory, Path::new("-x"));
    }

    #[test]
    fn other_command_lines_are_refused() {
        assert_eq!(parse(&[]), Err(UsageError::Directory));
        assert_eq!(parse(&["a", "b"]), Err(UsageError::Directory));
        for option in ["--x", "--timeout=x", "--timeout"] {
            assert_eq!(
                parse(&[option, "a"]),
                Err(UsageError::Option {
                    option: option.into()
                })
            );
        }
    }
}
