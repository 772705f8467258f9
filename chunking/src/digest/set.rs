//! Which hashes are wanted.

use std::fmt;
use std::ops::BitOr;

/// A hash function for whole streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum DigestKind {
    /// BLAKE3 with 256 bits.
    Blake3 = 0,
    /// SHA-256: the name of a blob, and of most of what registries hold.
    Sha256 = 1,
    /// SHA-1: not to be trusted, but asked for by npm and Maven clients.
    Sha1 = 2,
    /// SHA-512: npm, NuGet.
    Sha512 = 3,
    /// MD5: not to be trusted, but asked for by Debian and Maven clients.
    Md5 = 4,
}

/// A set of hash functions.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct DigestSet(u8);

impl DigestKind {
    /// Every function, in the order in which they are computed.
    pub const ALL: [Self; 5] = [
        Self::Blake3,
        Self::Sha256,
        Self::Sha1,
        Self::Sha512,
        Self::Md5,
    ];
}

impl DigestSet {
    /// No function.
    pub const NONE: Self = Self(0);
    /// Only BLAKE3.
    pub const BLAKE3: Self = Self::NONE.with(DigestKind::Blake3);
    /// Only SHA-256.
    pub const SHA256: Self = Self::NONE.with(DigestKind::Sha256);
    /// Only SHA-1.
    pub const SHA1: Self = Self::NONE.with(DigestKind::Sha1);
    /// Only SHA-512.
    pub const SHA512: Self = Self::NONE.with(DigestKind::Sha512);
    /// Only MD5.
    pub const MD5: Self = Self::NONE.with(DigestKind::Md5);
    /// Every function.
    pub const ALL: Self = Self::NONE
        .with(DigestKind::Blake3)
        .with(DigestKind::Sha256)
        .with(DigestKind::Sha1)
        .with(DigestKind::Sha512)
        .with(DigestKind::Md5);

    /// This set and `kind`.
    #[must_use]
    pub const fn with(self, kind: DigestKind) -> Self {
        Self(self.0 | 1 << kind as u8)
    }

    /// Whether `kind` is in the set.
    pub const fn contains(self, kind: DigestKind) -> bool {
        self.0 & 1 << kind as u8 != 0
    }

    /// The functions in the set.
    pub fn kinds(self) -> impl Iterator<Item = DigestKind> {
        DigestKind::ALL
            .into_iter()
            .filter(move |&kind| self.contains(kind))
    }
}

impl BitOr for DigestSet {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl From<DigestKind> for DigestSet {
    fn from(kind: DigestKind) -> Self {
        Self::NONE.with(kind)
    }
}

impl FromIterator<DigestKind> for DigestSet {
    fn from_iter<I: IntoIterator<Item = DigestKind>>(kinds: I) -> Self {
        kinds.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for DigestSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.kinds()).finish()
    }
}
