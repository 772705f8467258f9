//! What happened, in order: a hash of all of it, and the text where wanted.

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

/// The events of one run. Clones share them.
#[derive(Clone)]
pub struct Trace(Arc<Mutex<Inner>>);

struct Inner {
    began: Instant,
    hasher: blake3::Hasher,
    events: u64,
    shown: bool,
}

impl Trace {
    /// A trace that begins now. If it is shown, its text goes to standard output.
    pub fn begin(shown: bool) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            began: Instant::now(),
            hasher: blake3::Hasher::new(),
            events: 0,
            shown,
        })))
    }

    /// Notes one event, with the simulated time.
    pub fn event(&self, what: fmt::Arguments<'_>) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = inner.began.elapsed();
        let line = format!(
            "{:>7}.{:03} {what}\n",
            at.as_millis(),
            at.subsec_micros() % 1000
        );
        inner.events += 1;
        inner.hasher.update(line.as_bytes());
        if inner.shown {
            // A reader that has gone away ends the text, not the run.
            let _ = std::io::stdout().write_all(line.as_bytes());
        }
    }

    /// How many events there were, and the hash of them all.
    pub fn digest(&self) -> (u64, String) {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = inner.hasher.finalize().to_hex();
        (inner.events, hash[..16].to_owned())
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trace").field(&self.digest()).finish()
    }
}
