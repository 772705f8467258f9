//! A short run; `./dev chaos` runs for as long as one likes.

use std::time::Duration;

use jepsen::chaos::{self, Bug, Options, Report};

/// A run of these faults.
pub(crate) fn judge(faults: &[&str], length: Duration, bug: Option<Bug>) -> Report {
    let place = tempfile::tempdir().unwrap();
    let options = Options {
        faults: faults.iter().map(|&fault| fault.to_owned()).collect(),
        length,
        calm: Duration::from_secs(2),
        seed: 7,
        cluster: Vec::new(),
        user: None,
        password_file: None,
        hook: None,
        history: place.path().join("history.jsonl"),
        page: None,
        bug,
    };
    let report = chaos::judge(&options).unwrap();
    report.print();
    report
}

#[test]
fn promises_are_kept_under_faults_of_processes_and_disks() {
    let faults = ["kill", "pause", "power", "clock"];
    let report = judge(&faults, Duration::from_secs(16), None);
    assert!(report.is_kept());
}

/// Where no network can be made, this says so and kills processes instead.
#[test]
fn promises_are_kept_under_faults_of_the_network() {
    let faults = ["partition", "one-way", "slow-link", "kill"];
    let report = judge(&faults, Duration::from_secs(16), None);
    assert!(report.is_kept());
}

#[test]
fn promises_are_kept_while_nodes_are_replaced_and_leaders_and_slots_move() {
    let faults = ["replace", "transfer", "slots"];
    let report = judge(&faults, Duration::from_secs(12), None);
    assert!(report.is_kept());
}
