//! What is noticed while a run goes on, and what is found wrong.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kv::KeyValue;
use storage_node_api::{GroupId, NodeId};

use crate::invariants::{LeaderCompleteness, StateMachineSafety};
use crate::trace::Trace;

/// The most faults of one rule that are told: the first ones say enough.
const TOLD_FAULTS: usize = 3;

/// Watches one run. Clones share what they see.
#[derive(Clone)]
pub struct Observer {
    trace: Trace,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    states: StateMachineSafety,
    leaders: LeaderCompleteness,
    asleep: BTreeSet<(raft::NodeId, raft::GroupId)>,
    sleeps: usize,
    faults: Vec<String>,
}

impl Observer {
    /// Nothing was seen yet.
    pub fn new(trace: Trace) -> Self {
        Self {
            trace,
            seen: Arc::default(),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where events go.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// A rule was broken.
    pub fn fault(&self, invariant: &str, what: impl fmt::Display) {
        self.trace
            .event(format_args!("VIOLATION {invariant}: {what}"));
        let mut seen = self.seen();
        let of_it = format!("{invariant}: ");
        let told = seen.faults.iter().filter(|fault| fault.starts_with(&of_it));
        if told.count() < TOLD_FAULTS {
            seen.faults.push(format!("{of_it}{what}"));
        }
    }

    /// The rules that were broken.
    pub fn faults(&self) -> Vec<String> {
        self.seen().faults.clone()
    }

    /// A replica has applied entries to this store.
    pub fn applied(&self, node: NodeId, group: GroupId, store: &dyn KeyValue) {
        let result = self.seen().states.applied(node, group, store);
        match result {
            Ok(Some((index, hash))) => self.trace.event(format_args!(
                "node {node} applied up to {index} of group {group}: {hash}"
            )),
            Ok(None) => {}
            Err(fault) => self.fault(StateMachineSafety::NAME, fault),
        }
    }

    /// What all running nodes say of their replicas at one instant.
    pub fn replicas(&self, nodes: &[Arc<storage_node_server::StorageNode>]) {
        let faults = self.seen().leaders.sample(nodes);
        for fault in faults {
            self.fault(LeaderCompleteness::NAME, fault);
        }
        self.rests(nodes);
    }

    /// Who sleeps at this instant.
    fn rests(&self, nodes: &[Arc<storage_node_server::StorageNode>]) {
        let groups = nodes.iter().flat_map(|node| {
            let raft = node.raft();
            let groups = raft.groups_open().into_iter();
            groups.filter_map(|id| Some((raft.node(), raft.group(id)?)))
        });
        let asleep = groups.filter(|(_, group)| group.is_asleep());
        let asleep: BTreeSet<_> = asleep.map(|(node, group)| (node, group.id())).collect();
        let mut seen = self.seen();
        for (node, group) in asleep.difference(&seen.asleep) {
            self.trace.event(format_args!("{group} sleeps on {node}"));
        }
        for (node, group) in seen.asleep.difference(&asleep) {
            self.trace.event(format_args!("{group} is awake on {node}"));
        }
        let fell = asleep.difference(&seen.asleep).count();
        seen.sleeps += fell;
        seen.asleep = asleep;
    }

    /// How often a replica was seen to have fallen asleep.
    pub fn sleeps(&self) -> usize {
        self.seen().sleeps
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observer").field(&self.trace).finish()
    }
}
