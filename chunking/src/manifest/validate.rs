//! Whether a manifest can be one that this code wrote.

use crate::profile::Profile;

use super::Manifest;

/// What is wrong with a manifest. Such a manifest is never stored or served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// A chunk has a length that the profile cannot make at its place.
    #[error(
        "check manifest: chunk {index} has {length} bytes, outside {least} to {most} of {profile:?}"
    )]
    ChunkLength {
        /// The chunk's place, from 0.
        index: usize,
        /// The length it claims, in bytes.
        length: u32,
        /// The least length at this place.
        least: u32,
        /// The profile's greatest length.
        most: u32,
        /// The manifest's profile.
        profile: Profile,
    },
    /// The chunks together are not as long as the blob.
    #[error("check manifest: its chunks have {sum} bytes, the blob {length}")]
    Length {
        /// Sum of the chunks' lengths.
        sum: u64,
        /// The blob's length.
        length: u64,
    },
}

impl Manifest {
    /// Checks that every chunk's length is one that the profile makes (only
    /// the last may be short, none is empty) and that they add up to the
    /// blob's length.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, in the order of the chunks.
    pub fn validate(&self) -> Result<(), ManifestError> {
        let sizes = self.profile.sizes();
        let last = self.chunks.len().saturating_sub(1);
        let mut sum = 0_u64;
        for (index, chunk) in self.chunks.iter().enumerate() {
            let least = if index == last { 1 } else { sizes.min };
            if !(least..=sizes.max).contains(&chunk.length) {
                return Err(ManifestError::ChunkLength {
                    index,
                    length: chunk.length,
                    least,
                    most: sizes.max,
                    profile: self.profile,
                });
            }
            sum = sum.saturating_add(u64::from(chunk.length));
        }
        if sum != self.length {
            return Err(ManifestError::Length {
                sum,
                length: self.length,
            });
        }
        Ok(())
    }
}
