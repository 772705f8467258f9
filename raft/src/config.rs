//! What an operator may choose.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Least ratio of the shortest election timeout to the heartbeat.
const ELECTION_PER_HEARTBEAT: u32 = 2;

/// How soon a leader counts as lost, by how fast the disks and links of a cluster are.
///
/// A follower counts a leader as lost after `election_max`, and then campaigns after another
/// random wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// For disks whose slowest syncs take 10 to 20 ms, and regions that are far apart.
    #[default]
    Standard,
    /// For disks whose slowest syncs take some milliseconds, and links to match: NVMe in one
    /// region. Where they are slower, leaders are taken for lost that are not.
    FastDisk,
}

/// When a leader counts as lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Shortest wait of a follower before it campaigns.
    pub election_min: Duration,
    /// Longest wait of a follower before it campaigns; also how long a leader's lease lasts.
    pub election_max: Duration,
    /// How often a leader says that it is there.
    pub heartbeat: Duration,
}

impl Profile {
    /// What it comes to.
    pub fn timing(self) -> Timing {
        let (election_min, election_max, heartbeat) = match self {
            Self::Standard => (450, 900, 140),
            Self::FastDisk => (200, 400, 60),
        };
        Timing {
            election_min: Duration::from_millis(election_min),
            election_max: Duration::from_millis(election_max),
            heartbeat: Duration::from_millis(heartbeat),
        }
    }
}

/// Timing and sizes of all groups of a node. All nodes of a cluster use the same timing.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What the next three are where they are not given.
    pub profile: Profile,
    /// See [`Timing::election_min`].
    pub election_min: Option<Duration>,
    /// See [`Timing::election_max`].
    pub election_max: Option<Duration>,
    /// See [`Timing::heartbeat`].
    pub heartbeat: Option<Duration>,
    /// How long a peer may take to store entries, or to confirm a read. Heartbeats and votes are
    /// given up after `election_min`.
    pub exchange_timeout: Duration,
    /// How long a peer may take for one part of a snapshot, or to install all of it.
    pub snapshot_timeout: Duration,
    /// How long a proposal may take before its effect is declared unknown.
    pub propose_timeout: Duration,
    /// How long a linearizable read may wait for a leader and for the local replica.
    pub read_timeout: Duration,
    /// How long a new member may take to catch up before it becomes a voter.
    pub catch_up_timeout: Duration,
    /// Applied entries after which the machine is synced, so that the log can be cut.
    pub snapshot_entries: u64,
    /// Applied entries that stay in the log for followers that are a little behind.
    pub keep_entries: u64,
    /// Proposals of one group that wait for their answers; beyond it proposals are refused.
    pub proposals_in_flight: u32,
    /// How long nothing must be asked of a group before it sleeps; zero for never.
    pub hibernate_after: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            election_min: None,
            election_max: None,
            heartbeat: None,
            exchange_timeout: Duration::from_secs(2),
            snapshot_timeout: Duration::from_secs(120),
            propose_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(10),
            catch_up_timeout: Duration::from_secs(300),
            snapshot_entries: 5000,
            keep_entries: 1000,
            proposals_in_flight: 1024,
            hibernate_after: Duration::from_secs(10),
        }
    }
}

/// A relation between settings that must hold and does not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The election timeouts leave no room for chance.
    #[error("election_max ({max:?}) must be greater than election_min ({min:?})")]
    ElectionRange {
        /// The shortest timeout.
        min: Duration,
        /// The longest timeout.
        max: Duration,
    },
    /// One lost heartbeat would start an election.
    #[error("heartbeat ({heartbeat:?}) must be less than half of election_min ({min:?})")]
    Heartbeat {
        /// The heartbeat.
        heartbeat: Duration,
        /// The shortest election timeout.
        min: Duration,
    },
    /// A setting must be at least one (millisecond, entry or proposal).
    #[error("{name} must be greater than zero")]
    Zero {
        /// Which setting.
        name: &'static str,
    },
}

/// A configuration that holds together.
#[derive(Clone, Debug)]
pub struct Checked {
    config: Config,
    timing: Timing,
}

impl std::ops::Deref for Checked {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.config
    }
}

impl Checked {
    /// When a leader counts as lost.
    pub fn timing(&self) -> Timing {
        self.timing
    }
}

impl Config {
    /// Short times and small sizes.
    pub fn for_testing() -> Self {
        Self {
            profile: Profile::default(),
            election_min: Some(Duration::from_millis(300)),
            election_max: Some(Duration::from_millis(600)),
            heartbeat: Some(Duration::from_millis(100)),
            exchange_timeout: Duration::from_secs(1),
            snapshot_timeout: Duration::from_secs(5),
            propose_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(5),
            catch_up_timeout: Duration::from_secs(20),
            snapshot_entries: 50,
            keep_entries: 10,
            proposals_in_flight: 256,
            hibernate_after: Duration::from_millis(200),
        }
    }

    /// Checks the relations between the settings.
    pub fn validate(self) -> Result<Checked, ConfigError> {
        let usual = self.profile.timing();
        let timing = Timing {
            election_min: self.election_min.unwrap_or(usual.election_min),
            election_max: self.election_max.unwrap_or(usual.election_max),
            heartbeat: self.heartbeat.unwrap_or(usual.heartbeat),
        };
        let millis = [
            ("heartbeat", timing.heartbeat),
            ("exchange_timeout", self.exchange_timeout),
            ("snapshot_timeout", self.snapshot_timeout),
            ("propose_timeout", self.propose_timeout),
            ("read_timeout", self.read_timeout),
            ("catch_up_timeout", self.catch_up_timeout),
        ];
        if let Some((name, _)) = millis.iter().find(|(_, time)| time.as_millis() == 0) {
            return Err(ConfigError::Zero { name });
        }
        let counts = [
            ("snapshot_entries", self.snapshot_entries),
            ("proposals_in_flight", u64::from(self.proposals_in_flight)),
        ];
        if let Some((name, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Err(ConfigError::Zero { name });
        }
        if timing.election_max <= timing.election_min {
            return Err(ConfigError::ElectionRange {
                min: timing.election_min,
                max: timing.election_max,
            });
        }
        if timing.heartbeat * ELECTION_PER_HEARTBEAT >= timing.election_min {
            return Err(ConfigError::Heartbeat {
                heartbeat: timing.heartbeat,
                min: timing.election_min,
            });
        }
        Ok(Checked {
            config: self,
            timing,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_configurations_that_hold_together_pass() {
        let with = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            config.validate().map(drop)
        };
        assert_eq!(with(|_| {}), Ok(()));
        assert_eq!(Config::for_testing().validate().map(drop), Ok(()));
        assert_eq!(with(|c| c.profile = Profile::FastDisk), Ok(()));
        let same = with(|c| c.election_max = Some(c.profile.timing().election_min));
        assert!(matches!(same, Err(ConfigError::ElectionRange { .. })));
        let slow = with(|c| c.heartbeat = Some(c.profile.timing().election_min / 2));
        assert!(matches!(slow, Err(ConfigError::Heartbeat { .. })));
        let zero = |name| Err(ConfigError::Zero { name });
        let none = with(|c| c.heartbeat = Some(Duration::ZERO));
        assert_eq!(none, zero("heartbeat"));
        assert_eq!(
            with(|c| c.proposals_in_flight = 0),
            zero("proposals_in_flight")
        );
    }
    #[test]
    fn what_is_given_wins_over_the_profile() {
        let given = Duration::from_millis(350);
        let config = Config {
            profile: Profile::FastDisk,
            election_max: Some(given),
            ..Config::default()
        };
        let timing = config.validate().unwrap().timing();
        let usual = Profile::FastDisk.timing();
        assert_eq!(
            timing,
            Timing {
                election_max: given,
                ..usual
            }
        );
        assert!(usual.election_max < Profile::Standard.timing().election_min);
    }
}
