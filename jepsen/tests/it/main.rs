//! Short forms of the black-box tests, and how the program meets bad starts.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]
#![expect(
    clippy::disallowed_methods,
    reason = "real processes live in real time"
)]

mod backups;
mod bench;
mod bugs;
mod chaos;
mod cluster;
mod collect;
mod rebuild;
mod repair;
mod shim;
mod starts;

/// The everyday scenario on one node and on three with a frontend.
#[test]
fn real_git_works_on_one_node_and_on_three() {
    jepsen::clients::run(None).unwrap();
}
