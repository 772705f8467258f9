//! All replicas of one node.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use kv::{Batch, Durability, KeyValue};
use openraft::SnapshotPolicy;
use openraft::errors::Fatal;
use runtime::{Runtime, run_blocking};

use crate::error::{OpenError, StartError};
use crate::format::{decode, encode};
use crate::group::Parts;
use crate::hibernate::{Boot, Nodes, Watch};
use crate::limits::{GROUP_QUEUE_CALLS, MAX_APPEND_ENTRIES};
use crate::log::{GroupLog, LoadError, LogWriter, STATE, WriterTask, fence_key, node_key};
use crate::net::message::{Answer, Message};
use crate::net::{Connections, Outboxes, Timeouts};
use crate::state_machine::{SharedMachine, StateMachine};
use crate::types::Core;
use crate::{
    Checked, Fence, Group, GroupId, Machine, Metrics, NodeId, PeerRequest, PeerResponse, Peers,
};

/// The replicas of one node: one per process.
pub struct Raft {
    node: NodeId,
    config: Checked,
    openraft: Arc<openraft::Config>,
    store: Arc<dyn KeyValue>,
    runtime: Runtime,
    metrics: Metrics,
    outboxes: Arc<Outboxes>,
    /// Nothing after shutdown.
    writer: Mutex<Option<LogWriter>>,
    writer_task: WriterTask,
    groups: Mutex<BTreeMap<GroupId, Slot>>,
    fence: Mutex<Arc<Fence>>,
    watch: Watch,
}

enum Slot {
    Opening,
    Open(Group),
}

impl fmt::Debug for Raft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Raft({})", self.node)
    }
}

impl Raft {
    /// Starts this node's part of all groups. `log` is a store of this alone, with the families
    /// [`FAMILIES`](crate::FAMILIES); it remembers whose it is.
    pub async fn start(
        config: Checked,
        node: NodeId,
        log: Arc<dyn KeyValue>,
        peers: Arc<dyn Peers>,
        runtime: Runtime,
        metrics: Metrics,
    ) -> Result<Arc<Self>, StartError> {
        let openraft = openraft_config(&config)?;
        let store = log.clone();
        let fence = run_blocking(&*runtime.tasks, "raft-start", move || claim(&*store, node))
            .await
            .map_err(|failed| StartError::Config {
                reason: failed.to_string(),
            })??;
        let timeouts = Timeouts {
            signal: config.timing().election_min,
            exchange: config.exchange_timeout,
            snapshot: config.snapshot_timeout,
        };
        let (writer, writer_task) = LogWriter::start(log.clone(), &runtime, metrics.clone());
        let outboxes = Outboxes::new(node, peers, runtime.clone(), timeouts, metrics.clone());
        let boot = Boot(runtime.random.u64());
        let raft = Arc::new(Self {
            node,
            watch: Watch::new(boot, config.timing().election_max),
            config,
            openraft: Arc::new(openraft),
            store: log,
            runtime,
            metrics,
            outboxes: Arc::new(outboxes),
            writer: Mutex::new(Some(writer)),
            writer_task,
            groups: Mutex::new(BTreeMap::new()),
            fence: Mutex::new(Arc::new(fence)),
        });
        raft.watch.begin(&raft);
        Ok(raft)
    }

    /// Which node this is.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Opens this node's replica of a group, new or as it was left, and lets it take part.
    pub async fn open(
        &self,
        group: GroupId,
        machine: Box<dyn Machine>,
    ) -> Result<Group, OpenError> {
        let writer = self.writer().clone();
        let writer = writer.ok_or(OpenError::ShutDown { group })?;
        let place = self.reserve(group)?;
        let handle = self.build(group, machine, writer).await?;
        place.fill(handle.clone());
        handle.elect_if_alone().await;
        Ok(handle)
    }

    /// The replica of a group, if it is open.
    pub fn group(&self, group: GroupId) -> Option<Group> {
        match self.groups().get(&group) {
            Some(Slot::Open(group)) => Some(group.clone()),
            _ => None,
        }
    }

    /// The open groups.
    pub fn groups_open(&self) -> Vec<GroupId> {
        let groups = self.groups();
        let open = groups
            .iter()
            .filter(|(_, slot)| matches!(slot, Slot::Open(_)));
        open.map(|(group, _)| *group).collect()
    }

    /// Answers what another node asks: a transport's server calls this. `from` is the node that
    /// the transport has authenticated; a request that says to be from another, or is meant for
    /// another, is not looked at.
    pub async fn receive(&self, from: NodeId, request: PeerRequest) -> PeerResponse {
        if self.fence().is_removed(from) {
            let answers = request.messages.iter().map(|_| Answer::Removed).collect();
            return PeerResponse { answers };
        }
        let ours = request.from == from && request.to == self.node;
        if !ours {
            tracing::warn!(%from, claimed = %request.from, to = %request.to, "stray request");
        }
        let answers = request.messages.into_iter().map(|(group, message)| {
            let group = self.group(group).filter(|_| ours);
            async move {
                match (message, group) {
                    (Message::Beat { boot, hears }, _) if ours => {
                        self.answer_beat(from, boot, hears)
                    }
                    (message, Some(group)) => group.answer(message).await,
                    (_, None) => Answer::NoReplica,
                }
            }
        });
        PeerResponse {
            answers: join_all(answers).await,
        }
    }

    /// From now on these nodes are not listened to, until a later fence. Kept in memory: whoever
    /// knows the members says so again after a start.
    pub fn set_fence(&self, fence: Fence) {
        *self.fence.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(fence);
    }

    /// Whether a peer has said that this node was removed from the cluster.
    pub fn is_removed(&self) -> bool {
        self.outboxes.is_removed()
    }

    /// From now on groups may sleep: every node of the cluster runs a release that knows how.
    pub fn allow_hibernation(&self) {
        self.watch.allow();
    }

    /// Whether groups that this node leads may sleep.
    pub(crate) fn may_sleep(&self) -> bool {
        self.watch.is_allowed() && !self.config.hibernate_after.is_zero()
    }

    fn answer_beat(&self, from: NodeId, boot: Boot, hears: bool) -> Answer {
        if hears {
            let now = self.runtime.clock.monotonic();
            self.watch.nodes.heard(from, boot, now);
        }
        Answer::Beat(self.watch.nodes.own())
    }

    pub(crate) fn nodes(&self) -> &Arc<Nodes> {
        &self.watch.nodes
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(crate) fn outboxes(&self) -> &Arc<Outboxes> {
        &self.outboxes
    }

    pub(crate) fn heartbeat(&self) -> Duration {
        self.config.timing().heartbeat
    }

    /// The replicas that are open.
    pub(crate) fn open_groups(&self) -> Vec<Group> {
        let groups = self.groups();
        let open = groups.values().filter_map(|slot| match slot {
            Slot::Open(group) => Some(group.clone()),
            Slot::Opening => None,
        });
        open.collect()
    }

    fn fence(&self) -> Arc<Fence> {
        let fence = self.fence.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&fence)
    }

    /// Ends one replica, for a group that is not to be served here any more. Its log stays; it
    /// may be opened again. Says whether it was open.
    pub async fn close(&self, group: GroupId) -> bool {
        let handle = {
            let mut groups = self.groups();
            match groups.get(&group) {
                Some(Slot::Open(handle)) => {
                    let handle = handle.clone();
                    groups.remove(&group);
                    handle
                }
                _ => return false,
            }
        };
        handle.shutdown().await;
        true
    }

    /// Ends all replicas. Whoever waits gets an error; nothing acknowledged is lost. The machines
    /// are let go of, and the log too once the last [`Group`] handle is dropped.
    pub async fn shutdown(&self) {
        self.watch.end().await;
        let writer = self.writer().take();
        let slots = std::mem::take(&mut *self.groups());
        let ending = slots.into_values().filter_map(|slot| match slot {
            Slot::Open(group) => Some(async move { group.shutdown().await }),
            Slot::Opening => None,
        });
        join_all(ending).await;
        self.outboxes.close();
        drop(writer);
        self.writer_task.end().await;
    }

    /// Whether [`shutdown`](Self::shutdown) was called.
    pub fn is_shut_down(&self) -> bool {
        self.writer().is_none()
    }

    fn reserve(&self, group: GroupId) -> Result<Place<'_>, OpenError> {
        let mut groups = self.groups();
        if groups.contains_key(&group) {
            return Err(OpenError::AlreadyOpen { group });
        }
        groups.insert(group, Slot::Opening);
        Ok(Place { raft: self, group })
    }

    fn groups(&self) -> MutexGuard<'_, BTreeMap<GroupId, Slot>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, Option<LogWriter>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn build(
        &self,
        group: GroupId,
        machine: Box<dyn Machine>,
        writer: LogWriter,
    ) -> Result<Group, OpenError> {
        let log = self.load(group, writer).await?;
        let machine = SharedMachine::new(machine, self.runtime.clone());
        let applied = machine.applied().await;
        let (applied, _) = applied.map_err(|error| OpenError::Machine {
            group,
            reason: error.chain(),
        })?;
        if let Some(purged) = log.purged().filter(|purged| applied < Some(*purged)) {
            return Err(OpenError::StateBehindLog {
                group,
                applied: applied.map(|id| id.index()),
                purged: purged.index(),
            });
        }
        if let Some(applied) = applied {
            log.align(applied)
                .await
                .map_err(|error| OpenError::Recover {
                    group,
                    reason: format!("bring the log into line with the state: {error}"),
                })?;
        }
        let connections = Connections {
            group,
            outboxes: self.outboxes.clone(),
            runtime: self.runtime.clone(),
        };
        let state_machine = StateMachine::new(machine.clone(), self.metrics.clone());
        let config = self.openraft.clone();
        let core = Core::new(self.node, config, connections, log.clone(), state_machine)
            .await
            .map_err(|fatal: Fatal<_>| OpenError::Recover {
                group,
                reason: fatal.to_string(),
            })?;
        Ok(Group::new(Parts {
            id: group,
            node: self.node,
            core,
            log,
            machine,
            outboxes: self.outboxes.clone(),
            nodes: self.watch.nodes.clone(),
            config: self.config.clone(),
            runtime: self.runtime.clone(),
            metrics: self.metrics.clone(),
        }))
    }

    async fn load(&self, group: GroupId, writer: LogWriter) -> Result<GroupLog, OpenError> {
        let (store, runtime) = (self.store.clone(), self.runtime.clone());
        let load = move || GroupLog::load(group, store, writer, runtime);
        let loaded = run_blocking(&*self.runtime.tasks, "raft-load", load).await;
        let loaded = loaded.map_err(|_| OpenError::ShutDown { group })?;
        loaded.map_err(|error| match error {
            LoadError::Store(source) => OpenError::Log { group, source },
            LoadError::Format(source) => OpenError::Format { group, source },
        })
    }
}

/// The place of a group that is being opened; given up again if that comes to nothing.
struct Place<'a> {
    raft: &'a Raft,
    group: GroupId,
}

impl Place<'_> {
    fn fill(self, handle: Group) {
        self.raft.groups().insert(self.group, Slot::Open(handle));
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut groups = self.raft.groups();
        if matches!(groups.get(&self.group), Some(Slot::Opening)) {
            groups.remove(&self.group);
        }
    }
}

/// Writes whose log this is, or checks it; returns the fence that a recovery has left.
fn claim(store: &dyn KeyValue, node: NodeId) -> Result<Fence, StartError> {
    let Some(found) = store.get(STATE, node_key())? else {
        let mut batch = Batch::new();
        batch.put(STATE, node_key(), encode(&node.0));
        store.write(batch, Durability::Synced)?;
        return Ok(Fence::default());
    };
    let found = NodeId(decode(&found)?);
    if found != node {
        let wanted = node;
        return Err(StartError::OtherNode { found, wanted });
    }
    match store.get(STATE, fence_key())? {
        Some(fence) => Ok(decode(&fence)?),
        None => Ok(Fence::default()),
    }
}

fn openraft_config(config: &Checked) -> Result<openraft::Config, StartError> {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let timing = config.timing();
    openraft::Config {
        cluster_name: "devflow".to_owned(),
        election_timeout_min: millis(timing.election_min),
        election_timeout_max: millis(timing.election_max),
        heartbeat_interval: millis(timing.heartbeat),
        install_snapshot_timeout: millis(config.snapshot_timeout),
        max_payload_entries: MAX_APPEND_ENTRIES,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(config.snapshot_entries),
        max_in_snapshot_log_to_keep: config.keep_entries,
        replication_lag_threshold: config.snapshot_entries.saturating_mul(2),
        api_channel_size: Some(GROUP_QUEUE_CALLS),
        enable_pre_vote: Some(true),
        // A leader that restarts stands for election like anyone else: until then it cannot know
        // that what it has applied is all that it had acknowledged.
        enable_leader_restore: Some(false),
        allow_log_reversion: Some(false),
        ..openraft::Config::default()
    }
    .validate()
    .map_err(|error| StartError::Config {
        reason: error.to_string(),
    })
}
