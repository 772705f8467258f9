//! Files that rot on a node's disk while it is down: it says so, and comes back from its peers, or
//! says that it has to be replaced.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use jepsen::clients::made_history;
use jepsen::harness::{ADMINISTRATOR, Cluster, Git};

const PATIENCE: Duration = Duration::from_secs(90);

/// Writes over all files of a directory whose names begin so.
fn rot(directory: &Path, beginnings: &[&str]) {
    let mut rotten = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if beginnings.iter().any(|start| name.starts_with(start)) {
            let length = usize::try_from(fs::metadata(&path).unwrap().len()).unwrap();
            let mut file = File::options().write(true).open(&path).unwrap();
            file.write_all(&vec![0x5a; length]).unwrap();
            rotten += 1;
        }
    }
    assert!(rotten > 0, "nothing in {} can rot", directory.display());
}

/// Writes over the beginning of each table: what is read of it, not what says that it is one.
fn rot_blocks(directory: &Path) {
    let mut rotten = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "sst") {
            let mut file = File::options().write(true).open(&path).unwrap();
            file.write_all(&[0x5a; 40]).unwrap();
            rotten += 1;
        }
    }
    assert!(rotten > 0, "there are no tables");
}

fn said(cluster: &Cluster, node: usize) -> String {
    fs::read_to_string(cluster.nodes[node].log()).unwrap()
}

#[test]
fn a_node_whose_stores_rot_is_rebuilt_under_its_number_and_one_whose_log_rots_is_replaced() {
    let place = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(place.path(), 3, 1).unwrap();
    let source = made_history(&place.path().join("source"), 20).unwrap();
    let base = cluster.base(0).unwrap();
    let url = Git::url(&base, &format!("{ADMINISTRATOR}/rot.git"));
    source
        .run(&["push", "--quiet", &url, "main", "--tags"])
        .unwrap();
    cluster.wait_until_settled(PATIENCE).unwrap();

    // The facts: set aside by itself.
    cluster.nodes[1].kill().unwrap();
    let data = cluster.data(1);
    rot(&data.join("metadata"), &["state-"]);
    cluster.nodes[1].restart().unwrap();
    cluster.wait_until_settled(PATIENCE).unwrap();
    assert!(data.join("metadata.damaged").exists());
    assert!(said(&cluster, 1).contains("the facts are damaged"));

    // Blocks of the states: found when they are read, and set aside by the next start.
    cluster.nodes[1].kill().unwrap();
    cluster.nodes[1].restart().unwrap();
    cluster.nodes[1].kill().unwrap();
    rot_blocks(&data.join("state"));
    if cluster.nodes[1].restart().is_ok() {
        let began = Instant::now();
        while !cluster.nodes[1].has_ended() {
            assert!(began.elapsed() < PATIENCE, "{}", said(&cluster, 1));
            thread::sleep(Duration::from_millis(100));
        }
    }
    let log = said(&cluster, 1);
    assert!(log.contains("start the node again"), "{log}");
    cluster.nodes[1].restart().unwrap();
    cluster.wait_until_settled(PATIENCE).unwrap();

    // The states: by order, also on the founder, which has to be told whom to ask.
    let seed = cluster.nodes[1].listener("https").unwrap().to_owned();
    let seed = seed.trim_start_matches("https://").to_owned();
    for node in [2, 0] {
        cluster.nodes[node].kill().unwrap();
        rot(&cluster.data(node).join("state"), &["MANIFEST", "0"]);
        cluster.nodes[node].restart().unwrap_err();
        let log = said(&cluster, node);
        assert!(log.contains("devflow storage-node --rebuild"), "{log}");
        cluster.nodes[node]
            .restart_with(&["--rebuild", "--seed", &seed])
            .unwrap();
        cluster.wait_until_settled(PATIENCE).unwrap();
        assert!(cluster.data(node).join("state.damaged").exists());
    }
    cluster.wait_until_verified(PATIENCE).unwrap();
    // By order of an operator, with nothing wrong.
    let told = cluster
        .operator()
        .cluster(&["node", "rebuild", "3"])
        .unwrap();
    assert!(
        told.contains("has rebuilt its replica of group 1"),
        "{told}"
    );
    cluster.wait_until_settled(PATIENCE).unwrap();

    // The log: no other node can give it back.
    cluster.nodes[2].kill().unwrap();
    rot(&cluster.data(2).join("raft"), &["MANIFEST", "0"]);
    cluster.nodes[2].restart().unwrap_err();
    let log = said(&cluster, 2);
    assert!(log.contains("replace this node"), "{log}");
    fs::remove_dir_all(cluster.data(2)).unwrap();
    cluster.replace(2).unwrap();

    source.commit("after.txt", "after\n").unwrap();
    source.run(&["push", "--quiet", &url, "main"]).unwrap();
    Git::at(place.path())
        .run(&["clone", "--quiet", "--mirror", &url, "clone"])
        .unwrap();
    let cloned = Git::at(place.path().join("clone")).summary().unwrap();
    assert_eq!(cloned.objects, source.summary().unwrap().objects);
}

#[test]
fn a_survivor_says_by_name_what_is_lost() {
    let place = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(place.path(), 3, 1).unwrap();
    let base = cluster.base(0).unwrap();
    for name in ["kept", "lost"] {
        let source = made_history(&place.path().join(name), 3).unwrap();
        let url = Git::url(&base, &format!("{ADMINISTRATOR}/{name}.git"));
        source.run(&["push", "--quiet", &url, "main"]).unwrap();
        if name == "kept" {
            cluster.wait_until_settled(PATIENCE).unwrap();
        }
    }
    cluster.wait_until_settled(PATIENCE).unwrap();
    for frontend in &mut cluster.frontends {
        frontend.kill().unwrap();
    }
    for node in &mut cluster.nodes {
        node.kill().unwrap();
    }
    // All chunks of the survivor are gone, and with them all copies.
    let data = cluster.data(2);
    fs::remove_dir_all(data.join("volumes")).unwrap();
    let recover = ["admin", "recover", "--accept-loss", "--json", "--data"];
    let told = devflow(&[&recover[..], &[data.to_str().unwrap()]].concat());
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["recovery"]["given_up"].as_array().unwrap().len(), 2);
    let groups = told["recovery"]["groups"].as_array().unwrap();
    assert!(
        groups.iter().all(|group| group["last"].as_u64() > Some(0)),
        "{told}"
    );
    let lost = told["content"]["lost"].as_array().unwrap();
    for name in ["kept", "lost"] {
        let name = format!("{ADMINISTRATOR}/{name}");
        let of_it = lost.iter().filter(|blob| blob["name"] == name.as_str());
        // A pack and its index.
        assert_eq!(of_it.count(), 2, "{told}");
    }
    assert!(
        lost.iter().all(|blob| blob["lost_bytes"] == blob["bytes"]),
        "{told}"
    );
    cluster.nodes[2].restart().unwrap();
    let again = devflow(&["admin", "lost", "--data", data.to_str().unwrap()]);
    assert!(again.contains("LOST repository"), "{again}");
    assert!(again.contains(&format!("{ADMINISTRATOR}/lost")), "{again}");
    assert!(again.contains("it can never rejoin"), "{again}");
    for node in [0, 1] {
        cluster.nodes[node].restart().unwrap_err();
        let log = said(&cluster, node);
        assert!(log.contains("was removed from the cluster"), "{log}");
    }
}

fn devflow(arguments: &[&str]) -> String {
    let mut command = std::process::Command::new(jepsen::harness::devflow().unwrap());
    let output = command.args(arguments).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout).unwrap()
}
