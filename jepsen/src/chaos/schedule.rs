use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::Bug;
use super::field::Field;
use super::foreign::Foreign;
use super::nemesis::Kind;
use crate::history::{Event, Recorder};

/// How long a fault holds, in milliseconds.
const HOLD_MS: std::ops::Range<u64> = 1500..6000;
/// And the calm after it.
const CALM_MS: std::ops::Range<u64> = 500..2500;

/// What brings faults about.
pub(super) enum Hand<'a> {
    /// Our own nemeses.
    Field(&'a mut Field, Vec<Kind>),
    /// What the operator of a cluster that is not ours has.
    Foreign(Foreign),
}

/// Breaks and mends, one fault after the other, for so long. Every chosen fault
/// has its turn before one has a second. All is mended in the end, also after an error.
pub(super) fn run(
    hand: &mut Hand<'_>,
    recorder: &Recorder,
    length: Duration,
    seed: u64,
) -> anyhow::Result<()> {
    let mut random = StdRng::seed_from_u64(seed);
    let began = Instant::now();
    let mut turns: Vec<usize> = Vec::new();
    while began.elapsed() < length {
        if turns.is_empty() {
            turns = (0..hand.count()).collect();
            turns.shuffle(&mut random);
        }
        let Some(turn) = turns.pop() else {
            thread::sleep(length.saturating_sub(began.elapsed()));
            return Ok(());
        };
        let hold = Duration::from_millis(random.random_range(HOLD_MS));
        let calm = Duration::from_millis(random.random_range(CALM_MS));
        let begin = recorder.now_us();
        let (name, said) = hand.inflict(turn, hold, &mut random)?;
        recorder.add(Event::fault(name, said, begin, recorder.now_us()))?;
        thread::sleep(calm);
    }
    Ok(())
}

impl Hand<'_> {
    /// Has our disks lie from now on, if that is the bug; says whether it is.
    pub(super) fn lie(&self, bug: Option<Bug>) -> anyhow::Result<bool> {
        let (Self::Field(field, _), Some(about)) = (self, bug.and_then(Bug::lies)) else {
            return Ok(false);
        };
        ensure!(
            !field.shims.is_empty(),
            "disks lie by the shim: choose a fault that has one, such as power"
        );
        for shim in &field.shims {
            shim.lie(about)?;
        }
        Ok(true)
    }

    fn count(&self) -> usize {
        match self {
            Self::Field(_, kinds) => kinds.len(),
            Self::Foreign(foreign) => foreign.count(),
        }
    }

    /// One fault from start to end: its name, and what it was.
    fn inflict(
        &mut self,
        turn: usize,
        hold: Duration,
        random: &mut StdRng,
    ) -> anyhow::Result<(String, String)> {
        match self {
            Self::Field(field, kinds) => {
                let kind = kinds[turn];
                let mut nemesis = kind.make();
                let started = nemesis.start(field, random);
                thread::sleep(hold.max(nemesis.least_hold()));
                let healed = nemesis.heal(field);
                let said = started.with_context(|| format!("start {}", kind.name))?;
                healed.with_context(|| format!("heal {} ({said})", kind.name))?;
                field.ensure_running()?;
                println!("  {}: {said}", kind.name);
                Ok((kind.name.to_owned(), said))
            }
            Self::Foreign(foreign) => {
                let (name, said) = foreign.inflict(turn, hold, random)?;
                println!("  {name}: {said}");
                Ok((name, said))
            }
        }
    }
}
