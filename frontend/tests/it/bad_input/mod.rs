//! What bad input gets: a clear word, the right status, nothing stored and
//! nothing told that is not the asker's to know.

mod bodies;
mod clients;
mod credentials;
mod names;
mod packs;

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use runtime::ManualClock;

use crate::clone_and_push::create;
use crate::forge::TestForge;

const FETCH: &str = "application/x-git-upload-pack-request";

async fn with_project(is_private: bool) -> TestForge {
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    create(&forge, &alice, "project", is_private).await;
    forge
}

async fn with_project_in_slow_motion() -> (TestForge, ManualClock) {
    let (forge, clock) = TestForge::start_in_slow_motion().await;
    let alice = forge.user("alice").await;
    create(&forge, &alice, "project", false).await;
    (forge, clock)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn quarantines(forge: &TestForge) -> usize {
    std::fs::read_dir(forge.cache().join("quarantine"))
        .unwrap()
        .count()
}

/// No quarantine, no download, no pack.
fn assert_nothing_is_left(forge: &TestForge) {
    for directory in ["quarantine", "incoming", "evicted"] {
        let left: Vec<_> = std::fs::read_dir(forge.cache().join(directory))
            .unwrap()
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
    let repositories = std::fs::read_dir(forge.cache().join("repositories"))
        .unwrap()
        .flatten();
    for repository in repositories {
        let packs = repository.path().join("objects/pack");
        let left: Vec<_> = std::fs::read_dir(packs).into_iter().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// Waits, for a while, until something is so that the server does by itself.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..6_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within a minute: {what}");
}
