//! `devflow cluster slots …`: which group has which slots.

use std::collections::BTreeMap;

use runtime::Runtime;
use storage_node_api::map::{ClusterMap, Phase, SLOTS_VERSION, SlotRange, SlotsChange};
use storage_node_api::order::Command;
use storage_node_api::{GroupId, MapEpoch, Slot};

use super::cluster::links;
use super::node;
use super::policy::connect;
use super::status::newest_map;
use crate::cli::{ChangePolicies, SlotsCommand};
use crate::config::Config;

/// Runs one of the commands about slots.
pub(super) async fn run(command: &SlotsCommand) -> anyhow::Result<()> {
    match command {
        SlotsCommand::Show(arguments) => {
            let data = Config::load(&arguments.common, None)?.data;
            let links = links(&data, &Runtime::real())?;
            print(&newest_map(&*links).await?);
            Ok(())
        }
        SlotsCommand::Divide(arguments) => {
            make(&arguments.change, SlotsChange::Divide(arguments.groups)).await
        }
        SlotsCommand::Move(arguments) => {
            let (first, last) = arguments.slots;
            let (first, last, to) = (Slot(first), Slot(last), GroupId(arguments.to));
            make(&arguments.change, SlotsChange::Move { first, last, to }).await
        }
        SlotsCommand::Stop(change) => make(change, SlotsChange::Stop).await,
    }
}

async fn make(arguments: &ChangePolicies, change: SlotsChange) -> anyhow::Result<()> {
    let runtime = Runtime::real();
    let links = connect(&arguments.common, &runtime)?;
    let map = newest_map(&*links).await?;
    node::check_version(&map, SLOTS_VERSION)?;
    let seen = arguments.epoch.map_or(map.epoch, MapEpoch);
    let command = Command::ChangeSlots { seen, change };
    node::order_change(&*links, &map, &runtime, command).await
}

fn print(map: &ClusterMap) {
    println!("map epoch {}", map.epoch);
    let mut spans: BTreeMap<GroupId, Vec<String>> = BTreeMap::new();
    for SlotRange { first, last, group } in &map.groups {
        let span = spans.entry(*group).or_default();
        span.push(format!("{}-{}", first.0, last.0));
    }
    for (group, slots) in spans {
        println!("group {group}: slots {}", slots.join(", "));
    }
    for made in &map.moves.made {
        let state = if made.up { "is up" } else { "is being made" };
        println!("group {}: {state}, without slots", made.group);
    }
    if let Some(line) = moving(map) {
        println!("{line}");
    }
}

/// What is on its way, if anything is.
pub(super) fn moving(map: &ClusterMap) -> Option<String> {
    let left = map.slots_to_move();
    let Some(moving) = &map.moves.moving else {
        return (left > 0).then(|| format!("{left} slots wait to be moved"));
    };
    let phase = match moving.phase {
        Phase::Copying => "are copied",
        Phase::Closing => "are handed over",
    };
    Some(format!(
        "slots {}-{} {phase} from group {} to group {}; {left} slots are not where they are to be",
        moving.first.0, moving.last.0, moving.from, moving.to
    ))
}
