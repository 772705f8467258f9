//! Randomness.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

/// Where random bytes come from. Fit for secrets in the real runtime; a function of the seed in
/// the simulated one.
pub trait Random: Send + Sync + fmt::Debug {
    /// Fills all of `bytes`.
    fn fill(&self, bytes: &mut [u8]);

    /// A uniformly distributed number.
    fn u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A number in `0..limit`, or 0 if `limit` is 0. The bias is below `limit / 2^64`.
    fn below(&self, limit: u64) -> u64 {
        let wide = u128::from(self.u64()) * u128::from(limit);
        u64::try_from(wide >> 64).unwrap_or(u64::MAX)
    }

    /// A 128-bit identifier; two never meet in practice.
    fn id128(&self) -> u128 {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        u128::from_le_bytes(bytes)
    }
}

/// The operating system's generator.
#[derive(Debug)]
pub(crate) struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes)
            .expect("the kernel's generator cannot fail once the system has started");
    }
}

/// A generator whose whole sequence is fixed by its seed.
pub struct SeededRandom(Mutex<StdRng>);

impl SeededRandom {
    /// Starts the sequence that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }
}

impl fmt::Debug for SeededRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SeededRandom")
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_fixes_the_sequence() {
        let draw = |seed| {
            let random = SeededRandom::new(seed);
            (0..50).map(|_| random.u64()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn below_stays_below_and_reaches_everything() {
        let random = SeededRandom::new(1);
        let mut seen = [false; 5];
        for _ in 0..500 {
            seen[usize::try_from(random.below(5)).unwrap()] = true;
        }
        assert_eq!(seen, [true; 5]);
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn the_system_generator_does_not_repeat() {
        assert_ne!(SystemRandom.id128(), SystemRandom.id128());
    }
}
