//! What must be true, one rule per file.
//!
//! [`StateMachineSafety`] and [`LeaderCompleteness`] are held all the time,
//! the others against the history of a run once all faults are off.

mod acknowledged_is_durable;
mod collection_safety;
mod events_exactly_once;
mod facts_exactly_once;
mod leader_completeness;
mod liveness;
mod push_atomicity;
mod ref_linearizability;
mod register;
mod replica_state_hashes;
mod state_machine_safety;

use std::fmt::Display;

use storage_node_api::RepositoryId;
use storage_node_api::event::Event;

use crate::history::Recorder;
use crate::observer::Observer;
use crate::run::Plan;
use crate::workload::Client;
use crate::world::World;

pub use leader_completeness::LeaderCompleteness;
pub use state_machine_safety::StateMachineSafety;

/// What the rules are held against.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// What the seed decided.
    pub plan: &'a Plan,
    /// The cluster.
    pub world: &'a mut World,
    /// Who is told of what is wrong.
    pub observer: &'a Observer,
    /// What clients did.
    pub recorder: &'a Recorder,
    /// The repositories of the workload.
    pub repositories: &'a [RepositoryId],
}

/// Holds every rule against what has happened, with all faults off.
pub async fn hold(evidence: &mut Evidence<'_>, clients: &mut [Client]) -> anyhow::Result<()> {
    liveness::hold(evidence, clients).await?;
    acknowledged_is_durable::hold(evidence, clients).await?;
    let history = evidence.recorder.operations();
    let feed = events_exactly_once::feed(&clients[0]).await?;
    let observer = evidence.observer;
    tell(
        observer,
        "ref linearizability",
        ref_linearizability::faults(&history),
    );
    tell(
        observer,
        "push atomicity",
        push_atomicity::faults(&history, &feed),
    );
    tell(
        observer,
        "events effective exactly once",
        events_exactly_once::faults(&history, &feed),
    );
    facts_exactly_once::hold(evidence, &clients[0]).await?;
    collection_safety::hold(evidence).await?;
    replica_state_hashes::hold(evidence).await
}

/// Every event of the feeds of all slots, in order.
type Feed = Vec<Event>;

fn tell<F: Display>(observer: &Observer, invariant: &str, faults: impl IntoIterator<Item = F>) {
    for fault in faults {
        observer.fault(invariant, fault);
    }
}
