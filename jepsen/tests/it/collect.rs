//! The collector of real processes: deletions, pushes and kills around its cycles.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use jepsen::clients::made_history;
use jepsen::harness::{ADMINISTRATOR, Cluster, Git};

/// How many chunks the nodes together would drop, as a dry run says.
fn droppable(cluster: &Cluster) -> u64 {
    let told = cluster.collect(true).unwrap();
    let all = told
        .lines()
        .find_map(|line| line.strip_prefix("all nodes: "));
    let count = all.and_then(|line| line.split(' ').next());
    count.unwrap_or_else(|| panic!("{told}")).parse().unwrap()
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
        let pushing = scope.spawn(|| {
            let mut pushed = 0;
            while !stop.load(Ordering::Relaxed) {
                let content = format!("{pushed} {}", "x".repeat(pushed * 1000));
                source.commit("growing", &content).unwrap();
                source
                    .run(&["push", "--quiet", &url("kept"), "main"])
                    .unwrap();
                pushed += 1;
            }
            pushed
        });
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
        stop.store(true, Ordering::Relaxed);
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
