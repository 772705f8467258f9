//! Names made of hashes: a chunk's, a blob's, a manifest's.
//!
//! Each is its own type, so that one cannot be passed for another although all
//! are 32 bytes. They are stored as the bare 32 bytes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hex::{self, ParseIdError};

macro_rules! hash_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Shown and parsed as 64 hexadecimal digits; serialised as a fixed
        /// array of 32 bytes; ordered as its bytes.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Takes the hash as it is, without any check.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes of the hash.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                hex::write(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                hex::write(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                hex::parse(text).map(Self)
            }
        }
    };
}

hash_id! {
    /// The name of a chunk: the BLAKE3 hash of its bytes.
    ChunkId
}

hash_id! {
    /// The name of a blob: the SHA-256 hash of all its bytes.
    BlobId
}

hash_id! {
    /// The name of a manifest: the BLAKE3 hash of its canonical encoding, with
    /// a key of its own so that it is never the id of a chunk.
    Root
}

impl ChunkId {
    /// The id of a chunk with these bytes. This is also the check: a chunk is
    /// intact if and only if `ChunkId::of` its bytes is its id.
    pub fn of(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes).into())
    }
}

impl BlobId {
    /// The id of a blob with these bytes, for blobs small enough to be in
    /// memory; [`Pipeline`](crate::Pipeline) computes it for streams.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

#[cfg(test)]
mod tests {
    use super::{BlobId, ChunkId};
    use crate::ParseIdError;

    const EMPTY_BLAKE3: &str = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
    const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn ids_are_the_published_hashes() {
        assert_eq!(ChunkId::of(b"").to_string(), EMPTY_BLAKE3);
        assert_eq!(BlobId::of(b"").to_string(), EMPTY_SHA256);
        assert_eq!(format!("{:?}", ChunkId::of(b"")), EMPTY_BLAKE3);
    }

    #[test]
    fn text_form_parses_back_in_either_case() {
        let id = ChunkId::of(b"x");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
    }

    #[test]
    fn bad_text_is_refused_with_its_place() {
        let digit = |position| Err::<ChunkId, _>(ParseIdError::Digit { position });
        let mut text = EMPTY_BLAKE3.to_owned();
        text.replace_range(7..8, "g");
        assert_eq!(text.parse(), digit(7));
        text.replace_range(0..1, "+");
        assert_eq!(text.parse(), digit(0));
        for bad in ["", "af", "é", &EMPTY_BLAKE3[1..]] {
            assert_eq!(
                bad.parse::<ChunkId>(),
                Err(ParseIdError::Length { found: bad.len() })
            );
        }
    }

    #[test]
    fn stored_form_is_the_bare_bytes() {
        let id = ChunkId::of(b"x");
        let stored = postcard::to_stdvec(&id).unwrap();
        assert_eq!(stored, id.as_bytes());
        assert_eq!(postcard::from_bytes::<ChunkId>(&stored).unwrap(), id);
        assert_eq!(ChunkId::from_bytes(*id.as_bytes()), id);
    }
}
