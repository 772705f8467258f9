//! The bytes of a snapshot: [`MAGIC`], the length of the image as 8 bytes, least
//! first, the image, and the BLAKE3 hash of the image.

use crate::SnapshotError;

/// The first bytes, with the version of this framing.
pub(super) const MAGIC: [u8; 8] = *b"dfmeta\0\x01";

const HEADER_BYTES: usize = 16;
const CHECKSUM_BYTES: usize = 32;

/// The header of an image of this length.
pub(super) fn header(image_bytes: u64) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(&MAGIC);
    header[8..].copy_from_slice(&image_bytes.to_le_bytes());
    header
}

/// Takes a snapshot apart, however its bytes are cut into parts.
#[derive(Debug, Default)]
pub(super) struct Parser {
    header: Vec<u8>,
    image_bytes: u64,
    image_seen: u64,
    hasher: blake3::Hasher,
    checksum: Vec<u8>,
}

impl Parser {
    /// The bytes of the image that `part` holds. `part` becomes what is left of
    /// it: call again until it is empty.
    pub(super) fn image<'a>(&mut self, part: &mut &'a [u8]) -> Result<&'a [u8], SnapshotError> {
        self.header
            .extend(take(part, (HEADER_BYTES - self.header.len()) as u64));
        if self.header.len() < HEADER_BYTES {
            return Ok(&[]);
        }
        let (magic, length) = self.header.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(SnapshotError::NotASnapshot);
        }
        self.image_bytes = length
            .iter()
            .rfold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let image = take(part, self.image_bytes - self.image_seen);
        self.hasher.update(image);
        self.image_seen += image.len() as u64;
        if self.image_seen == self.image_bytes {
            self.checksum
                .extend(take(part, (CHECKSUM_BYTES - self.checksum.len()) as u64));
            if !part.is_empty() {
                return Err(self.length(part.len()));
            }
        }
        Ok(image)
    }

    /// The length of the image, once the header is there.
    pub(super) fn image_bytes(&self) -> u64 {
        self.image_bytes
    }

    /// Checks that all of it was there, unchanged.
    pub(super) fn finish(&self) -> Result<(), SnapshotError> {
        if self.header.len() < HEADER_BYTES {
            return Err(SnapshotError::NotASnapshot);
        }
        if self.checksum.len() < CHECKSUM_BYTES {
            return Err(self.length(0));
        }
        if *self.hasher.finalize().as_bytes() != self.checksum[..] {
            return Err(SnapshotError::Checksum);
        }
        Ok(())
    }

    fn length(&self, excess: usize) -> SnapshotError {
        let framing = (HEADER_BYTES + CHECKSUM_BYTES) as u64;
        let found = (self.header.len() + self.checksum.len() + excess) as u64 + self.image_seen;
        SnapshotError::Length {
            expected: self.image_bytes.saturating_add(framing),
            found,
        }
    }
}

/// Cuts up to `wanted` bytes off the front.
fn take<'a>(part: &mut &'a [u8], wanted: u64) -> &'a [u8] {
    let len = usize::try_from(wanted).map_or(part.len(), |wanted| wanted.min(part.len()));
    let (taken, rest) = part.split_at(len);
    *part = rest;
    taken
}

#[cfg(test)]
mod tests {
    use super::{Parser, header};
    use crate::SnapshotError;

    fn framed(image: &[u8]) -> Vec<u8> {
        [
            &header(image.len() as u64),
            image,
            blake3::hash(image).as_bytes(),
        ]
        .concat()
    }

    fn parse(bytes: &[u8], part_bytes: usize) -> Result<Vec<u8>, SnapshotError> {
        let mut parser = Parser::default();
        let mut image = Vec::new();
        for mut part in bytes.chunks(part_bytes) {
            while !part.is_empty() {
                image.extend(parser.image(&mut part)?);
            }
        }
        parser.finish().map(|()| image)
    }

    #[test]
    fn an_image_comes_out_however_it_is_cut() {
        for image in [&b""[..], b"x", &[7; 100]] {
            for part_bytes in [1, 7, 16, 17, 1000] {
                assert_eq!(parse(&framed(image), part_bytes).as_deref(), Ok(image));
            }
        }
    }

    #[test]
    fn damage_anywhere_is_found() {
        let good = framed(b"image");
        for end in 0..good.len() {
            assert!(parse(&good[..end], 10).is_err(), "cut at {end}");
        }
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert!(parse(&bad, 10).is_err(), "changed at {at}");
        }
        let longer = [&good[..], b"x"].concat();
        let expected = SnapshotError::Length {
            expected: 53,
            found: 54,
        };
        assert_eq!(parse(&longer, 10), Err(expected));
        assert_eq!(parse(&[b'x'; 60], 10), Err(SnapshotError::NotASnapshot));
    }
}
