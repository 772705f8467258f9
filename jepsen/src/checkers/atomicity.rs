use anyhow::ensure;

use crate::history::{Action, Event, Outcome};

/// Between the values of refs that differ though they are only pushed together.
const SPLIT: char = '|';

/// The value of a group of refs: theirs if they have one, or all of them.
pub fn join_values(values: &[Option<String>]) -> Option<String> {
    let first = values.first()?;
    if values.iter().all(|value| value == first) {
        return first.clone();
    }
    let words: Vec<&str> = values
        .iter()
        .map(|value| value.as_deref().unwrap_or("absent"))
        .collect();
    Some(words.join(&SPLIT.to_string()))
}

/// Whether no reader of a group of refs ever saw one moved without the others.
pub fn check_atomicity(
    events: &[Event],
    belongs: impl Fn(&Event) -> bool,
) -> anyhow::Result<String> {
    let mut reads = 0;
    for event in events.iter().filter(|event| belongs(event)) {
        if event.action != Action::Read || event.outcome != Outcome::Ok {
            continue;
        }
        let value = event.value.as_deref().unwrap_or_default();
        ensure!(
            !value.contains(SPLIT),
            "{} through {} at {:.3} s: a push is there in part: {value}",
            event.key,
            event.through,
            seconds(event.completed_us),
        );
        reads += 1;
    }
    Ok(format!("{reads} reads of refs that move together"))
}

#[expect(clippy::cast_precision_loss, reason = "for a person")]
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}
