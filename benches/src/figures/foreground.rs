//! One writer of small pushes that never rests, and how long each took.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use storage_node_api::Slot;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::report::{at, millis};
use super::tier::{Branch, Tier};

/// The writes that are remembered.
const MAX_WRITES: usize = 1_000_000;
/// What a writer waits between two writes, so that it is a foreground and not
/// a load.
const PAUSE: Duration = Duration::from_millis(5);

/// The writer.
#[derive(Debug)]
pub(crate) struct Foreground {
    writes: Arc<Mutex<Vec<(Instant, f64)>>>,
    stopped: Arc<AtomicBool>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Foreground {
    /// Begins to write to a branch in a slot.
    pub(crate) fn start(clients: &Runtime, tier: &Arc<Tier>, slot: Slot) -> anyhow::Result<Self> {
        let repository = clients.block_on(tier.repository(slot))?;
        let mut branch = Branch::new(repository, "main")?;
        let writes = Arc::new(Mutex::new(Vec::new()));
        let stopped = Arc::new(AtomicBool::new(false));
        let (kept, end, tier) = (Arc::clone(&writes), Arc::clone(&stopped), Arc::clone(tier));
        let task = clients.spawn(async move {
            while !end.load(Ordering::Relaxed) {
                let began = Instant::now();
                branch.push(&tier).await?;
                let took = millis(began.elapsed());
                {
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    if kept.len() < MAX_WRITES {
                        kept.push((began, took));
                    }
                }
                tokio::time::sleep(PAUSE).await;
            }
            Ok(())
        });
        Ok(Self {
            writes,
            stopped,
            task,
        })
    }

    /// Milliseconds of the writes that began in a span.
    pub(crate) fn between(&self, from: Instant, to: Instant) -> Vec<f64> {
        let writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        let within = writes
            .iter()
            .filter(|(began, _)| (from..to).contains(began));
        within.map(|(_, took)| *took).collect()
    }

    /// The longest of them.
    pub(crate) fn longest(&self, from: Instant, to: Instant) -> f64 {
        at(&self.between(from, to), 100)
    }

    /// Ends it; fails if a write failed.
    pub(crate) fn stop(self, clients: &Runtime) -> anyhow::Result<()> {
        self.stopped.store(true, Ordering::Relaxed);
        clients
            .block_on(self.task)?
            .context("the foreground's write")
    }
}
