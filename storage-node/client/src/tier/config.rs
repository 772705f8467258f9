use std::time::Duration;

use serde::{Deserialize, Serialize};
use storage_node_api::NodeId;

/// How patient a [`Client`](super::Client) is, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How long an operation is tried before it fails.
    pub deadline: Duration,
    /// How long one node may take before another is asked instead.
    pub patience: Duration,
    /// How long one node may take before another is asked as well, where only
    /// one is asked at first. No longer than the patience.
    pub hedge: Duration,
    /// The pause before the second try; a random part of it, up to a half, is
    /// left out.
    pub backoff_min: Duration,
    /// What the pause doubles up to.
    pub backoff_max: Duration,
    /// The node that reads go to first, where it can answer them. If none is
    /// named, one in this process.
    pub near: Option<NodeId>,
    /// The region that this process is in, as its nodes name it: reads prefer
    /// it. If none is named, that of the near node.
    pub region: Option<String>,
    /// How chunks travel to nodes in other processes.
    pub bulk: crate::bulk::Choice,
}

/// A [`Config`] whose values fit together.
#[derive(Clone, Debug)]
pub struct Checked(Config);

/// Values that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A time that must not be zero.
    #[error("storage.{name} must not be 0")]
    Zero {
        /// Which setting.
        name: &'static str,
    },
    /// The first pause is longer than the longest.
    #[error("storage.backoff_min ({min:?}) must not be greater than backoff_max ({max:?})")]
    Backoff {
        /// The first pause.
        min: Duration,
        /// The longest.
        max: Duration,
    },
    /// One slow node would use up all the time.
    #[error("storage.patience ({patience:?}) must be less than deadline ({deadline:?})")]
    Patience {
        /// With one node.
        patience: Duration,
        /// In all.
        deadline: Duration,
    },
}

impl Default for Config {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(10),
            patience: Duration::from_secs(3),
            hedge: Duration::from_millis(500),
            backoff_min: Duration::from_millis(20),
            backoff_max: Duration::from_millis(500),
            near: None,
            region: None,
            bulk: crate::bulk::Choice::Auto,
        }
    }
}

impl Config {
    /// Checks that the values fit together.
    pub fn validate(self) -> Result<Checked, ConfigError> {
        for (name, time) in [
            ("deadline", self.deadline),
            ("patience", self.patience),
            ("hedge", self.hedge),
            ("backoff_min", self.backoff_min),
        ] {
            if time.is_zero() {
                return Err(ConfigError::Zero { name });
            }
        }
        if self.backoff_min > self.backoff_max {
            return Err(ConfigError::Backoff {
                min: self.backoff_min,
                max: self.backoff_max,
            });
        }
        if self.patience >= self.deadline {
            return Err(ConfigError::Patience {
                patience: self.patience,
                deadline: self.deadline,
            });
        }
        Ok(Checked(self))
    }
}

impl std::ops::Deref for Checked {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Config, ConfigError};

    #[test]
    fn only_values_that_fit_together_are_taken() {
        assert!(Config::default().validate().is_ok());
        let zero = Config {
            backoff_min: Duration::ZERO,
            ..Config::default()
        };
        assert_eq!(
            zero.validate().unwrap_err(),
            ConfigError::Zero {
                name: "backoff_min"
            }
        );
        let crossed = Config {
            backoff_min: Duration::from_secs(1),
            ..Config::default()
        };
        assert!(matches!(
            crossed.validate(),
            Err(ConfigError::Backoff { .. })
        ));
        let impatient = Config {
            patience: Duration::from_secs(10),
            ..Config::default()
        };
        assert!(matches!(
            impatient.validate(),
            Err(ConfigError::Patience { .. })
        ));
    }
}
