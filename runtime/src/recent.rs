//! How long something has been taking lately.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How far back is looked.
const WINDOW: Duration = Duration::from_secs(10);
/// Most times that are kept.
const MOST: usize = 128;
/// With fewer nothing is said.
const LEAST: usize = 3;
/// What has not ended after this long counts alone, before it ends.
const STUCK: Duration = Duration::from_secs(2);

/// The times that one repeated operation took in the last ten seconds, at most 128 of them. One
/// runs at a time. Clones share them.
#[derive(Clone, Default)]
pub struct Recent(Arc<Mutex<Times>>);

#[derive(Default)]
struct Times {
    /// When each ended, and how long it took.
    ended: VecDeque<(Duration, Duration)>,
    /// When the one that is under way began.
    begun: Option<Duration>,
}

impl Recent {
    /// The operation begins at this monotonic time.
    pub fn begin(&self, now: Duration) {
        self.times().begun = Some(now);
    }

    /// The operation that was begun has ended, whatever came of it.
    pub fn end(&self, now: Duration) {
        let begun = self.times().begun.take();
        if let Some(begun) = begun {
            self.record(now, now.saturating_sub(begun));
        }
    }

    /// One has ended that took this long.
    pub fn record(&self, now: Duration, took: Duration) {
        let mut times = self.times();
        if times.ended.len() == MOST {
            times.ended.pop_front();
        }
        times.ended.push_back((now, took));
    }

    /// What half of them stayed under, so that one outlier changes nothing; at least as long as
    /// one that does not come to an end. Nothing if there were too few to tell.
    pub fn typical(&self, now: Duration) -> Option<Duration> {
        let times = self.times();
        let recent = times.ended.iter();
        let recent = recent.filter(|(ended, _)| now.saturating_sub(*ended) <= WINDOW);
        let mut took: Vec<Duration> = recent.map(|(_, took)| *took).collect();
        took.sort_unstable();
        let middle = took.get(took.len() / 2).copied();
        let middle = middle.filter(|_| took.len() >= LEAST);
        let waited = times.begun.map(|begun| now.saturating_sub(begun));
        middle.max(waited.filter(|waited| *waited >= STUCK))
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Recent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recent").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn one_outlier_changes_nothing_and_what_is_long_past_is_forgotten() {
        let recent = Recent::default();
        assert_eq!(recent.typical(ms(0)), None);
        for (now, took) in [(100, 5), (200, 900), (300, 7)] {
            recent.record(ms(now), ms(took));
        }
        assert_eq!(recent.typical(ms(300)), Some(ms(7)));
        assert_eq!(recent.typical(ms(10_150)), None, "only two are left");
        for now in 0..10_000 {
            recent.record(ms(now), ms(1));
        }
        assert_eq!(recent.times().ended.len(), MOST);
    }

    #[test]
    fn what_does_not_end_is_seen_before_it_ends() {
        let recent = Recent::default();
        recent.begin(ms(1_000));
        assert_eq!(recent.typical(ms(2_000)), None);
        assert_eq!(recent.typical(ms(6_000)), Some(ms(5_000)));
        recent.end(ms(6_000));
        assert_eq!(recent.typical(ms(6_000)), None);
    }
}
