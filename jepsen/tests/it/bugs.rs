//! Bugs put back around real processes: each must turn its checker red, or a
//! green run would mean nothing.

use std::time::Duration;

use jepsen::chaos::Bug;

use crate::chaos::judge;

const LENGTH: Duration = Duration::from_secs(6);

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
