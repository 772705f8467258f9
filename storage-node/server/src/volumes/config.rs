use chunking::MAX_CHUNK_BYTES;

use super::record::BLOCK;

/// The least size of a volume: room for a handful of the largest chunks.
const MIN_VOLUME_BYTES: u64 = 4 * (MAX_CHUNK_BYTES as u64 + BLOCK);

/// The greatest size of a volume: record positions are kept in units of 64
/// bytes in 32 bits.
const MAX_VOLUME_BYTES: u64 = 64 << 30;

/// Sizes and limits of a [`ChunkStore`](super::ChunkStore).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Bytes at which a volume is sealed and the next one begun.
    pub volume_bytes: u64,
    /// By how many bytes a volume is preallocated at a time.
    pub allocate_bytes: u64,
    /// Puts are refused while fewer bytes than this are free on the disk.
    pub reserve_bytes: u64,
    /// Requests that wait for the writer; more wait for their turn.
    pub queue_requests: usize,
    /// Bytes of chunks that wait for the writer; more wait for their turn.
    pub queue_bytes: usize,
    /// Bytes after which a group of writes is synced without taking more in.
    pub group_bytes: usize,
    /// Reads that run at a time.
    pub readers: usize,
    /// When a read also checks the BLAKE3, beyond the CRC that it always checks.
    pub verify: Verify,
}

/// When a read compares a chunk with its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// Every time.
    Always,
    /// The first time after each start; later reads check the CRC only.
    OncePerStart,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            volume_bytes: 256 << 20,
            allocate_bytes: 16 << 20,
            reserve_bytes: 1 << 30,
            queue_requests: 1024,
            queue_bytes: 64 << 20,
            group_bytes: 16 << 20,
            readers: 8,
            verify: Verify::OncePerStart,
        }
    }
}

/// A [`Config`] that was found to be consistent.
#[derive(Clone, Copy, Debug)]
pub struct Checked(Config);

/// A [`Config`] that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The size of a volume is out of bounds.
    #[error("a volume of {bytes} bytes: it must have {MIN_VOLUME_BYTES} to {MAX_VOLUME_BYTES}")]
    VolumeBytes {
        /// As configured.
        bytes: u64,
    },
    /// A limit that would let nothing through.
    #[error("{field} of the chunk store must not be 0")]
    Zero {
        /// Which.
        field: &'static str,
    },
}

impl Config {
    /// Checks that the values fit together.
    pub fn validate(self) -> Result<Checked, ConfigError> {
        if !(MIN_VOLUME_BYTES..=MAX_VOLUME_BYTES).contains(&self.volume_bytes) {
            let bytes = self.volume_bytes;
            return Err(ConfigError::VolumeBytes { bytes });
        }
        let limits = [
            ("allocate_bytes", self.allocate_bytes == 0),
            ("queue_requests", self.queue_requests == 0),
            ("queue_bytes", self.queue_bytes == 0),
            ("group_bytes", self.group_bytes == 0),
            ("readers", self.readers == 0),
        ];
        match limits.into_iter().find(|(_, zero)| *zero) {
            Some((field, _)) => Err(ConfigError::Zero { field }),
            None => Ok(Checked(self)),
        }
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
    use super::{Config, ConfigError};

    #[test]
    fn limits_that_let_nothing_through_are_refused() {
        assert!(Config::default().validate().is_ok());
        let small = Config {
            volume_bytes: 1 << 20,
            ..Config::default()
        };
        let refused = small.validate().map(drop);
        assert_eq!(refused, Err(ConfigError::VolumeBytes { bytes: 1 << 20 }));
        let none = Config {
            readers: 0,
            ..Config::default()
        };
        let refused = none.validate().map(drop);
        assert_eq!(refused, Err(ConfigError::Zero { field: "readers" }));
    }
}
