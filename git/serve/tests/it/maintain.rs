//! A directory that is served is kept in shape too.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use git_pack::{Consolidate, DeltaOptions, Islands, MaintainOptions, Maintained, NoProgress};
use git_serve::bare::{BareRepository, Caller, MaintainDirectoryError};

use crate::sandbox::{FETCH_WAYS, Sandbox};

fn maintain(directory: &Path) -> Result<Maintained, MaintainDirectoryError> {
    let options = MaintainOptions {
        consolidate: Consolidate::Geometric { factor: 2 },
        commit_graph: true,
        bitmaps: true,
        deltas: DeltaOptions::default(),
        islands: Islands::default(),
        threads: 2,
    };
    let repository = BareRepository::open(directory, &Caller::default()).unwrap();
    repository.maintain(&options, &NoProgress, &AtomicBool::new(false))
}

#[test]
fn a_maintained_directory_is_served_as_before_and_pushed_to() {
    let sandbox = Sandbox::new();
    let served = sandbox.history("served.git", 40);
    let plain = sandbox.path("plain.git");
    sandbox.ok(&["clone", "-q", "--mirror", "served.git", "plain.git"]);
    for step in 0..3 {
        sandbox.import(&served, 40 + step * 10..50 + step * 10);
        let done = maintain(&served).unwrap();
        assert!(
            done.bitmaps.is_some() && done.commit_graph.is_some(),
            "{step}"
        );
        sandbox.at(&plain, &["fetch", "-q", "origin"]);
        for (at, way) in FETCH_WAYS.into_iter().enumerate().skip(step * 2).take(2) {
            let copy = sandbox.clone(
                way,
                "served.git",
                &format!("copy{step}{at}.git"),
                &["--mirror"],
            );
            sandbox.assert_same(&served, &copy);
            sandbox.assert_same(&plain, &copy);
        }
        sandbox.at(&served, &["fsck", "--full", "--strict"]);
    }
}

#[test]
fn one_maintenance_at_a_time() {
    let sandbox = Sandbox::new();
    let served = sandbox.history("served.git", 12);
    let lock = served.join("objects/maintenance.lock");
    fs::write(&lock, "").unwrap();
    let refused = maintain(&served).unwrap_err();
    assert!(matches!(refused, MaintainDirectoryError::Busy), "{refused}");
    fs::remove_file(&lock).unwrap();
    maintain(&served).unwrap();
    assert!(!lock.exists());
}
