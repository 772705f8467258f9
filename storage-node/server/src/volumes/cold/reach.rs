use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use objects::{ObjectError, Objects};
use runtime::Clock;

use super::metrics::Metrics;

/// How long after the first failure the store is tried again; each time twice as long.
const AGAIN: Duration = Duration::from_secs(1);
/// The longest of these pauses.
const LONGEST: Duration = Duration::from_secs(60);

/// The object store, and whether it can be reached: after a failure calls are refused at once until
/// it is time to try again, so that nobody queues before a store that is away.
#[derive(Debug)]
pub(super) struct Reach {
    objects: Arc<dyn Objects>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    away: Mutex<Option<Away>>,
}

#[derive(Debug)]
struct Away {
    pause: Duration,
    until: Duration,
    last: ObjectError,
}

impl Reach {
    pub(super) fn new(objects: Arc<dyn Objects>, clock: Arc<dyn Clock>, metrics: Metrics) -> Self {
        metrics.reachable.set(1);
        Self {
            objects,
            clock,
            metrics,
            away: Mutex::default(),
        }
    }

    /// Asks the store something; refused without asking while it is away.
    pub(super) fn ask<T>(
        &self,
        call: impl FnOnce(&dyn Objects) -> Result<T, ObjectError>,
    ) -> Result<T, ObjectError> {
        if let Some(error) = self.is_away() {
            return Err(error);
        }
        let answer = call(&*self.objects);
        self.heard(&answer);
        answer
    }

    /// Why the store is away, if it is and it is not yet time to try again.
    pub(super) fn is_away(&self) -> Option<ObjectError> {
        let away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        let away = away.as_ref()?;
        (self.clock.monotonic() < away.until).then(|| away.last.clone())
    }

    /// For how long it is left alone.
    pub(super) fn pause(&self) -> Duration {
        let away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        let until = away.as_ref().map(|away| away.until);
        until
            .unwrap_or_default()
            .saturating_sub(self.clock.monotonic())
    }

    /// Takes note of an answer that was got elsewhere.
    pub(super) fn heard<T>(&self, answer: &Result<T, ObjectError>) {
        let error = answer.as_ref().err();
        if let Some(error) = error {
            self.metrics.error(error.kind());
        }
        let failed = error.filter(|error| {
            matches!(
                error,
                ObjectError::Unreachable { .. } | ObjectError::Denied { .. }
            )
        });
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        match failed {
            Some(error) => {
                if away.is_none() {
                    tracing::error!(%error, "the cold store cannot be used: cold chunks are read \
                        from peers, nothing more is uploaded");
                }
                let pause = away
                    .as_ref()
                    .map_or(AGAIN, |away| away.pause * 2)
                    .min(LONGEST);
                self.metrics.reachable.set(0);
                *away = Some(Away {
                    pause,
                    until: self.clock.monotonic() + pause,
                    last: error.clone(),
                });
            }
            None => {
                if away.take().is_some() {
                    tracing::info!("the cold store can be used again");
                }
                self.metrics.reachable.set(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use objects::{MemoryObjects, ObjectError};
    use runtime::Runtime;

    use super::{LONGEST, Reach};
    use crate::volumes::cold::Metrics;

    #[test]
    fn a_store_that_is_away_is_asked_ever_less_often_and_at_last_heard_again() {
        let (runtime, clock) = Runtime::simulated(1);
        let store = MemoryObjects::new();
        let reach = Reach::new(Arc::new(store.clone()), runtime.clock, Metrics::default());
        let ask = || reach.ask(|objects| objects.length("a"));
        store.faults().fail_all_after(0);
        for tries in 1..=20 {
            for _ in 0..3 {
                assert!(matches!(ask(), Err(ObjectError::Unreachable { .. })));
            }
            assert_eq!(store.faults().calls(), tries, "one try for each pause");
            assert!(reach.pause() <= LONGEST);
            clock.advance(reach.pause());
        }
        store.faults().heal();
        assert!(
            matches!(ask(), Err(ObjectError::Missing { .. })),
            "an answer is an answer"
        );
        assert_eq!(reach.pause(), Duration::ZERO);
    }
}
