//! `devflow bench` counts what the server sees, and leaves nothing behind.

use std::path::Path;
use std::process::Command;

use jepsen::harness::{ADMINISTRATOR, Cluster, Http, PASSWORD, devflow, serve};
use serde_json::Value;

fn bench(arguments: &[&str], place: &Path, base: &str) -> Value {
    let password = place.join("password");
    std::fs::write(&password, PASSWORD).unwrap();
    let output = Command::new(devflow().unwrap())
        .arg("bench")
        .args(arguments)
        .args([
            "--json",
            "--seconds",
            "1",
            "--warm-up",
            "0.5",
            "--concurrency",
            "2",
        ])
        .args(["--url", base, "--user", ADMINISTRATOR, "--password-file"])
        .arg(&password)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// How often a git service has ended well, by the server's own count.
fn served(http: &Http, service: &str) -> u64 {
    let text = http.send("GET", "/metrics", None).unwrap().body;
    let of = format!("service=\"{service}\"");
    let lines = text.lines().filter(|line| {
        line.starts_with("devflow_frontend_git_services_total") && line.contains(&of)
    });
    lines
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum()
}

/// Waits until the server has counted this many: it does so after it answered.
fn ends_at(http: &Http, service: &str, expected: u64) {
    for _ in 0..600 {
        if served(http, service) >= expected {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(served(http, service), expected, "{service}");
}

/// Operations of all runs, warm-up and all; none may have failed.
fn operations(report: &Value) -> u64 {
    let runs = report["runs"].as_array().unwrap();
    runs.iter()
        .map(|run| {
            assert_eq!(
                (&run["failed"], &run["warm_up_failed"]),
                (&0.into(), &0.into()),
                "{run}"
            );
            let latency = &run["latency"];
            assert!(latency["p50_us"].as_u64() > Some(0), "{run}");
            assert!(
                latency["p50_us"].as_u64() <= latency["p99_us"].as_u64(),
                "{run}"
            );
            run["operations"].as_u64().unwrap() + run["warm_up_operations"].as_u64().unwrap()
        })
        .sum()
}

#[test]
fn a_bench_counts_what_the_server_saw_and_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let server = serve("all", place.path()).unwrap();
    let base = server.listener("http").unwrap();
    let http = Http::new(base);

    let page = place.path().join("page.html");
    let report = bench(
        &["refs", "--html", page.to_str().unwrap()],
        place.path(),
        base,
    );
    assert!(operations(&report) > 0);
    let pushed = operations(&report);
    ends_at(&http, "receive-pack", pushed);
    assert!(std::fs::read_to_string(page).unwrap().contains("<polyline"));

    let report = bench(&["clones", "--files", "3"], place.path(), base);
    // Each lists refs and then fetches; one listing finds what there is, and
    // one push has made it.
    let cloned = 2 * operations(&report) + 1;
    ends_at(&http, "upload-pack", cloned);
    ends_at(&http, "receive-pack", pushed + 1);

    let report = bench(&["blobs", "--size", "10KiB"], place.path(), base);
    let of = |run: usize| operations(&serde_json::json!({"runs": [report["runs"][run]]}));
    ends_at(&http, "receive-pack", pushed + 1 + of(0));
    ends_at(&http, "upload-pack", cloned + of(1));

    for path in [
        "/api/v1/user/repos",
        &format!("/api/v1/users/{ADMINISTRATOR}/tokens"),
    ] {
        let left = http.call("GET", path, None).unwrap();
        assert_eq!(left, Value::Array(Vec::new()), "{path}");
    }
}

#[test]
fn blobs_at_the_nodes_are_written_read_and_removed() {
    let place = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(place.path(), 1, 1).unwrap();
    let data = place.path().join("frontend1");
    let run = || {
        Command::new(devflow().unwrap())
            .args([
                "bench",
                "blobs",
                "--json",
                "--seconds",
                "1",
                "--warm-up",
                "0",
            ])
            .args(["--size", "100KiB,3MiB", "--concurrency", "2", "--data"])
            .arg(&data)
            .output()
            .unwrap()
    };
    let output = run();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["runs"].as_array().unwrap().len(), 4);
    assert!(operations(&report) > 0);
    let verified = cluster.verify().unwrap();
    assert!(verified.contains("node 1: 0 chunks"), "{verified}");

    cluster.nodes[0].kill().unwrap();
    let refused = run();
    assert!(!refused.status.success());
    let errors = String::from_utf8_lossy(&refused.stderr);
    assert!(
        errors.contains("no node of the cluster answered"),
        "{errors}"
    );
}
