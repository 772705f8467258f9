//! Bytes that change on a node's disk.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jepsen::clients::made_history;
use jepsen::harness::{ADMINISTRATOR, Cluster, Git};

/// Of a volume's first block, and of a record's header.
const FIRST_BLOCK: u64 = 4096;
const HEADER: u64 = 96;

/// The node's volume files.
fn volumes(data: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(data.join("volumes")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Writes another byte, as `dd` with `conv=notrunc` does.
fn overwrite(volume: &Path, offset: u64) {
    let file = File::options().read(true).write(true).open(volume).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[!byte[0]], offset).unwrap();
    file.sync_all().unwrap();
}

#[test]
fn bytes_overwritten_on_two_disks_are_found_and_repaired_from_the_third() {
    let place = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(place.path(), 3, 1).unwrap();
    let source = made_history(&place.path().join("source"), 20).unwrap();
    let url = Git::url(
        &cluster.base(0).unwrap(),
        &format!("{ADMINISTRATOR}/rot.git"),
    );
    source
        .run(&["push", "--quiet", &url, "main", "--tags"])
        .unwrap();
    cluster.wait_until_settled(Duration::from_secs(60)).unwrap();

    // In a payload on one node, in a header on another.
    for (node, offset) in [("node2", HEADER + 7), ("node3", 20)] {
        let volumes = volumes(&place.path().join(node));
        assert!(!volumes.is_empty(), "{node} has no volumes");
        overwrite(&volumes[0], FIRST_BLOCK + offset);
    }
    let told = cluster.scrub().unwrap();
    let line = |node: &str| {
        let of_node = |line: &&str| line.starts_with(node);
        told.lines().find(of_node).unwrap_or_default().to_owned()
    };
    assert!(line("node 1").contains("found nothing"), "{told}");
    assert!(line("node 2").contains("1 corrupt records"), "{told}");
    assert!(line("node 3").contains("1 stretches"), "{told}");
    assert!(line("node 3").contains("1 lost records"), "{told}");

    cluster.verify().unwrap();
    let again = cluster.scrub().unwrap();
    assert_eq!(again.matches("found nothing").count(), 3, "{again}");
    Git::at(place.path())
        .run(&["clone", "--quiet", "--mirror", &url, "clone"])
        .unwrap();
    let cloned = Git::at(place.path().join("clone")).summary().unwrap();
    assert_eq!(cloned.objects, source.summary().unwrap().objects);
}
