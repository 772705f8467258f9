use std::collections::BTreeMap;

use storage_node_api::RequestId;
use storage_node_api::event::{Event, Kind};
use storage_node_api::refs::RefOutcome;

use crate::history::{Action, Operation};
use crate::workload::{PAIR, branch};

/// Of an atomic push all commands take effect or none, and no read ever sees
/// some of them.
pub(super) fn faults(history: &[Operation], feed: &[Event]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut moved: BTreeMap<RequestId, usize> = BTreeMap::new();
    for event in feed {
        if let Kind::Pushed { changes, .. } = &event.kind {
            *moved.entry(event.request).or_default() += changes.len();
        }
    }
    for operation in history {
        match &operation.action {
            Action::ReadRefs { refs, .. } => {
                let [left, right] = PAIR.map(|name| refs.get(branch(name).as_str()));
                if left != right {
                    faults.push(format!(
                        "client {} saw {left:?} beside {right:?}",
                        operation.client
                    ));
                }
            }
            Action::Push(push) if push.atomic => {
                let updated = |outcome: &&RefOutcome| **outcome == RefOutcome::Updated;
                let told = push.outcomes.iter().filter(updated).count();
                let happened = moved.get(&push.request).copied().unwrap_or(0);
                for count in [told, happened] {
                    if count != 0 && count != push.commands.len() {
                        faults.push(format!(
                            "of the {} commands of atomic push {} {count} took effect",
                            push.commands.len(),
                            push.request
                        ));
                    }
                }
            }
            _ => {}
        }
    }
    faults
}
