//! The collector of real processes: deletions, pushes and kills around its cycles.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use jepsen::clients::made_history;
use jepsen::harness::{ADMINISTRATOR, Cluster, Git};

/// How many chunks the nodes together would drop, as a dry run says.
fn droppable(cluster: &Cluster) -> u64 {
    dropped(&cluster.collect(true).unwrap())
}

/// How many chunks of all nodes a collection names.
fn dropped(told: &str) -> u64 {
    let all = told
        .lines()
        .find_map(|line| line.strip_prefix("all nodes: "));
    let count = all.and_then(|line| line.split(' ').next());
    count.unwrap_or_else(|| panic!("{told}")).parse().unwrap()
}

/// Ends a loop beside, however its owner ends.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Pushes commits of a growing file, and says how many.
fn push_until(stop: &AtomicBool, source: &Git, url: &str) -> usize {
    let mut pushed = 0;
    while !stop.load(Ordering::Relaxed) {
        let content = format!("{pushed} {}", "x".repeat(pushed * 1000));
        source.commit("growing", &content).unwrap();
        source.run(&["push", "--quiet", url, "main"]).unwrap();
        pushed += 1;
    }
    pushed
}

#[test]
fn a_deleted_repository_goes_and_pushes_meanwhile_lose_nothing() {
    let place = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(place.path(), 3, 1).unwrap();
    let http = cluster.http().unwrap();
    let base = cluster.base(0).unwrap();
    let url = |name: &str| Git::url(&base, &format!("{ADMINISTRATOR}/{name}.git"));
    let source = made_history(&place.path().join("source"), 20).unwrap();
    for name in ["gone", "kept"] {
        let url = url(name);
        source
            .run(&["push", "--quiet", &url, "main", "--tags"])
            .unwrap();
    }
    cluster.wait_until_settled(Duration::from_secs(60)).unwrap();
    cluster.collect(false).unwrap();
    assert_eq!(droppable(&cluster), 0, "everything has a name");
    let path = format!("/api/v1/repos/{ADMINISTRATOR}/gone");
    http.call("DELETE", &path, None).unwrap();
    // As long as it can be had back, no cycle takes anything of it.
    cluster.collect(false).unwrap();
    let deleted = |of: &str| {
        let listed = http.call("GET", "/api/v1/user/deleted/repos", None);
        format!("/api/v1/deleted/repos/{}{of}", listed.unwrap()[0]["id"])
    };
    let body = serde_json::json!({});
    http.call("POST", &deleted("/restore"), Some(&body))
        .unwrap();
    Git::at(place.path())
        .run(&["clone", "--quiet", "--mirror", &url("gone"), "restored"])
        .unwrap();
    let restored = Git::at(place.path().join("restored")).summary().unwrap();
    assert_eq!(restored.objects, source.summary().unwrap().objects);
    http.call("DELETE", &path, None).unwrap();
    http.call("DELETE", &deleted(""), None).unwrap();

    // What the two shared stays; pushes go on through cycles and a kill.
    let stop = AtomicBool::new(false);
    let pushed = thread::scope(|scope| {
        // Also if a cycle fails: the scope waits for who pushes.
        let stopping = StopOnDrop(&stop);
        let pushing = scope.spawn(|| push_until(&stop, &source, &url("kept")));
        for cycle in 0..4 {
            let collected = cluster.collect(false);
            if cycle == 1 {
                cluster.nodes[2].kill().unwrap();
                cluster.nodes[2].restart().unwrap();
            } else if cycle != 2 {
                // The one after the kill may find a node that sits it out.
                collected.unwrap();
            }
        }
        drop(stopping);
        pushing.join().unwrap()
    });
    assert!(pushed > 0);
    cluster.wait_until_settled(Duration::from_secs(60)).unwrap();
    cluster.collect(false).unwrap();
    assert_eq!(droppable(&cluster), 0);
    cluster
        .wait_until_verified(Duration::from_secs(60))
        .unwrap();
    Git::at(place.path())
        .run(&["clone", "--quiet", "--mirror", &url("kept"), "clone"])
        .unwrap();
    let cloned = Git::at(place.path().join("clone")).summary().unwrap();
    assert_eq!(cloned.objects, source.summary().unwrap().objects);
}

#[test]
fn many_small_packs_become_one_and_the_collector_takes_them() {
    let place = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(place.path(), 3, 2).unwrap();
    let http = cluster.http().unwrap();
    let url = |frontend: usize, name: &str| {
        let base = cluster.base(frontend).unwrap();
        Git::url(&base, &format!("{ADMINISTRATOR}/{name}.git"))
    };
    let source = made_history(&place.path().join("source"), 2).unwrap();
    let (here, there) = (url(0, "many"), url(1, "many"));
    // Fewer packs than those at which frontends maintain by themselves.
    for number in 0..45 {
        source.commit("growing", &format!("{number}")).unwrap();
        let through = if number % 2 == 0 { &here } else { &there };
        let push = ["push", "--quiet", through, "main", "--tags"];
        source.run(&push).unwrap();
    }
    let objects = source.summary().unwrap().objects;
    let cloned = |from: &str, to: &str| {
        let at = Git::at(place.path());
        at.run(&["clone", "--quiet", "--mirror", from, to]).unwrap();
        let clone = Git::at(place.path().join(to));
        clone.run(&["fsck", "--strict"]).unwrap();
        clone.summary().unwrap().objects
    };
    assert_eq!(cloned(&here, "before"), objects);
    cluster.wait_until_settled(Duration::from_secs(60)).unwrap();
    cluster.collect(false).unwrap();
    assert_eq!(droppable(&cluster), 0, "everything has a name");
    let path = format!("/api/v1/repos/{ADMINISTRATOR}/many/maintenance");
    let body = serde_json::json!({"extent": "full"});
    http.call("POST", &path, Some(&body)).unwrap();
    let mut tries = 0..600;
    let is_replaced = || {
        let metrics = http.send("GET", "/metrics", None).unwrap().body;
        metrics.contains("maintained_total{outcome=\"replaced\"} 1")
    };
    while !is_replaced() {
        assert!(tries.next().is_some(), "nothing is replaced");
        thread::sleep(Duration::from_millis(100));
    }
    // What was replaced is named until the next barrier, and goes in a cycle after it.
    let dropped: u64 = (0..2)
        .map(|_| dropped(&cluster.collect(false).unwrap()))
        .sum();
    assert!(dropped > 45, "{dropped} chunks of 45 packs");
    cluster.wait_until_settled(Duration::from_secs(60)).unwrap();
    assert_eq!(droppable(&cluster), 0);
    for (frontend, to) in [(0, "after-here"), (1, "after-there")] {
        assert_eq!(cloned(&url(frontend, "many"), to), objects);
    }
}
