use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::field::Field;
use super::nemesis::{Kind, Nemesis};
use crate::history::{Action, Event, Outcome, Recorder};

/// How long a fault holds, in milliseconds.
const HOLD_MS: std::ops::Range<u64> = 1500..6000;
/// And the calm after it.
const CALM_MS: std::ops::Range<u64> = 500..2500;

/// What brings faults about.
pub(super) enum Hand<'a> {
    /// Our own nemeses.
    Field(&'a mut Field, Vec<Kind>),
    /// A command of the operator's, called with `start` or `heal` and a fault's name.
    Hook(&'a str, Vec<String>),
    /// Nothing.
    Idle,
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
        recorder.add(Event {
            process: "nemesis".to_owned(),
            action: Action::Fault,
            key: name,
            expected: None,
            value: None,
            through: String::new(),
            invoked_us: begin,
            completed_us: recorder.now_us(),
            outcome: Outcome::Ok,
            answered: true,
            said,
        })?;
        thread::sleep(calm);
    }
    Ok(())
}

impl Hand<'_> {
    fn count(&self) -> usize {
        match self {
            Self::Field(_, kinds) => kinds.len(),
            Self::Hook(_, names) => names.len(),
            Self::Idle => 0,
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
                let mut nemesis: Box<dyn Nemesis> = (kind.make)();
                let started = nemesis.start(field, random);
                thread::sleep(hold);
                let healed = nemesis.heal(field);
                let said = started.with_context(|| format!("start {}", kind.name))?;
                healed.with_context(|| format!("heal {} ({said})", kind.name))?;
                field.ensure_running()?;
                println!("  {}: {said}", kind.name);
                Ok((kind.name.to_owned(), said))
            }
            Self::Hook(command, names) => {
                let name = names[turn].clone();
                let said = call(command, "start", &name);
                thread::sleep(hold);
                call(command, "heal", &name)?;
                println!("  {name}");
                Ok((name, said?))
            }
            Self::Idle => Ok((String::new(), String::new())),
        }
    }
}

fn call(command: &str, verb: &str, name: &str) -> anyhow::Result<String> {
    let line = format!("{command} {verb} {name}");
    let output = Command::new("sh").args(["-c", &line]).output()?;
    ensure!(
        output.status.success(),
        "{line}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
