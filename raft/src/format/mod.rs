//! Bytes on disk and between nodes: a version byte, then postcard.
//!
//! The types are this crate's own, so that openraft may change its serialisation without
//! changing what was written. A format that was released is never edited; a new one gets its own
//! module and number, and the old one stays readable.

pub(crate) mod v1;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The version written.
pub(crate) const VERSION: u8 = 1;

/// Bytes that are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Written by a newer version of the program, or not by it at all.
    #[error("record has format version {found}, this program knows up to {known}")]
    Version {
        /// The version byte found.
        found: u8,
        /// The newest version known.
        known: u8,
    },
    /// Cut off, overlong or damaged.
    #[error("record is damaged: {reason}")]
    Damaged {
        /// What was wrong.
        reason: String,
    },
}

pub(crate) fn damaged(reason: impl ToString) -> FormatError {
    FormatError::Damaged {
        reason: reason.to_string(),
    }
}

/// Writes the version byte and the value.
pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_extend(value, vec![VERSION]).expect("our types serialise into memory without fail")
}

/// Reads what [`encode`] wrote; every byte must belong to it.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FormatError> {
    let (version, rest) = bytes.split_first().ok_or_else(|| damaged("it is empty"))?;
    if *version != VERSION {
        return Err(FormatError::Version {
            found: *version,
            known: VERSION,
        });
    }
    let (value, rest) = postcard::take_from_bytes(rest).map_err(damaged)?;
    if !rest.is_empty() {
        return Err(damaged("it has bytes after its end"));
    }
    Ok(value)
}
