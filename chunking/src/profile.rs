//! How each kind of content is cut.
//!
//! A profile is a promise for ever: bytes that were cut with it once are cut
//! the same way by every later release, or equal content stops sharing chunks.
//! A better set of sizes is therefore a new profile with a new number, never a
//! change of an old one; the golden vectors in `cutter/golden.rs` hold that.
//! `PROFILES.md` beside the sources has the measurements behind the sizes.

use serde::{Deserialize, Serialize};

const KIB: u32 = 1024;

/// The largest chunk that any profile makes, in bytes. What receives a chunk
/// can refuse a longer one before it allocates.
pub const MAX_CHUNK_BYTES: usize = largest_of_all();

/// The kind of content, with the version of the way it is cut.
///
/// The number is stored in manifests and never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
#[repr(u8)]
pub enum Profile {
    /// Git packs, their indexes and bitmaps: generations of a pack share the
    /// runs of objects that a repack left together.
    GitPackV1 = 1,
    /// Content that is compressed as a whole or per member: package archives,
    /// compressed image layers.
    ArchiveV1 = 2,
    /// Everything else, and what is not known to be compressed: plain tars,
    /// uncompressed layers, artifacts, logs, models, large files of LFS.
    GenericV1 = 3,
}

/// Bounds of a profile's chunks in bytes, all powers of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// No chunk but a blob's last is shorter.
    pub min: u32,
    /// Where cutting turns from reluctant to eager; about the mean length.
    pub avg: u32,
    /// No chunk is longer.
    pub max: u32,
}

/// A number that names no profile of this release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("chunking profile {0} is not known to this release: it was written by a newer one")]
pub struct UnknownProfile(pub u8);

impl Profile {
    /// Every profile, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::GitPackV1, Self::ArchiveV1, Self::GenericV1];

    /// The bounds of this profile's chunks.
    pub const fn sizes(self) -> Sizes {
        match self {
            Self::GitPackV1 => Sizes::of(64 * KIB, 128 * KIB, 512 * KIB),
            Self::ArchiveV1 => Sizes::of(128 * KIB, 256 * KIB, 1024 * KIB),
            Self::GenericV1 => Sizes::of(32 * KIB, 64 * KIB, 256 * KIB),
        }
    }

    /// The number that is stored.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl From<Profile> for u8 {
    fn from(profile: Profile) -> Self {
        profile.number()
    }
}

impl TryFrom<u8> for Profile {
    type Error = UnknownProfile;

    fn try_from(number: u8) -> Result<Self, UnknownProfile> {
        Self::ALL
            .into_iter()
            .find(|profile| profile.number() == number)
            .ok_or(UnknownProfile(number))
    }
}

impl Sizes {
    /// Checks what the crate that defines the algorithm checks only in debug
    /// builds. Run at compile time for every profile.
    const fn of(min: u32, avg: u32, max: u32) -> Self {
        use fastcdc::v2020::{
            AVERAGE_MAX, AVERAGE_MIN, MAXIMUM_MAX, MAXIMUM_MIN, MINIMUM_MAX, MINIMUM_MIN,
        };
        assert!(min.is_power_of_two() && avg.is_power_of_two() && max.is_power_of_two());
        assert!(min < avg && avg < max);
        assert!(min as usize >= MINIMUM_MIN && min as usize <= MINIMUM_MAX);
        assert!(avg as usize >= AVERAGE_MIN && avg as usize <= AVERAGE_MAX);
        assert!(max as usize >= MAXIMUM_MIN && max as usize <= MAXIMUM_MAX);
        Self { min, avg, max }
    }
}

const fn largest_of_all() -> usize {
    let mut largest = 0;
    let mut index = 0;
    while index < Profile::ALL.len() {
        let max = Profile::ALL[index].sizes().max as usize;
        if max > largest {
            largest = max;
        }
        index += 1;
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::{MAX_CHUNK_BYTES, Profile, UnknownProfile};

    #[test]
    fn stored_numbers_are_stable() {
        assert_eq!(
            Profile::ALL.map(Profile::number),
            [1, 2, 3],
            "never change a number: it is in stored manifests"
        );
        for profile in Profile::ALL {
            let stored = postcard::to_stdvec(&profile).unwrap();
            assert_eq!(stored, [profile.number()]);
            assert_eq!(postcard::from_bytes::<Profile>(&stored).unwrap(), profile);
        }
    }

    #[test]
    fn unknown_numbers_are_refused() {
        for number in [0, 4, 255] {
            assert_eq!(Profile::try_from(number), Err(UnknownProfile(number)));
            assert!(postcard::from_bytes::<Profile>(&[number]).is_err());
        }
    }

    #[test]
    fn the_largest_chunk_is_that_of_the_largest_profile() {
        let largest = Profile::ALL.map(|profile| profile.sizes().max).into_iter();
        assert_eq!(largest.max(), u32::try_from(MAX_CHUNK_BYTES).ok());
    }
}
