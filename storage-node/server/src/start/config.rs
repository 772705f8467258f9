use serde::{Deserialize, Serialize};

use crate::volumes::{self, cold};

/// What an operator may choose of a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The failure domain smaller than a region that the node is in.
    pub zone: String,
    /// The region that the node is in.
    pub region: String,
    /// Its share of the content, relative to the other nodes'.
    pub capacity: u64,
    /// How many groups a new cluster divides its slots over.
    pub groups: u16,
    /// Writes are refused while fewer bytes than this are free on its disk.
    pub reserve_bytes: u64,
    /// How fast the scrub reads what the node keeps; 0 leaves it to
    /// `devflow cluster scrub`.
    pub scrub_bytes_per_second: u64,
    /// How often a cycle of the collector begins by itself, in seconds; 0 leaves
    /// it to `devflow cluster collect`. That of the node that leads the cluster
    /// group counts.
    pub collect_interval_seconds: u64,
    /// How fast the collector goes over manifests, and writes again what is live
    /// in volumes that are to go.
    pub collect_bytes_per_second: u64,
    /// Bytes at which a volume is sealed. Only what is dropped from sealed volumes
    /// is given back to the disk.
    pub volume_bytes: u64,
    /// A node whose syncs of the log take at least as long lately, and four times as long as its
    /// peers', hands on what it leads; 0 for never.
    pub slow_sync_millis: u64,
    /// Volumes in an object store.
    pub cold: cold::Config,
    /// The timing of Raft.
    pub raft: raft::Config,
}

/// A [`Config`] whose values fit together.
#[derive(Clone, Debug)]
pub struct Checked {
    pub(super) zone: String,
    pub(super) region: String,
    pub(super) capacity: u64,
    pub(super) groups: u16,
    pub(super) reserve_bytes: u64,
    pub(super) scrub_bytes_per_second: u64,
    pub(super) collect_interval_seconds: u64,
    pub(super) collect_bytes_per_second: u64,
    pub(super) slow_sync_millis: u64,
    pub(super) raft: raft::Checked,
    pub(super) volumes: volumes::Checked,
    pub(super) cold: cold::Checked,
}

/// Values that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The timing of Raft.
    #[error("node.raft: {0}")]
    Raft(#[from] raft::ConfigError),
    /// The cold tier.
    #[error(transparent)]
    Cold(#[from] cold::ConfigError),
    /// The volumes.
    #[error("node: {0}")]
    Volumes(#[from] volumes::ConfigError),
    /// No groups, or more than slots.
    #[error("node.groups is {0}: it must be between 1 and 1024")]
    Groups(u16),
    /// No share.
    #[error("node.capacity must not be 0")]
    Capacity,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            zone: "default".to_owned(),
            region: "default".to_owned(),
            capacity: 1,
            groups: 4,
            reserve_bytes: 1 << 30,
            scrub_bytes_per_second: 20 << 20,
            collect_interval_seconds: 6 * 3600,
            collect_bytes_per_second: 20 << 20,
            volume_bytes: volumes::Config::default().volume_bytes,
            slow_sync_millis: 100,
            cold: cold::Config::default(),
            raft: raft::Config::default(),
        }
    }
}

impl Checked {
    /// The failure domain smaller than a region.
    pub(crate) fn zone(&self) -> &str {
        &self.zone
    }

    /// The region.
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// The share of the content.
    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }
}

impl Config {
    /// Checks that the values fit together.
    pub fn validate(self) -> Result<Checked, ConfigError> {
        if self.groups == 0 || self.groups > storage_node_api::Slot::COUNT {
            return Err(ConfigError::Groups(self.groups));
        }
        if self.capacity == 0 {
            return Err(ConfigError::Capacity);
        }
        let volumes = volumes::Config {
            reserve_bytes: self.reserve_bytes,
            volume_bytes: self.volume_bytes,
            ..Default::default()
        };
        Ok(Checked {
            zone: self.zone,
            region: self.region,
            capacity: self.capacity,
            groups: self.groups,
            reserve_bytes: self.reserve_bytes,
            scrub_bytes_per_second: self.scrub_bytes_per_second,
            collect_interval_seconds: self.collect_interval_seconds,
            collect_bytes_per_second: self.collect_bytes_per_second,
            slow_sync_millis: self.slow_sync_millis,
            raft: self.raft.validate()?,
            cold: self.cold.validate()?,
            volumes: volumes.validate()?,
        })
    }
}
