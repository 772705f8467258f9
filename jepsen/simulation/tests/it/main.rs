//! The simulator itself: it is deterministic, the tier passes its seeds, and a
//! broken rule is seen.

use std::process::Command;
use std::thread::available_parallelism;

/// Seeds of the default run.
const SEEDS: u64 = 120;
/// Within so many seeds each broken rule must be seen.
const SEEDS_OF_A_MUTATION: u64 = 60;

/// Runs one seed in a process of its own; whether it passed, and what it said.
fn seed(seed: u64, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_jepsen-simulation"))
        .args(["--child", "--seed", &seed.to_string()])
        .args(arguments)
        .output()
        .expect("the simulator starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.code().is_some_and(|code| code <= 1),
        "seed {seed} ended with {}: {text}",
        output.status
    );
    (output.status.success(), text)
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for number in [3, 7, 11] {
        let (_, once) = seed(number, &["--trace"]);
        let (_, again) = seed(number, &["--trace"]);
        let differs = once
            .lines()
            .zip(again.lines())
            .find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {number}");
        assert_eq!(once.len(), again.len(), "seed {number}");
        assert!(
            once.lines().count() > 500,
            "seed {number} has hardly any events"
        );
    }
    let (_, other) = seed(4, &[]);
    assert_ne!(seed(3, &[]).1, other);
}

/// What is printed of a seed that failed is all that it takes to see it again.
#[test]
fn a_seed_that_failed_fails_again_by_the_command_that_it_prints() {
    let mutation = "receipt-without-chunks";
    let failed = (1..=SEEDS_OF_A_MUTATION).find_map(|number| {
        let (passed, text) = seed(number, &["--mutate", mutation]);
        (!passed).then_some(text)
    });
    let failed = failed.expect("some seed sees the broken rule");
    let again = failed
        .lines()
        .find_map(|line| line.trim().strip_prefix("again: ./dev simulate "));
    let words: Vec<&str> = again.expect("a command is printed").split(' ').collect();
    let output = Command::new(env!("CARGO_BIN_EXE_jepsen-simulation"))
        .args(&words)
        .output()
        .expect("the simulator starts");
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    let (trace, verdict) = text.split_at(text.rfind("\nseed ").expect("a verdict") + 1);
    assert_eq!(verdict, failed, "the same events, and the same faults");
    assert!(trace.contains("VIOLATION"), "and the trace shows them");
}

#[test]
fn writes_resume_each_time_a_leader_is_lost() {
    for profile in [&[][..], &["--fast-disk"][..]] {
        let output = Command::new(env!("CARGO_BIN_EXE_jepsen-simulation"))
            .args(["--failovers", "20"])
            .args(profile)
            .output()
            .expect("the simulator starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}{said}");
        assert!(text.contains("20 leaders lost"), "{text}");
    }
}

#[test]
fn the_tier_passes_its_seeds() {
    let jobs = available_parallelism().map_or(1, usize::from);
    let output = Command::new(env!("CARGO_BIN_EXE_jepsen-simulation"))
        .args(["--seed", "1", "--seeds", &SEEDS.to_string()])
        .args(["--jobs", &jobs.to_string()])
        .output()
        .expect("the simulator starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let failed: Vec<&str> = text
        .lines()
        .filter(|line| !line.contains(": ok, "))
        .collect();
    assert!(
        output.status.success() && failed.is_empty(),
        "{}",
        failed.join("\n")
    );
    assert_eq!(text.lines().count() as u64, SEEDS);
    let restless: Vec<&str> = text
        .lines()
        .filter(|line| line.contains(" and 0 sleeps "))
        .collect();
    assert!(restless.is_empty(), "{}", restless.join("\n"));
}

/// Breaks a rule and goes through the seeds until the invariant of this name
/// is found broken.
fn is_seen(mutation: &str, invariant: &str) {
    for number in 1..=SEEDS_OF_A_MUTATION {
        let (passed, text) = seed(number, &["--mutate", mutation]);
        if !passed && text.contains(&format!("    {invariant}: ")) {
            return;
        }
    }
    panic!("{mutation} was not seen as a fault of {invariant}");
}

#[test]
fn volumes_that_do_not_sync_are_seen() {
    is_seen("volume-sync-lies", "acknowledged is durable");
}

#[test]
fn a_log_that_does_not_sync_is_seen() {
    is_seen("log-sync-lies", "leader completeness");
}

#[test]
fn a_commit_without_a_quorum_is_seen() {
    is_seen("commit-without-quorum", "leader completeness");
}

#[test]
fn a_put_that_one_node_holds_is_seen() {
    is_seen("receipt-without-chunks", "acknowledged is durable");
}

#[test]
fn reads_of_a_replica_that_is_behind_are_seen() {
    is_seen("read-without-index", "ref linearizability");
}

#[test]
fn a_push_that_appears_in_part_is_seen() {
    is_seen("atomic-is-not", "push atomicity");
}

#[test]
fn a_retry_that_applies_twice_is_seen() {
    is_seen("retry-with-new-id", "events effective exactly once");
    is_seen("retry-with-new-id", "facts effective exactly once");
}

#[test]
fn a_replica_that_differs_is_seen() {
    is_seen("replica-differs", "state-machine safety");
}

#[test]
fn commits_of_sessions_from_before_a_barrier_are_seen() {
    is_seen("old-sessions-commit", "collection safety");
}

#[test]
fn a_sweep_that_ignores_touches_is_seen() {
    is_seen("drops-ignore-touches", "collection safety");
}

#[test]
fn a_listing_that_loses_blobs_is_seen() {
    is_seen("listing-loses-blobs", "collection safety");
}

#[test]
fn a_slot_that_is_handed_over_before_it_is_copied_is_seen() {
    is_seen("handover-without-copy", "liveness");
}
