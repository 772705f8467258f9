//! A short run; `./dev chaos` runs for as long as one likes.

use std::fs;
use std::time::Duration;

use jepsen::chaos::{self, Bug, Options, Report};
use jepsen::harness::{ADMINISTRATOR, Cluster, PASSWORD};
use jepsen::history::Action;

/// A run of these faults.
pub(crate) fn judge(faults: &[&str], length: Duration, bug: Option<Bug>) -> Report {
    judge_seed(7, faults, length, bug)
}

/// The same in the order of another seed.
pub(crate) fn judge_seed(seed: u64, faults: &[&str], length: Duration, bug: Option<Bug>) -> Report {
    let place = tempfile::tempdir().unwrap();
    let options = Options {
        faults: faults.iter().map(|&fault| fault.to_owned()).collect(),
        length,
        calm: Duration::from_secs(2),
        seed,
        history: place.path().join("history.jsonl"),
        bug,
        ..Options::default()
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

/// What an operator has: addresses, a user, an identity, and a command that breaks nodes.
#[test]
fn promises_are_kept_by_a_cluster_that_its_operator_breaks() {
    let place = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(place.path(), 3, 2).unwrap();
    let file = |name: &str, text: &str| {
        let path = place.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let password = file("password", PASSWORD);
    // It knows nodes by their process ids.
    let hook = "[ $2 = freeze ] || exit 1; \
                case $1 in start) kill -STOP $3;; heal) kill -CONT $3;; esac";
    let hook = file("hook.sh", hook);
    let ids = cluster.nodes.iter().map(|node| node.id().unwrap());
    let options = Options {
        faults: vec!["freeze".to_owned(), "transfer".to_owned()],
        length: Duration::from_secs(12),
        calm: Duration::from_secs(2),
        cluster: vec![cluster.base(0).unwrap(), cluster.base(1).unwrap()],
        user: Some(ADMINISTRATOR.to_owned()),
        password_file: Some(password),
        data: Some(place.path().join("frontend2")),
        hook: Some(format!("sh {}", hook.display())),
        nodes: ids.map(|id| id.to_string()).collect(),
        history: place.path().join("history.jsonl"),
        ..Options::default()
    };
    let report = chaos::judge(&options).unwrap();
    report.print();
    assert!(report.is_kept());
    for checker in ["replicas", "content", "pushes", "refs"] {
        assert!(report.verdict(checker).is_some(), "{checker}");
    }
    for fault in &options.faults {
        let mut faults = report.events.iter().filter(|e| e.action == Action::Fault);
        assert!(faults.any(|event| event.key == *fault), "{fault}");
    }
    let needs_an_identity = Options {
        data: None,
        hook: None,
        ..options
    };
    let refused = chaos::judge(&needs_an_identity).unwrap_err().to_string();
    assert!(refused.contains("--hook"), "{refused}");
}
