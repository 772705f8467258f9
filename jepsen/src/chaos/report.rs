use crate::checkers::{Verdict, longest_gap_us};
use crate::history::{Action, Event};

/// A stretch of a run.
#[derive(Clone, Debug)]
pub struct Phase {
    /// `before`, `during` or `after`.
    pub name: &'static str,
    /// Microseconds since the start.
    pub from_us: u64,
    /// Microseconds since the start.
    pub to_us: u64,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Before, during and after the faults.
    pub phases: Vec<Phase>,
    /// One for each promise.
    pub verdicts: Vec<Verdict>,
    /// All that was seen.
    pub events: Vec<Event>,
}

/// What clients met in a phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Served {
    pub(super) calls: usize,
    /// Of all calls the share that a server answered, in percent.
    pub(super) answered: f64,
    /// Milliseconds.
    pub(super) p50: f64,
    /// Milliseconds.
    pub(super) p99: f64,
}

impl Report {
    /// Whether every promise was kept, and that could be told.
    pub fn is_kept(&self) -> bool {
        self.verdicts
            .iter()
            .all(|verdict| verdict.kept == Some(true))
    }

    /// The verdict of a checker.
    pub fn verdict(&self, checker: &str) -> Option<&Verdict> {
        self.verdicts
            .iter()
            .find(|verdict| verdict.checker == checker)
    }

    /// What clients met in a phase.
    #[expect(
        clippy::cast_precision_loss,
        reason = "shares and milliseconds for a person"
    )]
    pub(super) fn served(&self, phase: &Phase) -> Served {
        let belongs = |event: &&Event| {
            event.action != Action::Fault
                && (phase.from_us..phase.to_us).contains(&event.invoked_us)
        };
        let events: Vec<&Event> = self.events.iter().filter(belongs).collect();
        let mut answered: Vec<u64> = events
            .iter()
            .filter(|event| event.answered)
            .map(|event| event.completed_us - event.invoked_us)
            .collect();
        answered.sort_unstable();
        let quantile = |of_hundred: usize| {
            let index = (answered.len() * of_hundred / 100).min(answered.len().saturating_sub(1));
            answered.get(index).map_or(0.0, |us| *us as f64 / 1000.0)
        };
        Served {
            calls: events.len(),
            answered: answered.len() as f64 * 100.0 / events.len().max(1) as f64,
            p50: quantile(50),
            p99: quantile(99),
        }
    }

    /// The longest time in which no write was acknowledged, in microseconds.
    pub(super) fn longest_gap_us(&self) -> u64 {
        let from = self.phases.first().map_or(0, |phase| phase.from_us);
        let to = self.phases.last().map_or(0, |phase| phase.to_us);
        longest_gap_us(&self.events, from, to)
    }

    /// The report in lines for a terminal.
    pub fn print(&self) {
        for phase in &self.phases {
            let served = self.served(phase);
            println!(
                "{:<7} {:>5} calls, {:5.1} % answered, p50 {:.0} ms, p99 {:.0} ms",
                phase.name, served.calls, served.answered, served.p50, served.p99
            );
        }
        println!(
            "longest time without an acknowledged write: {} ms",
            self.longest_gap_us() / 1000
        );
        for verdict in &self.verdicts {
            println!(
                "{:<10} {:<7} {}",
                verdict.checker,
                verdict.word(),
                verdict.said
            );
        }
    }
}
