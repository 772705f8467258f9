use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde::Serialize;

/// What a client knows of its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// It was acknowledged.
    Ok,
    /// It was refused: it did not happen.
    Fail,
    /// Nobody said.
    Unknown,
}

/// One line of the history.
#[derive(Debug, Serialize)]
pub(super) struct Line<'a> {
    /// Milliseconds since the start.
    pub(super) begin_ms: u128,
    /// Milliseconds since the start.
    pub(super) end_ms: u128,
    /// `push`, `kill` or `start`.
    pub(super) operation: &'a str,
    /// Who did it, or to whom.
    pub(super) process: &'a str,
    /// The value: a commit for a push.
    pub(super) value: &'a str,
    /// How it ended.
    pub(super) outcome: Outcome,
    /// What git said, if it failed.
    pub(super) said: &'a str,
}

/// The record of a run: one JSON object a line.
#[derive(Debug)]
pub(super) struct History {
    began: Instant,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    pushes: [usize; 3],
}

impl History {
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        let file = File::create(path)?;
        Ok(Self {
            began: Instant::now(),
            inner: Mutex::new(Inner {
                file,
                pushes: [0; 3],
            }),
        })
    }

    /// Milliseconds since the start.
    pub(super) fn now_ms(&self) -> u128 {
        self.began.elapsed().as_millis()
    }

    pub(super) fn add(&self, line: &Line<'_>) -> anyhow::Result<()> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if line.operation == "push" {
            inner.pushes[line.outcome as usize] += 1;
        }
        let text = serde_json::to_string(line)?;
        writeln!(inner.file, "{text}")?;
        Ok(())
    }

    /// How many pushes were acknowledged, failed, and neither.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let [ok, fail, unknown] = inner.pushes;
        (ok, fail, unknown)
    }
}
