//! Who does not belong to a cluster gets nowhere.

use std::process::Command;

use jepsen::harness::{Cluster, devflow};

#[test]
fn a_process_without_a_certificate_gets_nowhere() {
    let place = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(place.path(), 1, 0).unwrap();
    let control = cluster.nodes[0].listener("https").unwrap();
    // Without a certificate the handshake ends before any request.
    let curl = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--insecure",
            "--http2",
            "--max-time",
            "5",
            control,
        ])
        .output()
        .unwrap();
    assert!(
        !curl.status.success(),
        "{}",
        String::from_utf8_lossy(&curl.stdout)
    );
    // An identity of another cluster is as good as none.
    let foreign = place.path().join("foreign");
    let address = control.trim_start_matches("https://");
    let made = Command::new(devflow().unwrap())
        .args(["cluster", "init", "--listen", address, "--data"])
        .arg(&foreign)
        .output()
        .unwrap();
    assert!(made.status.success());
    let asked = Command::new(devflow().unwrap())
        .args(["cluster", "status", "--data"])
        .arg(&foreign)
        .output()
        .unwrap();
    assert!(!asked.status.success());
    let text = String::from_utf8_lossy(&asked.stderr);
    assert!(text.contains("no node of the cluster answered"), "{text}");
}
