use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context;

use super::{Action, Event, Outcome};

/// Collects the events of a run, and writes each to the file as it comes, so
/// that a run that was cut short leaves what it saw.
#[derive(Debug)]
pub struct Recorder {
    began: Instant,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    events: Vec<Event>,
}

impl Recorder {
    /// Starts the clock and the file.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let file = File::create(path).with_context(|| format!("create {}", path.display()))?;
        Ok(Self {
            began: Instant::now(),
            inner: Mutex::new(Inner {
                file,
                events: Vec::new(),
            }),
        })
    }

    /// Microseconds since the start.
    pub fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Adds an event.
    pub fn add(&self, event: Event) -> anyhow::Result<()> {
        let mut text = serde_json::to_string(&event)?;
        text.push('\n');
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.file.write_all(text.as_bytes())?;
        inner.events.push(event);
        Ok(())
    }

    /// How many client operations were acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = |event: &&Event| event.action != Action::Fault && event.outcome == Outcome::Ok;
        inner.events.iter().filter(counts).count()
    }

    /// All events so far.
    pub fn events(&self) -> Vec<Event> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.events.clone()
    }
}
