use std::collections::BTreeMap;
use std::fmt;

use objects::{Location, LocationError, RemoteObjects};
use serde::{Deserialize, Serialize};

/// Where volumes go that nobody reads, and when.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `s3://bucket/prefix` or a directory; empty for nowhere.
    pub url: String,
    /// Options of an S3 store, such as `endpoint` and `region`; never shown.
    pub options: BTreeMap<String, String>,
    /// Bytes of sealed volumes that may stay on the disk; those read longest ago
    /// go first.
    pub local_bytes: u64,
    /// A sealed volume that was not read for so long is uploaded, whether its
    /// space is wanted or not.
    pub after_seconds: u64,
    /// How fast volumes are uploaded, read back and fetched.
    pub bytes_per_second: u64,
    /// Bytes of objects kept in memory.
    pub cache_bytes: u64,
    /// Reads of objects that run at a time.
    pub readers: usize,
    /// Whether a pass of the scrub reads objects too, which some stores charge
    /// for. That they are there is looked at anyway.
    pub scrub: bool,
}

/// A [`Config`] that was found to be consistent.
#[derive(Clone, Debug)]
pub struct Checked(Config);

/// A [`Config`] that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A limit that would let nothing through.
    #[error("node.cold.{field} must not be 0")]
    Zero {
        /// Which.
        field: &'static str,
    },
}

/// A cold store whose client cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("node.cold: {0}")]
pub struct ClientError(#[from] LocationError);

impl Default for Config {
    fn default() -> Self {
        Self {
            url: String::new(),
            options: BTreeMap::new(),
            local_bytes: 64 << 30,
            after_seconds: 24 * 3600,
            bytes_per_second: 20 << 20,
            cache_bytes: 128 << 20,
            readers: 16,
            scrub: true,
        }
    }
}

impl Config {
    /// Checks that the values fit together.
    pub fn validate(self) -> Result<Checked, ConfigError> {
        let zero = |field| Err(ConfigError::Zero { field });
        if self.bytes_per_second == 0 {
            return zero("bytes_per_second");
        }
        if self.readers == 0 {
            return zero("readers");
        }
        Ok(Checked(self))
    }

    /// A client of the store, if there is to be one; `environment` are options
    /// that those of the configuration take precedence over.
    pub fn client(
        &self,
        environment: Vec<(String, String)>,
    ) -> Result<Option<RemoteObjects>, ClientError> {
        if self.url.is_empty() {
            return Ok(None);
        }
        let location: Location = self.url.parse()?;
        let configured = self.options.iter();
        let configured = configured.map(|(key, value)| (key.clone(), value.clone()));
        let options: Vec<_> = environment.into_iter().chain(configured).collect();
        Ok(Some(RemoteObjects::open(&location, &options)?))
    }
}

impl std::ops::Deref for Checked {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.0
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options: Vec<&String> = self.options.keys().collect();
        f.debug_struct("Config")
            .field("url", &self.url)
            .field("options", &options)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::Config;

    #[test]
    fn credentials_are_not_shown_and_nowhere_is_the_default() {
        let mut config = Config::default();
        assert!(config.client(Vec::new()).unwrap().is_none());
        config.url = "s3://bucket".to_owned();
        let secret = ("aws_secret_access_key".to_owned(), "hunter2".to_owned());
        config.options.extend([secret]);
        let shown = format!("{config:?}");
        assert!(shown.contains("aws_secret_access_key") && !shown.contains("hunter2"));
        config.url = "ftp://bucket".to_owned();
        let error = config.client(Vec::new()).map(drop).unwrap_err().to_string();
        assert!(error.starts_with("node.cold: "), "{error}");
        config.readers = 0;
        let error = config.validate().map(drop).unwrap_err().to_string();
        assert_eq!(error, "node.cold.readers must not be 0");
    }
}
