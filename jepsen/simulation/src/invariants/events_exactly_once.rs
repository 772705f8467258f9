use std::collections::BTreeMap;

use anyhow::bail;
use storage_node_api::event::{Event, Kind};
use storage_node_api::order::{Answer, Query};
use storage_node_api::refs::RefOutcome;
use storage_node_api::{ReadPoint, RequestId};

use super::Feed;
use crate::history::{Action, Operation, Outcome};
use crate::workload::{Client, SLOTS};

/// Reads the feeds of all slots of the workload.
pub(super) async fn feed(client: &Client) -> anyhow::Result<Feed> {
    let mut feed = Vec::new();
    for slot in SLOTS {
        let mut after = 0;
        loop {
            let query = Query::Events {
                slot,
                after,
                limit: 100,
            };
            let read = client.storage.read(slot, ReadPoint::Linearizable, query);
            let Answer::Events(page) = read.await? else {
                bail!("an answer to another question than for events");
            };
            let Some(last) = page.events.last() else {
                break;
            };
            after = last.sequence;
            feed.extend(page.events);
        }
    }
    Ok(feed)
}

/// Each push that moved something is in the feed once, as what it moved; no
/// other push is; and nothing is missing from the counts.
pub(super) fn faults(history: &[Operation], feed: &[Event]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut sequences = BTreeMap::new();
    let mut numbers = BTreeMap::new();
    let mut by_request: BTreeMap<RequestId, Vec<&Kind>> = BTreeMap::new();
    for event in feed {
        let sequence: &mut u64 = sequences.entry(event.repository.slot()).or_default();
        let number: &mut u64 = numbers.entry(event.repository).or_default();
        if event.sequence != *sequence + 1 || event.number != *number + 1 {
            faults.push(format!("after event {sequence}: {event:?}"));
        }
        (*sequence, *number) = (event.sequence, event.number);
        by_request
            .entry(event.request)
            .or_default()
            .push(&event.kind);
    }
    for operation in history {
        let Action::Push(push) = &operation.action else {
            continue;
        };
        let told = by_request.remove(&push.request).unwrap_or_default();
        let moved: Vec<_> = push
            .commands
            .iter()
            .zip(&push.outcomes)
            .filter(|(_, outcome)| **outcome == RefOutcome::Updated)
            .map(|(command, _)| command.clone())
            .collect();
        let fits = match (operation.outcome, told.as_slice()) {
            (Outcome::Fail, []) | (Outcome::Unknown, [] | [_]) => true,
            (Outcome::Ok, []) => moved.is_empty(),
            (Outcome::Ok, [Kind::Pushed { changes, .. }]) => *changes == moved,
            _ => false,
        };
        if !fits {
            faults.push(format!(
                "push {} was {:?} and moved {moved:?}, its events: {told:?}",
                push.request, operation.outcome
            ));
        }
    }
    let strange = by_request
        .iter()
        .filter(|(_, kinds)| kinds.iter().any(|kind| matches!(kind, Kind::Pushed { .. })));
    faults.extend(strange.map(|(request, _)| format!("nobody made the push {request}")));
    faults
}
