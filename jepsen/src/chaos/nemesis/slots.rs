use anyhow::Context;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::harness::Operator;

/// Groups beyond which none is added: each costs every node some memory and heartbeats.
const MOST_GROUPS: usize = 12;
/// How many slots are moved at a time, so that some of those that are written to are among them.
const MOVED: u16 = 200;
const SLOTS: u16 = 1024;
/// The first group that has slots; those before it have none.
const FIRST: u64 = 16;

/// Groups that an operator adds, and slots that move between them, while clients write to them.
pub(super) fn slots(operator: &Operator, random: &mut StdRng) -> anyhow::Result<String> {
    let status = operator.status()?;
    let groups = &status.nodes.first().context("no nodes")?.groups;
    let groups: Vec<u64> = groups.iter().map(|group| group.group).collect();
    let data: Vec<u64> = groups.into_iter().filter(|id| *id >= FIRST).collect();
    // What is asked for may be refused, if another change came in between.
    if data.len() < MOST_GROUPS && random.random_bool(0.5) {
        let count = (data.len() + 1).to_string();
        let said = operator.slots(&["divide", &count]);
        return Ok(format!("divide over {count} groups: {}", outcome(&said)));
    }
    let first = random.random_range(0..SLOTS - MOVED);
    let span = format!("{first}-{}", first + MOVED);
    let to = data.choose(random).context("no groups")?.to_string();
    let said = operator.slots(&["move", &span, "--to", &to]);
    Ok(format!("slots {span} to group {to}: {}", outcome(&said)))
}

fn outcome(said: &anyhow::Result<String>) -> String {
    match said {
        Ok(_) => "ordered".to_owned(),
        Err(error) => format!("refused: {error:#}"),
    }
}
