//! How fast a node is, by its own account.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a node takes long for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Slow {
    /// Syncs of its log.
    Log,
    /// Writes of chunks, synced.
    Volumes,
    /// Answers from so many of its peers that a majority is late.
    Peers,
}

impl fmt::Display for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Log => "syncs of its log",
            Self::Volumes => "synced writes of its volumes",
            Self::Peers => "answers from its peers",
        })
    }
}

/// What a node measures of itself and holds of itself. A figure is of the last ten seconds, and
/// nothing if there was too little to measure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthReport {
    /// How long a sync of its log takes.
    pub log: Option<Duration>,
    /// How long a synced write of its volumes takes.
    pub volumes: Option<Duration>,
    /// After how long enough peers have answered that they are a majority with it.
    pub peers: Option<Duration>,
    /// The node is much slower than its peers, and leads nothing that another can lead.
    pub slow: Option<Slow>,
}

impl HealthReport {
    /// One of the figures.
    pub fn figure(&self, of: Slow) -> Option<Duration> {
        match of {
            Slow::Log => self.log,
            Slow::Volumes => self.volumes,
            Slow::Peers => self.peers,
        }
    }
}
