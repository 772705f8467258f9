use std::time::Duration;

use anyhow::ensure;

use crate::history::{Action, Event, Outcome};

/// The longest time between two moments, in microseconds since the start, in which
/// no write was acknowledged.
pub fn longest_gap_us(events: &[Event], from_us: u64, to_us: u64) -> u64 {
    let writes = events.iter().filter(|event| {
        matches!(
            event.action,
            Action::Swap | Action::Overwrite | Action::Push
        ) && event.outcome == Outcome::Ok
    });
    let inside = writes
        .map(|event| event.completed_us)
        .filter(|at| (from_us..=to_us).contains(at));
    let mut moments: Vec<u64> = inside.chain([from_us, to_us]).collect();
    moments.sort_unstable();
    let gaps = moments.windows(2).map(|pair| pair[1] - pair[0]);
    gaps.max().unwrap_or(0)
}

/// Whether writes went on during every fault of this name: there was none during
/// which, for so long, no write was acknowledged.
pub fn check_progress(events: &[Event], fault: &str, limit: Duration) -> anyhow::Result<String> {
    let mut longest = Duration::ZERO;
    let mut faults = 0;
    for event in events {
        if event.action != Action::Fault || event.key != fault {
            continue;
        }
        let gap = longest_gap_us(events, event.invoked_us, event.completed_us);
        let gap = Duration::from_micros(gap);
        ensure!(
            gap <= limit,
            "{fault} ({}): no write was acknowledged for {gap:.1?}",
            event.said
        );
        longest = longest.max(gap);
        faults += 1;
    }
    Ok(format!(
        "{faults} times {fault}: at most {longest:.1?} without an acknowledged write"
    ))
}
