//! What goes on beside a long blocking call: ticks for its progress display,
//! keepalives while it says nothing, and its end when nobody waits for it.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;

use crate::{Output, ServeError};

/// How often a progress line without a percentage may change.
const TICK: Duration = Duration::from_millis(500);

/// After so many ticks without a byte to the client a keepalive is sent: 5
/// seconds, as git does.
const KEEPALIVE_TICKS: u32 = 10;

/// Shared by a blocking call and the task that waits for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pulse {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    tick: AtomicBool,
    said_something: AtomicBool,
    keepalive: AtomicBool,
    cancel: AtomicBool,
}

impl Pulse {
    /// Whether a tick went by since the last call.
    pub(crate) fn take_tick(&self) -> bool {
        self.shared.tick.load(Ordering::Relaxed) && self.shared.tick.swap(false, Ordering::Relaxed)
    }

    /// Notes that the client was sent something.
    pub(crate) fn said_something(&self) {
        self.shared.said_something.store(true, Ordering::Relaxed);
    }

    /// From now on keepalives may be sent: the answer is on the side band.
    pub(crate) fn allow_keepalive(&self) {
        self.shared.keepalive.store(true, Ordering::Relaxed);
    }

    /// From now on no keepalive is sent.
    pub(crate) fn forbid_keepalive(&self) {
        self.shared.keepalive.store(false, Ordering::Relaxed);
    }

    /// Set when the work is to end early.
    pub(crate) fn cancelled(&self) -> &AtomicBool {
        &self.shared.cancel
    }

    /// Sets the cancellation when dropped.
    pub(crate) fn cancel_on_drop(&self) -> CancelOnDrop {
        CancelOnDrop(Some(self.clone()))
    }

    /// Ticks and keeps alive, without end.
    pub(crate) async fn beat(&self, output: &Output, keepalive: &'static [u8]) -> Infallible {
        let mut interval = tokio::time::interval(TICK);
        let mut silent = 0;
        loop {
            interval.tick().await;
            self.shared.tick.store(true, Ordering::Relaxed);
            let spoke = self.shared.said_something.swap(false, Ordering::Relaxed);
            silent = if spoke { 0 } else { silent + 1 };
            if silent >= KEEPALIVE_TICKS && self.shared.keepalive.load(Ordering::Relaxed) {
                silent = 0;
                output.offer(Bytes::from_static(keepalive));
            }
        }
    }

    /// Runs `work` on a thread that may block, with ticks and keepalives.
    /// Dropping the future, or the client's going away, cancels it.
    ///
    /// The thread waits on the client through a bounded channel, which the
    /// runtime seam's blocking calls may not do: hence the direct use of tokio.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        output: &Output,
        keepalive: &'static [u8],
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ServeError> {
        let cancel = self.cancel_on_drop();
        let mut work = tokio::task::spawn_blocking(work);
        let done = tokio::select! {
            done = &mut work => done,
            never = self.beat(output, keepalive) => match never {},
            () = output.closed() => {
                self.shared.cancel.store(true, Ordering::Relaxed);
                work.await
            }
        };
        cancel.done();
        done.map_err(ServeError::Worker)
    }
}

/// Cancels the work when dropped, unless it was done before.
#[derive(Debug)]
pub(crate) struct CancelOnDrop(Option<Pulse>);

impl CancelOnDrop {
    /// Notes that the work is done: what follows on the same pulse goes on.
    pub(crate) fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(pulse) = &self.0 {
            pulse.shared.cancel.store(true, Ordering::Relaxed);
        }
    }
}
