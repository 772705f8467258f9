//! openraft's storage suite on the real store and on its twin, and what that suite leaves out:
//! the order of callbacks, crashes, and failing calls.

use std::sync::Arc;

use kv::{KeyValue, Memory, RocksDb};
use openraft::entry::RaftEntry;
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::type_config::TypeConfigExt;
use openraft::vote::RaftLeaderId;
use openraft::{RaftLogReader, StorageError};
use runtime::{Runtime, Survives};
use tempfile::TempDir;

use super::{FAMILIES, GroupLog, LogWriter, WriterTask};
use crate::limits::{MAX_APPEND_BYTES, MAX_POINT_DELETES};
use crate::state_machine::{SharedMachine, StateMachine};
use crate::tests::machine::Journal;
use crate::types::{Command, Entry, LeaderId, LogId, Payload, Types, Vote};
use crate::{GroupId, Metrics, NodeId};

fn machine() -> StateMachine {
    let journal = Box::new(Journal::in_memory());
    StateMachine::new(
        SharedMachine::new(journal, Runtime::real()),
        Metrics::default(),
    )
}

fn load(store: Arc<dyn KeyValue>, group: u64) -> (WriterTask, GroupLog) {
    let runtime = Runtime::real();
    let (writer, task) = LogWriter::start(store.clone(), &runtime, Metrics::default());
    let log = GroupLog::load(GroupId(group), store, writer, runtime).unwrap();
    (task, log)
}

struct OnDisk;

impl StoreBuilder<Types, GroupLog, StateMachine, TempDir> for OnDisk {
    async fn build(&self) -> Result<(TempDir, GroupLog, StateMachine), StorageError<Types>> {
        let dir = tempfile::tempdir().unwrap();
        let store = RocksDb::open(dir.path(), &FAMILIES).unwrap();
        Ok((dir, load(Arc::new(store), 1).1, machine()))
    }
}

struct InMemory;

impl StoreBuilder<Types, GroupLog, StateMachine> for InMemory {
    async fn build(&self) -> Result<((), GroupLog, StateMachine), StorageError<Types>> {
        let store = Memory::new(&FAMILIES);
        Ok(((), load(Arc::new(store), 1).1, machine()))
    }
}

#[tokio::test]
async fn the_log_on_disk_passes_the_suite_of_openraft() {
    Suite::test_all(OnDisk).await.unwrap();
}

#[tokio::test]
async fn the_log_in_memory_passes_the_suite_of_openraft() {
    Suite::test_all(InMemory).await.unwrap();
}

fn id(term: u64, index: u64) -> LogId {
    LogId::new(LeaderId::new(term, NodeId(1)), index)
}

fn entry(term: u64, index: u64, bytes: usize) -> Entry {
    Entry {
        log_id: id(term, index),
        payload: Payload::Normal(Command(vec![7; bytes].into())),
    }
}

async fn append(log: &mut GroupLog, entries: Vec<Entry>) -> std::io::Result<()> {
    let (sender, receiver) = Types::oneshot();
    RaftLogStorage::append(log, entries, IOFlushed::signal(sender)).await?;
    receiver.await.unwrap()
}

async fn indexes(log: &mut GroupLog) -> Vec<(u64, u64)> {
    let entries = log.try_get_log_entries(..).await.unwrap();
    let places = entries.iter().map(|entry| entry.log_id);
    places
        .map(|id| (id.committed_leader_id().term, id.index()))
        .collect()
}

#[tokio::test]
async fn entries_can_be_read_before_they_are_written() {
    let store = Memory::new(&FAMILIES);
    let (_, mut log) = load(Arc::new(store.clone()), 1);
    let (sender, receiver) = Types::oneshot();
    let callback = IOFlushed::signal(sender);
    RaftLogStorage::append(&mut log, vec![entry(1, 0, 10)], callback)
        .await
        .unwrap();
    assert_eq!(indexes(&mut log).await, [(1, 0)]);
    assert_eq!(store.syncs(), 0, "nothing has run the writer yet");
    receiver.await.unwrap().unwrap();
    assert_eq!(store.syncs(), 1);
}

#[tokio::test]
async fn many_groups_share_syncs_and_each_gets_its_callbacks_in_order() {
    let store = Memory::new(&FAMILIES);
    let runtime = Runtime::real();
    let shared: Arc<dyn KeyValue> = Arc::new(store.clone());
    let (writer, _task) = LogWriter::start(shared.clone(), &runtime, Metrics::default());
    let mut callbacks = Vec::new();
    for group in 0..20 {
        let group = GroupId(group);
        let mut log =
            GroupLog::load(group, shared.clone(), writer.clone(), runtime.clone()).unwrap();
        for index in 0..10 {
            let (sender, receiver) = Types::oneshot();
            let callback = IOFlushed::signal(sender);
            RaftLogStorage::append(&mut log, vec![entry(1, index, 10)], callback)
                .await
                .unwrap();
            callbacks.push((group, index, receiver));
        }
    }
    callbacks.sort_by_key(|(group, index, _)| (*index, *group));
    for (_, _, receiver) in callbacks {
        receiver.await.unwrap().unwrap();
    }
    assert!(store.syncs() <= 3, "{} syncs of 200 appends", store.syncs());
}

#[tokio::test]
async fn a_reloaded_log_has_everything_and_groups_do_not_mix() {
    let store = Memory::new(&FAMILIES);
    let (_, mut one) = load(Arc::new(store.clone()), 1);
    let (_, mut two) = load(Arc::new(store.clone()), 2);
    let vote = Vote::new_committed(4, NodeId(3));
    RaftLogStorage::save_vote(&mut one, &vote).await.unwrap();
    append(&mut one, (0..10).map(|i| entry(1, i, 5)).collect())
        .await
        .unwrap();
    append(&mut two, (0..3).map(|i| entry(2, i, 5)).collect())
        .await
        .unwrap();
    RaftLogStorage::truncate_after(&mut one, Some(id(1, 7)))
        .await
        .unwrap();
    append(&mut one, vec![entry(4, 8, 5)]).await.unwrap();
    RaftLogStorage::save_committed(&mut one, Some(id(1, 6)))
        .await
        .unwrap();
    RaftLogStorage::purge(&mut one, id(1, 4)).await.unwrap();
    one.flush().await.unwrap();

    let store = store.crash(Survives::Nothing);
    let (_, mut one) = load(Arc::new(store.clone()), 1);
    let (_, mut two) = load(Arc::new(store), 2);
    assert_eq!(indexes(&mut one).await, [(1, 5), (1, 6), (1, 7), (4, 8)]);
    assert_eq!(indexes(&mut two).await, [(2, 0), (2, 1), (2, 2)]);
    assert_eq!(one.read_vote().await.unwrap(), Some(vote));
    assert_eq!(one.read_committed().await.unwrap(), Some(id(1, 6)));
    assert_eq!(two.read_committed().await.unwrap(), None);
    let state = one.get_log_state().await.unwrap();
    assert_eq!(state.last_purged_log_id, Some(id(1, 4)));
    assert_eq!(state.last_log_id, Some(id(4, 8)));
}

#[tokio::test]
async fn reads_are_bounded_in_bytes_and_long_ranges_are_removed_as_ranges() {
    let store = Memory::new(&FAMILIES);
    let (_, mut log) = load(Arc::new(store.clone()), 1);
    let large = MAX_APPEND_BYTES / 2;
    append(&mut log, (0..6).map(|i| entry(1, i, large)).collect())
        .await
        .unwrap();
    for start in [0, 3, 5] {
        let found = log.limited_get_log_entries(start, 6).await.unwrap();
        assert!((1..=2).contains(&found.len()), "{} entries", found.len());
        assert_eq!(found[0].index(), start);
    }
    let many = 6 + MAX_POINT_DELETES * 2;
    append(&mut log, (6..many).map(|i| entry(1, i, 1)).collect())
        .await
        .unwrap();
    RaftLogStorage::purge(&mut log, id(1, many - 3))
        .await
        .unwrap();
    log.flush().await.unwrap();
    let (_, mut log) = load(Arc::new(store.crash(Survives::Nothing)), 1);
    assert_eq!(indexes(&mut log).await, [(1, many - 2), (1, many - 1)]);
}

/// Appends, votes and truncations, with the n-th call of the store failing or power lost at that
/// point: what was acknowledged is there, a vote is never behind its entries, and there is no
/// gap.
#[tokio::test]
async fn whatever_call_fails_the_log_has_what_it_acknowledged() {
    for n in 0..40 {
        for survives in [Survives::Nothing, Survives::Random(n), Survives::Everything] {
            let store = Memory::new(&FAMILIES);
            let (_, mut log) = load(Arc::new(store.clone()), 1);
            store.faults().fail_after(n);
            let mut acknowledged = Vec::new();
            for term in 1..8 {
                let vote = Vote::new_committed(term, NodeId(1));
                if RaftLogStorage::save_vote(&mut log, &vote).await.is_err() {
                    break;
                }
                let start = (term - 1) * 2;
                let keep = start.checked_sub(1).map(|last| id(term - 1, last));
                if RaftLogStorage::truncate_after(&mut log, keep)
                    .await
                    .is_err()
                {
                    break;
                }
                acknowledged.truncate(usize::try_from(start).unwrap());
                let entries = (start..start + 3).map(|i| entry(term, i, 9)).collect();
                if append(&mut log, entries).await.is_err() {
                    break;
                }
                acknowledged.extend((start..start + 3).map(|index| (term, index)));
            }
            let (_, mut log) = load(Arc::new(store.crash(survives)), 1);
            let found = indexes(&mut log).await;
            assert!(found.windows(2).all(|pair| pair[0].1 + 1 == pair[1].1));
            // The last truncation may have been what failed, so its entry may be there or not.
            let settled = acknowledged.len() / 3 * 3;
            let settled = settled.min(acknowledged.len().saturating_sub(1));
            assert!(
                found.len() >= settled,
                "{n} {survives:?} {found:?} {acknowledged:?}"
            );
            assert_eq!(found[..settled], acknowledged[..settled]);
            let vote = log
                .read_vote()
                .await
                .unwrap()
                .map_or(0, |vote| vote.leader_id().term);
            assert!(found.iter().all(|(term, _)| *term <= vote));
        }
    }
}

#[tokio::test]
async fn after_a_failed_write_nothing_is_written_any_more() {
    let store = Memory::new(&FAMILIES);
    let (_, mut log) = load(Arc::new(store.clone()), 1);
    append(&mut log, vec![entry(1, 0, 1)]).await.unwrap();
    store.faults().fail_after(0);
    assert!(append(&mut log, vec![entry(1, 1, 1)]).await.is_err());
    assert!(append(&mut log, vec![entry(1, 2, 1)]).await.is_err());
    let vote = Vote::new(9, NodeId(1));
    assert!(RaftLogStorage::save_vote(&mut log, &vote).await.is_err());
    assert_eq!(log.read_vote().await.unwrap(), None);
}
