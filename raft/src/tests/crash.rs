//! Power failures.

use std::sync::Arc;

use bytes::Bytes;
use kv::{Batch, Durability, Family, KeyValue, KvError, Memory, Range, View, Visit};
use runtime::{Runtime, Survives};

use super::cluster::{Cluster, GROUP, eventually, members};
use super::machine::{self, Journal};
use crate::memory::Network;
use crate::{Config, Metrics, NodeId, OpenError, Raft};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_voter_that_loses_power_keeps_all_it_acknowledged() {
    let mut cluster = Cluster::of(1).await;
    let mut acknowledged = 0;
    for (round, survives) in [
        Survives::Nothing,
        Survives::Random(1),
        Survives::Random(2),
        Survives::Everything,
    ]
    .into_iter()
    .enumerate()
    {
        for i in 0..70 {
            cluster.propose(&format!("{round}/{i}")).await;
            acknowledged += 1;
        }
        cluster.crash(NodeId(1), survives).await;
        cluster.group(NodeId(1), GROUP).read_index().await.unwrap();
        let commands = cluster.journal(NodeId(1)).commands();
        assert_eq!(commands.len(), acknowledged, "{survives:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crashes_in_turn_lose_nothing_acknowledged_by_three_nodes() {
    let mut cluster = Cluster::of(3).await;
    let mut acknowledged = Vec::new();
    for round in 0..6_u64 {
        for i in 0..15 {
            let command = format!("{round}/{i}");
            cluster.propose(&command).await;
            acknowledged.push(command);
        }
        let victim = match round % 2 {
            0 => cluster.leader().await,
            _ => NodeId(round % 3 + 1),
        };
        cluster.crash(victim, Survives::Random(round)).await;
    }
    cluster.propose("last").await;
    let commands = cluster.converged().await;
    for command in acknowledged {
        assert!(
            commands.iter().any(|c| c == command.as_bytes()),
            "{command}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_nodes_losing_power_at_once_lose_nothing_acknowledged() {
    let mut cluster = Cluster::of(3).await;
    for i in 0..60 {
        cluster.propose(&format!("{i}")).await;
    }
    for node in [1, 2, 3].map(NodeId) {
        cluster.network.disconnect(node);
    }
    for node in [1, 2, 3].map(NodeId) {
        cluster.crash(node, Survives::Nothing).await;
    }
    cluster.propose("after").await;
    assert_eq!(cluster.converged().await.len(), 61);
}

/// Without this check a replica would go on from a state that lacks what was cut from its log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_state_behind_a_cut_log_is_refused() {
    let mut cluster = Cluster::of(1).await;
    for i in 0..200 {
        cluster.propose(&format!("{i}")).await;
    }
    eventually("a cut log", || {
        cluster.group(NodeId(1), GROUP).status().purged
    })
    .await;
    let node = cluster.stop(NodeId(1)).await;
    let raft = Raft::start(
        cluster.config.clone().validate().unwrap(),
        NodeId(1),
        Arc::new(node.log.clone()),
        cluster.network.peers(NodeId(1)),
        Runtime::real(),
        Metrics::default(),
    )
    .await
    .unwrap();
    let refused = raft.open(GROUP, Box::new(Journal::in_memory())).await;
    assert!(
        matches!(
            refused,
            Err(OpenError::StateBehindLog { applied: None, .. })
        ),
        "{refused:?}"
    );
    let kept = Journal::new(Arc::new(node.states[&GROUP].clone()));
    raft.open(GROUP, Box::new(kept)).await.unwrap();
}

/// A store that only says that it syncs.
#[derive(Debug)]
struct Lying(Memory);

impl View for Lying {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, KvError> {
        self.0.get(family, key)
    }

    fn scan(
        &self,
        family: Family,
        range: Range<'_>,
        direction: kv::Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), KvError> {
        self.0.scan(family, range, direction, visit)
    }
}

impl KeyValue for Lying {
    fn write(&self, batch: Batch, _durability: Durability) -> Result<(), KvError> {
        self.0.write(batch, Durability::Buffered)
    }

    fn sync(&self) -> Result<(), KvError> {
        Ok(())
    }

    fn view(&self) -> Box<dyn View> {
        self.0.view()
    }
}

/// The tests above would notice a sync that is left out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_syncs_a_power_failure_loses_what_was_acknowledged() {
    let log = Memory::new(&crate::FAMILIES);
    let state = Memory::new(&machine::FAMILIES);
    let network = Network::new(1);
    let start = async |log: Arc<dyn KeyValue>, state: &Memory| {
        let config = Config::for_testing().validate().unwrap();
        let peers = network.peers(NodeId(1));
        let (runtime, metrics) = (Runtime::real(), Metrics::default());
        let raft = Raft::start(config, NodeId(1), log, peers, runtime, metrics);
        let raft = raft.await.unwrap();
        let journal = Journal::new(Arc::new(state.clone()));
        let group = raft.open(GROUP, Box::new(journal.clone())).await.unwrap();
        group.initialize(members([1])).await.unwrap();
        group.read_index().await.unwrap();
        (raft, group, journal)
    };
    let (raft, group, _) = start(Arc::new(Lying(log.clone())), &state).await;
    group.propose(Bytes::from("acknowledged")).await.unwrap();
    let (log, state) = (log.crash(Survives::Nothing), state.crash(Survives::Nothing));
    raft.shutdown().await;
    let (_raft, _group, journal) = start(Arc::new(log), &state).await;
    assert!(!journal.has("acknowledged"));
}
