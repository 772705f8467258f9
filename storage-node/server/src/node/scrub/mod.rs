//! Verifies by and by everything that the node keeps: the volumes and their
//! index ([`volumes::Scrub`](crate::volumes::Scrub)), then the replicas.
//!
//! A pass falls due some days after the last one began, goes at a set rate and
//! part of the time only, and goes on after a restart where it was. An order
//! begins one at once, without pauses if it says so.
//!
//! Not here: fetching what was found corrupt ([`repair`](super::repair)) or is
//! missing ([`fill`](super::fill)), and dropping what is too much, which only
//! the collector may.

mod metrics;
mod pace;
mod replicas;
mod state;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use runtime::Runtime;
use storage_node_api::placement::Placement;
use storage_node_api::scrub::{ScrubOrder, ScrubReport};
use storage_node_api::{DedupDomain, Timestamp};

use super::StorageNode;
use crate::volumes::{Belongs, Scrub, StoreError};

pub(crate) use metrics::Metrics;
pub(in crate::node) use pace::Pace;
pub(in crate::node) use replicas::chain;
pub(crate) use state::Scrubbing;

/// A pass falls due so long after the one before began.
const PERIOD: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long a node is left alone after its start.
const START_PAUSE: Duration = Duration::from_secs(60);
/// How long to wait after a failure of the store.
const FAILURE_PAUSE: Duration = Duration::from_secs(30);
/// The longest that it sleeps before it looks whether a pass is due.
const LOOK: Duration = Duration::from_secs(600);

/// How a pass ended, as far as it was driven.
#[derive(Debug)]
enum Ended {
    /// Everything was read.
    Complete,
    /// Another one was ordered.
    Ordered,
    /// The node is gone.
    Gone,
    /// The store failed; the pass goes on later.
    Failed(StoreError),
}

pub(super) async fn run(node: Weak<StorageNode>) {
    let Some((scrubbing, runtime)) = parts(&node) else {
        return;
    };
    let mut scrub = loop {
        let Some(strong) = node.upgrade() else { return };
        let store = (*strong.parts.chunks).clone();
        drop(strong);
        match Scrub::load(store).await {
            Ok(scrub) => break scrub,
            Err(error) => tell(&error),
        }
        runtime.clock.sleep(FAILURE_PAUSE).await;
    };
    scrubbing.show(&scrub);
    scrubbing.wait(&runtime, START_PAUSE).await;
    loop {
        let pace = match scrubbing.next(&scrub, runtime.clock.now()) {
            Next::GoOn(pace) => pace,
            Next::Begin(pace) => {
                if let Err(error) = scrub.begin(runtime.clock.now()).await {
                    scrubbing.stopped();
                    tell(&error);
                    runtime.clock.sleep(FAILURE_PAUSE).await;
                    continue;
                }
                pace
            }
            Next::Wait(pause) => {
                if node.upgrade().is_none() {
                    return;
                }
                scrubbing.wait(&runtime, pause).await;
                continue;
            }
        };
        let ended = pass(&mut scrub, &scrubbing, &runtime, pace, &|| belongs(&node)).await;
        match ended {
            Ended::Complete => {
                let Some(strong) = node.upgrade() else { return };
                strong.check_replicas().await;
                scrubbing.stopped();
                tracing::info!(
                    bytes = scrub.read_bytes(),
                    "a pass of the scrub is complete"
                );
            }
            Ended::Ordered => {}
            Ended::Gone => return,
            Ended::Failed(error) => {
                tell(&error);
                runtime.clock.sleep(FAILURE_PAUSE).await;
            }
        }
    }
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Begin a pass.
    Begin(Pace),
    /// Go on with the one under way.
    GoOn(Pace),
    /// Nothing for so long.
    Wait(Duration),
}

/// Drives the pass under way until it ends or something comes between.
async fn pass(
    scrub: &mut Scrub,
    scrubbing: &Scrubbing,
    runtime: &Runtime,
    pace: Pace,
    belongs: &(dyn Fn() -> Option<Arc<Belongs>> + Send + Sync),
) -> Ended {
    match scrub.total_bytes().await {
        Ok(total) => scrubbing.begun(scrub, pace, total),
        Err(error) => return Ended::Failed(error),
    }
    loop {
        if scrubbing.is_ordered() {
            return Ended::Ordered;
        }
        let Some(belongs) = belongs() else {
            return Ended::Gone;
        };
        let began = runtime.clock.monotonic();
        let step = match scrub.step(&belongs, runtime.clock.now()).await {
            Ok(step) => step,
            Err(error) => return Ended::Failed(error),
        };
        scrubbing.stepped(scrub, &step);
        if step.ended {
            return Ended::Complete;
        }
        let took = runtime.clock.monotonic().saturating_sub(began);
        let pause = pace.pause(step.bytes, took);
        if pause.is_zero() {
            tokio::task::yield_now().await;
        } else {
            scrubbing.wait(runtime, pause).await;
        }
    }
}

impl StorageNode {
    /// Orders a pass if asked to, and tells how the scrub is.
    pub(super) fn order_scrub(&self, order: ScrubOrder) -> ScrubReport {
        let scrubbing = &self.parts.scrubbing;
        if let ScrubOrder::Start { fast } = order {
            tracing::info!(fast, "a pass of the scrub is ordered");
            scrubbing.order(fast);
        }
        let chunks = &self.parts.chunks;
        let corrupt = chunks.stats().ok().map(|stats| stats.corrupt);
        scrubbing.report(corrupt, chunks.found_by_reads())
    }
}

fn parts(node: &Weak<StorageNode>) -> Option<(Arc<Scrubbing>, Runtime)> {
    let strong = node.upgrade()?;
    Some((
        Arc::clone(&strong.parts.scrubbing),
        strong.parts.runtime.clone(),
    ))
}

/// Whether chunks belong on the node, by its newest map.
fn belongs(node: &Weak<StorageNode>) -> Option<Arc<Belongs>> {
    let strong = node.upgrade()?;
    let (own, map) = (strong.id(), strong.current_map());
    // Chunks come in the order of their domains.
    let last: Mutex<Option<(DedupDomain, Placement)>> = Mutex::new(None);
    Some(Arc::new(move |domain, chunk| {
        let Some(map) = &map else { return true };
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_none_or(|(of, _)| *of != domain) {
            *last = Some((domain, Placement::new(domain, map)));
        }
        last.as_ref()
            .is_none_or(|(_, placement)| placement.is_placed(chunk, own))
    }))
}

/// Whether a pass is due, and else for how long not.
fn due(began: Option<Timestamp>, now: Timestamp) -> Result<(), Duration> {
    let Some(began) = began else { return Ok(()) };
    // A wall clock that went back must not put passes off for ever.
    let passed = now.since(began);
    if passed >= PERIOD || began > now.plus(PERIOD) {
        return Ok(());
    }
    Err((PERIOD - passed).min(LOOK))
}

fn tell(error: &StoreError) {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "the scrub cannot go on"
    );
}
