//! Short forms of the black-box tests, and how the program meets bad starts.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]
#![expect(
    clippy::disallowed_methods,
    reason = "real processes live in real time"
)]

mod bench;
mod cluster;
mod repair;
mod starts;

/// The everyday scenario on one node and on three with a frontend.
#[test]
fn real_git_works_on_one_node_and_on_three() {
    jepsen::clients::run(None).unwrap();
}

/// Few pushes and kills; `./dev chaos` runs hundreds.
#[test]
fn acknowledged_pushes_survive_killed_processes() {
    let place = tempfile::tempdir().unwrap();
    let options = jepsen::chaos::Options {
        pushes: 20,
        kills: 4,
        pushers: 2,
        frontends: 2,
        seed: 7,
        history: place.path().join("history.jsonl"),
    };
    jepsen::chaos::run(&options).unwrap();
}
