//! Values as they are stored: a byte for the format, then postcard.

use bytes::Bytes;

use crate::fault::Fault;
use crate::keys::Key;

/// The format of every family's values as this release writes them.
const V1: u8 = 1;

/// The stored form of a value.
pub(crate) fn encode<K: Key>(value: &K::Value) -> Result<Bytes, Fault> {
    let family = K::FAMILY as u8;
    postcard::to_extend(value, vec![V1])
        .map(Bytes::from)
        .map_err(|source| Fault::Value { family, source })
}

/// The value of its stored form.
pub(crate) fn decode<K: Key>(bytes: &[u8]) -> Result<K::Value, Fault> {
    let family = K::FAMILY as u8;
    match bytes.split_first() {
        Some((&V1, rest)) => {
            postcard::from_bytes(rest).map_err(|source| Fault::Value { family, source })
        }
        other => Err(Fault::ValueVersion {
            family,
            found: other.map_or(0, |(version, _)| *version),
        }),
    }
}
