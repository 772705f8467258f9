//! The hashes that were asked for.

/// Hashes of one stream; a field is `Some` if its function was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hashes {
    /// BLAKE3.
    pub blake3: Option<[u8; 32]>,
    /// SHA-256.
    pub sha256: Option<[u8; 32]>,
    /// SHA-1.
    pub sha1: Option<[u8; 20]>,
    /// SHA-512.
    pub sha512: Option<[u8; 64]>,
    /// MD5.
    pub md5: Option<[u8; 16]>,
}
