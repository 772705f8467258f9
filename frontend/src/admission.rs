use std::sync::Arc;
use std::time::Duration;

use domain::Failure;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::{TURN_PATIENCE, WAITING};

/// Too many requests of a kind are being served, and too many wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server is busy; try again in a few seconds")]
pub(crate) struct Overloaded;

impl Overloaded {
    pub(crate) fn failure(&self) -> Failure {
        Failure::Overloaded
    }
}

/// Lets so many of a kind work at a time, some wait, and turns away the rest.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    working: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    in_use: Gauge,
}

/// A turn; ends when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _permit: OwnedSemaphorePermit,
    in_use: Gauge,
}

impl Admission {
    /// `in_use` shows how many work.
    pub(crate) fn new(limit: usize, in_use: Gauge) -> Self {
        let waiting = Arc::new(Semaphore::new(WAITING));
        Self {
            working: Arc::new(Semaphore::new(limit)),
            waiting,
            in_use,
        }
    }

    /// Waits for a turn, at most [`TURN_PATIENCE`].
    pub(crate) async fn enter(&self) -> Result<Turn, Overloaded> {
        self.enter_within(TURN_PATIENCE).await
    }

    async fn enter_within(&self, patience: Duration) -> Result<Turn, Overloaded> {
        let permit = match Arc::clone(&self.working).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _place = self.waiting.try_acquire().map_err(|_| Overloaded)?;
                let turn = Arc::clone(&self.working).acquire_owned();
                let turn = tokio::time::timeout(patience, turn).await;
                turn.map_err(|_| Overloaded)?.map_err(|_| Overloaded)?
            }
        };
        self.in_use.inc();
        Ok(Turn {
            _permit: permit,
            in_use: self.in_use.clone(),
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.in_use.dec();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use prometheus_client::metrics::gauge::Gauge;

    use super::{Admission, Overloaded};

    #[tokio::test]
    async fn who_waits_too_long_is_turned_away() {
        let gauge = Gauge::default();
        let admission = Admission::new(1, gauge.clone());
        let first = admission.enter().await.unwrap();
        assert_eq!(gauge.get(), 1);
        let second = admission.enter_within(Duration::from_millis(5)).await;
        assert_eq!(second.err(), Some(Overloaded));
        drop(first);
        assert_eq!(gauge.get(), 0);
        assert!(
            admission
                .enter_within(Duration::from_millis(5))
                .await
                .is_ok()
        );
    }
}
