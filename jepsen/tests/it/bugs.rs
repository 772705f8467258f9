//! Bugs put back around real processes: each must turn its checker red, or a
//! green run would mean nothing.

use std::time::Duration;

use jepsen::chaos::Bug;

use crate::chaos::{judge, judge_seed};

const LENGTH: Duration = Duration::from_secs(6);
/// A seed by which the first power failure is one of all nodes: what one node of three
/// forgets, the others know.
const BLACKOUT: u64 = 1;

#[test]
fn a_frontend_that_answers_from_a_stale_cache_is_seen() {
    let report = judge(&["clock"], LENGTH, Some(Bug::StaleReads));
    assert_eq!(report.verdict("refs").unwrap().kept, Some(false));
}

#[test]
fn pushes_that_move_refs_one_by_one_are_seen() {
    let report = judge(&["clock"], LENGTH, Some(Bug::SplitPushes));
    assert_eq!(report.verdict("atomicity").unwrap().kept, Some(false));
    assert_eq!(report.verdict("groups").unwrap().kept, Some(false));
    assert_eq!(report.verdict("refs").unwrap().kept, Some(true));
}

#[test]
fn writes_without_a_quorum_of_all_nodes_are_seen() {
    let report = judge(&[], LENGTH, Some(Bug::SplitBrain));
    for checker in ["refs", "groups", "names", "pushes"] {
        let verdict = report.verdict(checker).unwrap();
        assert_eq!(verdict.kept, Some(false), "{checker}: {}", verdict.said);
    }
}

/// Its twin that syncs is `promises_are_kept_under_faults_of_processes_and_disks`.
#[test]
fn a_log_that_is_not_synced_is_seen_after_a_power_failure() {
    let report = judge_seed(BLACKOUT, &["power"], LENGTH, Some(Bug::LogSyncLies));
    let forgotten = ["refs", "groups", "names", "pushes"].map(|checker| {
        let verdict = report.verdict(checker).unwrap();
        verdict.kept == Some(false)
    });
    assert!(forgotten.contains(&true), "nothing acknowledged was missed");
}

#[test]
fn volumes_that_are_not_synced_are_seen_after_a_power_failure() {
    let report = judge_seed(BLACKOUT, &["power"], LENGTH, Some(Bug::VolumeSyncLies));
    assert_eq!(report.verdict("content").unwrap().kept, Some(false));
    assert_eq!(report.verdict("refs").unwrap().kept, Some(true));
}
