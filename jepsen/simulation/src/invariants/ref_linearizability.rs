use std::collections::BTreeMap;

use git_id::ObjectId;
use storage_node_api::RepositoryId;
use storage_node_api::refs::RefOutcome;

use super::register::{Call, Effect, Judgement, judge};
use crate::history::{Action, Operation, Outcome, PushAction};

type Calls = BTreeMap<(RepositoryId, String), Vec<Call<Option<ObjectId>>>>;

/// Each ref behaves as one register that all clients share: every read and
/// compare-and-swap takes effect at one instant between its call and its
/// answer, one of unknown outcome at one instant after its call or never.
pub(super) fn faults(history: &[Operation]) -> Vec<String> {
    let mut faults = Vec::new();
    for ((repository, name), calls) in calls(history) {
        match judge(&None, &calls) {
            Judgement::Linearizable => {}
            Judgement::Not => faults.push(format!("{name} of repository {repository}: {calls:?}")),
            Judgement::TooHard => {
                faults.push(format!("{name} of repository {repository}: undecided"));
            }
        }
    }
    faults
}

fn calls(history: &[Operation]) -> Calls {
    let mut calls = Calls::new();
    for operation in history {
        if let Action::Push(push) = &operation.action {
            for command in &push.commands {
                let key = (push.repository, command.name.as_str().to_owned());
                calls.entry(key).or_default();
            }
        }
    }
    for operation in history {
        match &operation.action {
            Action::ReadRefs { repository, refs } => {
                let keys = calls.iter_mut().filter(|((of, _), _)| of == repository);
                for ((_, name), calls) in keys {
                    calls.push(Call {
                        called: operation.called,
                        returned: Some(operation.returned),
                        effect: Effect::Read(refs.get(name).copied()),
                    });
                }
            }
            Action::Push(push) if operation.outcome != Outcome::Fail => {
                add(&mut calls, operation, push);
            }
            _ => {}
        }
    }
    calls
}

fn add(calls: &mut Calls, operation: &Operation, push: &PushAction) {
    for (index, command) in push.commands.iter().enumerate() {
        let new = command.new.map(|target| target.id);
        let swap = Effect::Swap(command.old, new);
        let (returned, effect) = match push.outcomes.get(index) {
            Some(RefOutcome::Updated) => (Some(operation.returned), swap),
            Some(RefOutcome::Stale { actual }) => (Some(operation.returned), Effect::Read(*actual)),
            Some(RefOutcome::Conflict { .. } | RefOutcome::Aborted) => continue,
            None => (None, swap),
        };
        let key = (push.repository, command.name.as_str().to_owned());
        calls.entry(key).or_default().push(Call {
            called: operation.called,
            returned,
            effect,
        });
    }
}
