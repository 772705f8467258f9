use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rand::Rng;

use super::door::{Answer, Door};
use super::{Shared, wire};
use crate::checkers::join_values;
use crate::history::{Action, Event, Outcome};

/// How many registers are used at once.
const SLOTS: usize = 3;
/// After so many calls a register is left alone and another begun, so that no
/// search of a judge grows without limit.
const CALLS: usize = 50;
/// The longest pause between two calls of a client, in milliseconds.
const PAUSE_MS: u64 = 60;

/// Clients that compare and swap refs, one at a time or several that only ever
/// move together, and read them.
#[derive(Debug)]
pub(crate) struct Refs {
    name: &'static str,
    /// How many refs make one register.
    width: usize,
    /// The repository, with its owner.
    repository: String,
    commits: Vec<String>,
    next: AtomicUsize,
    slots: Mutex<Vec<Slot>>,
    /// Each ref in a request of its own: a bug put back.
    split: bool,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    generation: usize,
    calls: usize,
    last: Option<String>,
}

impl Refs {
    /// Clients of the registers of one repository, which holds these commits.
    pub(crate) fn new(
        name: &'static str,
        width: usize,
        repository: String,
        commits: Vec<String>,
        split: bool,
    ) -> Self {
        Self {
            name,
            width,
            repository,
            commits,
            next: AtomicUsize::new(0),
            slots: Mutex::new(vec![Slot::default(); SLOTS]),
            split,
        }
    }

    /// Calls until stopped.
    pub(super) fn work(&self, shared: &Shared, number: usize) -> anyhow::Result<()> {
        let mut random = rand::rng();
        while shared.is_running() {
            let door = &shared.doors[random.random_range(0..shared.doors.len())];
            let slot = random.random_range(0..SLOTS);
            let (key, last) = self.choose(slot);
            let process = format!("{}-{number}", self.name);
            let found = if random.random_bool(0.5) {
                self.read(shared, process, &key, door)?
            } else {
                self.swap(shared, process, &key, last, door)?
            };
            if let Some(found) = found {
                self.remember(slot, &key, found);
            }
            thread::sleep(Duration::from_millis(random.random_range(0..PAUSE_MS)));
        }
        Ok(())
    }

    /// Reads every register that was ever used.
    pub(super) fn read_all(&self, shared: &Shared, door: &Door) -> anyhow::Result<()> {
        let slots = self
            .slots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for (number, slot) in slots.iter().enumerate() {
            for generation in 0..=slot.generation {
                let key = self.key(number, generation);
                self.read(shared, format!("final-{}", door.name), &key, door)?;
            }
        }
        Ok(())
    }

    fn key(&self, slot: usize, generation: usize) -> String {
        format!("refs/heads/{}-{slot}-{generation}", self.name)
    }

    fn choose(&self, number: usize) -> (String, Option<String>) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = &mut slots[number];
        slot.calls += 1;
        if slot.calls > CALLS {
            *slot = Slot {
                generation: slot.generation + 1,
                ..Slot::default()
            };
        }
        (self.key(number, slot.generation), slot.last.clone())
    }

    fn remember(&self, number: usize, key: &str, found: Option<String>) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = &mut slots[number];
        if self.key(number, slot.generation) == key {
            slot.last = found;
        }
    }

    fn refs(&self, key: &str) -> Vec<String> {
        match self.width {
            1 => vec![key.to_owned()],
            width => (0..width).map(|part| format!("{key}/{part}")).collect(),
        }
    }

    /// The value that was found, if one was.
    fn read(
        &self,
        shared: &Shared,
        process: String,
        key: &str,
        door: &Door,
    ) -> anyhow::Result<Option<Option<String>>> {
        let mut event = shared.begin(process, Action::Read, key, door);
        let answer = door.send(&wire::list(&self.repository, key))?;
        if answer.status == 200 {
            let text = answer.text();
            let refs = self.refs(key);
            let values: Vec<_> = refs
                .iter()
                .map(|name| wire::value_of(&text, name))
                .collect();
            event.value = join_values(&values);
            event.outcome = Outcome::Ok;
            event.answered = true;
        } else {
            event.said = format!("{} {}", answer.status, answer.text());
        }
        let found = (event.outcome == Outcome::Ok).then(|| event.value.clone());
        shared.end(event)?;
        Ok(found)
    }

    fn swap(
        &self,
        shared: &Shared,
        process: String,
        key: &str,
        last: Option<String>,
        door: &Door,
    ) -> anyhow::Result<Option<Option<String>>> {
        // A group seen in part has no value that a swap could demand.
        let last = last.filter(|value| value.len() == 40);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let value = self.commits[number % self.commits.len()].clone();
        let mut event = shared.begin(process, Action::Swap, key, door);
        event.expected.clone_from(&last);
        event.value = Some(value.clone());
        let refs = self.refs(key);
        let parts: Vec<&[String]> = match self.split {
            true => refs.chunks(1).collect(),
            false => vec![&refs],
        };
        for part in parts {
            let request = wire::update(&self.repository, part, last.as_deref(), &value);
            judge(&mut event, &door.send(&request)?, part);
        }
        let found = (event.outcome == Outcome::Ok).then(|| event.value.clone());
        shared.end(event)?;
        Ok(found)
    }
}

/// What a report of a push amounts to.
fn judge(event: &mut Event, answer: &Answer, refs: &[String]) {
    let text = answer.text();
    let told = |word: &str| {
        refs.iter()
            .all(|name| text.contains(&format!("{word} {name}")))
    };
    let refused = answer.status == 200 && told("ng") && !text.contains("may have happened");
    event.outcome = if answer.status == 200 && told("ok") {
        Outcome::Ok
    } else if !answer.sent || refused || (400..500).contains(&answer.status) {
        Outcome::Fail
    } else {
        Outcome::Unknown
    };
    event.answered = answer.sent && event.outcome != Outcome::Unknown;
    if event.outcome != Outcome::Ok {
        event.said = format!("{} {text}", answer.status);
    }
}
