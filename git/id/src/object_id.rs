use std::fmt;
use std::str::FromStr;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The hash function that names a repository's objects.
///
/// The discriminants are persisted: never change one.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[repr(u8)]
pub enum HashKind {
    /// SHA-1, 20 bytes.
    #[default]
    Sha1 = 1,
    /// SHA-256, 32 bytes.
    Sha256 = 2,
}

impl HashKind {
    /// Length of an id in bytes: 20 or 32.
    pub const fn len_bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// Length of an id in hexadecimal digits: 40 or 64.
    pub const fn len_hex(self) -> usize {
        self.len_bytes() * 2
    }

    /// The name that git's `object-format` capability uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
        }
    }

    /// The kind with that `object-format` name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "sha1" => Some(Self::Sha1),
            "sha256" => Some(Self::Sha256),
            _ => None,
        }
    }
}

impl fmt::Display for HashKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of a git object: the SHA-1 or SHA-256 of its header and content.
///
/// Ordered by bytes, as pack indexes are. Serialised as its raw bytes, whose
/// length tells the kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    bytes: [u8; 32],
    kind: HashKind,
}

impl ObjectId {
    /// The all-zero id, which stands for "no object" in ref updates.
    pub const fn null(kind: HashKind) -> Self {
        Self {
            bytes: [0; 32],
            kind,
        }
    }

    /// An id from its 20 or 32 raw bytes; `None` for any other length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let kind = match bytes.len() {
            20 => HashKind::Sha1,
            32 => HashKind::Sha256,
            _ => return None,
        };
        let mut padded = [0; 32];
        padded[..bytes.len()].copy_from_slice(bytes);
        Some(Self {
            bytes: padded,
            kind,
        })
    }

    /// An id from exactly 40 or 64 hexadecimal digits of either case.
    pub fn from_hex(hex: &[u8]) -> Result<Self, ParseObjectIdError> {
        let kind = match hex.len() {
            40 => HashKind::Sha1,
            64 => HashKind::Sha256,
            length => return Err(ParseObjectIdError::Length { length }),
        };
        let mut bytes = [0; 32];
        for (target, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            let digit = |c: u8| {
                (c as char)
                    .to_digit(16)
                    .ok_or(ParseObjectIdError::NotHexadecimal)
            };
            *target = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
        }
        Ok(Self { bytes, kind })
    }

    /// The raw bytes, 20 or 32 of them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.kind.len_bytes()]
    }

    /// The hash function that made this id.
    pub const fn kind(&self) -> HashKind {
        self.kind
    }

    /// Whether this is the all-zero id.
    pub fn is_null(&self) -> bool {
        self.bytes == [0; 32]
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes()
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ObjectId {
    type Err = ParseObjectIdError;

    fn from_str(hex: &str) -> Result<Self, Self::Err> {
        Self::from_hex(hex.as_bytes())
    }
}

/// Why a text is not an object id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseObjectIdError {
    /// Neither 40 nor 64 digits.
    #[error("an object id has 40 or 64 hexadecimal digits, not {length}")]
    Length {
        /// How many bytes were given.
        length: usize,
    },
    /// A byte that is no hexadecimal digit.
    #[error("an object id consists of hexadecimal digits")]
    NotHexadecimal,
}

impl Serialize for ObjectId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.as_bytes())
    }
}

impl<'de> Deserialize<'de> for ObjectId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl<'de> Visitor<'de> for Bytes {
            type Value = ObjectId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("20 or 32 bytes")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<ObjectId, E> {
                ObjectId::from_bytes(bytes).ok_or_else(|| E::invalid_length(bytes.len(), &self))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ObjectId, A::Error> {
                let mut bytes = Vec::with_capacity(32);
                while let Some(byte) = seq.next_element()? {
                    if bytes.len() == 32 {
                        return Err(A::Error::invalid_length(33, &self));
                    }
                    bytes.push(byte);
                }
                self.visit_bytes(&bytes)
            }
        }

        deserializer.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::{HashKind, ObjectId, ParseObjectIdError};

    proptest! {
        #[test]
        fn hexadecimal_and_serialised_forms_round_trip(bytes: [u8; 32], short in any::<bool>()) {
            let length = if short { 20 } else { 32 };
            let id = ObjectId::from_bytes(&bytes[..length]).unwrap();
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(id.to_string().len(), id.kind().len_hex());
            let stored = postcard::to_allocvec(&id).unwrap();
            assert_eq!(stored.len(), length + 1);
            assert_eq!(postcard::from_bytes::<ObjectId>(&stored).unwrap(), id);
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        assert_eq!(
            "".parse::<ObjectId>(),
            Err(ParseObjectIdError::Length { length: 0 })
        );
        assert_eq!(
            "g".repeat(40).parse::<ObjectId>(),
            Err(ParseObjectIdError::NotHexadecimal)
        );
        assert!(ObjectId::from_bytes(&[0; 21]).is_none());
        assert!(postcard::from_bytes::<ObjectId>(&[3, 1, 2, 3]).is_err());
        assert!(ObjectId::null(HashKind::Sha1).is_null());
    }
}
