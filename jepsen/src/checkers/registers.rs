use std::collections::BTreeMap;

use super::register::{ABSENT, Call, Effect};
use crate::history::{Action, Event, Outcome};

/// The calls on each register of a history, with values as numbers.
pub type Registers = BTreeMap<String, Vec<Call>>;

/// Sorts a history by register. What did not happen is left out, and so is a
/// read that nobody answered.
pub fn registers(events: &[Event], belongs: impl Fn(&Event) -> bool) -> Registers {
    let mut numbers = Numbers::default();
    let mut sorted = Registers::new();
    for event in events.iter().filter(|event| belongs(event)) {
        let value = numbers.of(event.value.as_deref());
        let effect = match (event.action, event.outcome) {
            (_, Outcome::Fail) | (Action::Read, Outcome::Unknown) => continue,
            (Action::Push | Action::Clone | Action::Delete | Action::Fault, _) => continue,
            (Action::Read, Outcome::Ok) => Effect::Read(value),
            (Action::Swap, _) => Effect::Swap(numbers.of(event.expected.as_deref()), value),
            (Action::Overwrite, _) => Effect::Overwrite(value),
        };
        sorted.entry(event.key.clone()).or_default().push(Call {
            invoked: event.invoked_us,
            completed: (event.outcome == Outcome::Ok).then_some(event.completed_us),
            effect,
        });
    }
    sorted
}

/// Numbers for values, the same for the same.
#[derive(Default)]
struct Numbers<'a> {
    known: BTreeMap<&'a str, u32>,
}

impl<'a> Numbers<'a> {
    fn of(&mut self, value: Option<&'a str>) -> u32 {
        let Some(value) = value else {
            return ABSENT;
        };
        let next = u32::try_from(self.known.len()).unwrap_or(u32::MAX - 1) + 1;
        *self.known.entry(value).or_insert(next)
    }
}
