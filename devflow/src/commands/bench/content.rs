use runtime::Random;

/// How far apart the marks are that make each content its own: less than the
/// least chunk, so that no chunk is shared.
const MARK_EVERY: usize = 4096;
const MARK_BYTES: usize = 16;

/// Random bytes of one size, of which every copy differs in every chunk.
pub(super) struct Content {
    base: Vec<u8>,
}

impl Content {
    pub(super) fn new(size: usize, random: &dyn Random) -> Self {
        let mut seed = [0; 32];
        random.fill(&mut seed);
        let mut base = vec![0; size];
        blake3::Hasher::new_keyed(&seed)
            .finalize_xof()
            .fill(&mut base);
        Self { base }
    }

    pub(super) fn size(&self) -> usize {
        self.base.len()
    }

    /// Bytes that nobody has seen before.
    pub(super) fn fresh(&self, random: &dyn Random) -> Vec<u8> {
        let mut bytes = self.base.clone();
        let mark = random.id128().to_le_bytes();
        for block in bytes.chunks_mut(MARK_EVERY) {
            let length = block.len().min(MARK_BYTES);
            block[..length].copy_from_slice(&mark[..length]);
        }
        bytes
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Content({} bytes)", self.base.len())
    }
}

#[cfg(test)]
mod tests {
    use runtime::Runtime;

    use super::{Content, MARK_EVERY};

    #[test]
    fn no_block_of_two_contents_is_alike() {
        let random = Runtime::real().random;
        let content = Content::new(3 * MARK_EVERY + 20, &*random);
        let (one, two) = (content.fresh(&*random), content.fresh(&*random));
        assert_eq!(one.len(), content.size());
        for (a, b) in one.chunks(MARK_EVERY).zip(two.chunks(MARK_EVERY)) {
            assert_ne!(a, b);
        }
    }
}
