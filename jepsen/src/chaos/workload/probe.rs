use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::door::Door;
use super::wire;

/// The pause after a write that was not acknowledged.
const PAUSE: Duration = Duration::from_millis(10);

/// One client that moves one ref, and does not give up.
#[derive(Debug)]
pub(crate) struct Probe {
    door: Door,
    repository: String,
    commits: Vec<String>,
    next: usize,
}

impl Probe {
    /// A client of a repository that holds these commits.
    pub(crate) fn new(door: Door, repository: String, commits: Vec<String>) -> Self {
        Self {
            door,
            repository,
            commits,
            next: 0,
        }
    }

    /// Makes a ref of a new name, trying until that is acknowledged. How long it took.
    pub(crate) fn write_until_acknowledged(&mut self, limit: Duration) -> anyhow::Result<Duration> {
        let began = Instant::now();
        loop {
            // A try of unknown outcome may have made its ref: none is tried twice.
            self.next += 1;
            let name = format!("refs/heads/probe-{}", self.next);
            let commit = &self.commits[self.next % self.commits.len()];
            let told = format!("ok {name}");
            let request = wire::update(&self.repository, &[name], None, commit);
            let answer = self.door.send(&request)?;
            if answer.status == 200 && answer.text().contains(&told) {
                return Ok(began.elapsed());
            }
            ensure!(
                began.elapsed() < limit,
                "no write was acknowledged within {limit:?}: {} {}",
                answer.status,
                answer.text()
            );
            thread::sleep(PAUSE);
        }
    }
}
