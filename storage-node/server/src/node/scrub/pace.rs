use std::time::Duration;

/// The part of the time that a pass may be busy, as one in so many: a slow disk
/// is left alone for the rest, whatever the rate.
const BUSY_ONE_IN: u32 = 4;
/// The longest pause after one step.
const LONGEST: Duration = Duration::from_secs(60);

/// How fast a pass goes. Pure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::node) enum Pace {
    /// Without pauses.
    Fast,
    /// So many bytes per second at most, and not all of the time.
    Tranquil { bytes_per_second: u64 },
}

impl Pace {
    /// How long to wait after a step that read so much in this time.
    pub(in crate::node) fn pause(self, bytes: u64, took: Duration) -> Duration {
        let Self::Tranquil { bytes_per_second } = self else {
            return Duration::ZERO;
        };
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(bytes_per_second.max(1));
        let fair = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let by_rate = fair.saturating_sub(took);
        let by_share = took.saturating_mul(BUSY_ONE_IN - 1);
        by_rate.max(by_share).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::{prop_assert, proptest};

    use super::{LONGEST, Pace};

    #[test]
    fn a_fast_pass_does_not_pause() {
        let took = Duration::from_secs(1);
        assert_eq!(Pace::Fast.pause(1 << 30, took), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn neither_rate_nor_share_is_exceeded(
            bytes in 0..16u64 << 20, rate in 1u64 << 20..1 << 30, millis in 0..5_000u64
        ) {
            let took = Duration::from_millis(millis);
            let pause = Pace::Tranquil { bytes_per_second: rate }.pause(bytes, took);
            let all = (took + pause).as_secs_f64();
            prop_assert!(pause <= LONGEST);
            prop_assert!(bytes as f64 <= rate as f64 * all + 1.0);
            prop_assert!(took.as_secs_f64() <= all / 4.0 + 1e-6);
        }
    }
}
