use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, RetryConfig};

use crate::limits;

/// What a person writes to name where objects are kept: the path of a directory,
/// `file:///path`, or `s3://bucket/prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A directory of this machine.
    Directory(PathBuf),
    /// A bucket of an S3-compatible store, and a prefix of names.
    S3 {
        /// The bucket.
        bucket: String,
        /// What names begin with; may be empty.
        prefix: String,
    },
}

/// A location whose client is ready; for those inside the wall around object_store.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Arc<dyn ObjectStore>,
    /// What every name in it begins with.
    pub prefix: Path,
}

/// How long a request is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// As [`limits`] says: somebody waits for the answer.
    Short,
    /// For minutes: work in the background that had better end.
    Long,
}

/// Why a location cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum LocationError {
    /// Neither a path nor an URL of a known kind.
    #[error("{0:?} is no place for objects: give a directory, file:///path or s3://bucket/prefix")]
    Unknown(String),
    /// An option that the store does not have.
    #[error("an S3 store has no option {0:?}")]
    Option(String),
    /// The directory is not there and was not to be made, or cannot be made.
    #[error("open the directory {0}")]
    Directory(PathBuf, #[source] std::io::Error),
    /// The store refuses its configuration.
    #[error("open the object store")]
    Store(#[from] object_store::Error),
    /// A prefix that cannot begin the name of an object.
    #[error("the prefix {0:?} cannot begin names of objects")]
    Prefix(String),
    /// The client's thread could not be started.
    #[error("start the client of the object store")]
    Driver(#[source] std::io::Error),
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        let unknown = || LocationError::Unknown(text.to_owned());
        match text.split_once("://") {
            None if text.is_empty() => Err(unknown()),
            None => Ok(Self::Directory(text.into())),
            Some(("file", path)) if path.starts_with('/') => Ok(Self::Directory(path.into())),
            Some(("s3", rest)) => {
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                if bucket.is_empty() {
                    return Err(unknown());
                }
                Ok(Self::S3 {
                    bucket: bucket.to_owned(),
                    prefix: prefix.trim_matches('/').to_owned(),
                })
            }
            Some(_) => Err(unknown()),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "{}", path.display()),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

impl Location {
    /// Makes a client of the store. `options` are those of an S3 store
    /// (`aws_access_key_id`, `aws_secret_access_key`, `aws_endpoint`,
    /// `aws_region`, `aws_allow_http` and so on); a directory has none. With
    /// `make`, a directory that is not there is made. Nothing is asked of an S3 store yet.
    pub fn open(
        &self,
        options: &[(String, String)],
        make: bool,
        patience: Patience,
    ) -> Result<Opened, LocationError> {
        match self {
            Self::Directory(path) => {
                let failed = |error| LocationError::Directory(path.clone(), error);
                if make {
                    std::fs::create_dir_all(path).map_err(failed)?;
                }
                let path = path.canonicalize().map_err(failed)?;
                let store = LocalFileSystem::new_with_prefix(path)?.with_fsync(true);
                Ok(Opened {
                    store: Arc::new(store),
                    prefix: Path::default(),
                })
            }
            Self::S3 { bucket, prefix } => {
                // Somebody else in the process may have chosen already.
                drop(rustls::crypto::ring::default_provider().install_default());
                let (client, retry) = match patience {
                    Patience::Long => (ClientOptions::new(), RetryConfig::default()),
                    Patience::Short => (
                        ClientOptions::new()
                            .with_connect_timeout(limits::CONNECT)
                            .with_timeout(limits::REQUEST),
                        RetryConfig {
                            max_retries: limits::RETRIES,
                            retry_timeout: limits::RETRY,
                            ..RetryConfig::default()
                        },
                    ),
                };
                let mut builder = AmazonS3Builder::new()
                    .with_bucket_name(bucket)
                    .with_retry(retry)
                    .with_client_options(client);
                for (key, value) in options {
                    let unknown = |_| LocationError::Option(key.clone());
                    let key: AmazonS3ConfigKey = key.parse().map_err(unknown)?;
                    builder = builder.with_config(key, value);
                }
                let bad = |_| LocationError::Prefix(prefix.clone());
                let prefix = Path::parse(prefix).map_err(bad)?;
                Ok(Opened {
                    store: Arc::new(builder.build()?),
                    prefix,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Location, Patience};

    #[test]
    fn locations_are_paths_or_urls() {
        let s3 = |bucket: &str, prefix: &str| Location::S3 {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        };
        for (text, location) in [
            ("backups", Location::Directory("backups".into())),
            ("/var/b", Location::Directory("/var/b".into())),
            ("file:///var/b", Location::Directory("/var/b".into())),
            ("s3://bucket", s3("bucket", "")),
            ("s3://bucket/a/b/", s3("bucket", "a/b")),
        ] {
            assert_eq!(text.parse::<Location>().unwrap(), location, "{text}");
        }
        for bad in ["", "file://host/path", "s3:///prefix", "ftp://host/path"] {
            assert!(bad.parse::<Location>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_option_that_no_store_has_is_refused_by_name() {
        let options = [("aws_colour".to_owned(), "blue".to_owned())];
        let location: Location = "s3://bucket".parse().unwrap();
        let error = location
            .open(&options, false, Patience::Short)
            .map(drop)
            .unwrap_err()
            .to_string();
        assert!(error.contains("aws_colour"), "{error}");
    }
}
