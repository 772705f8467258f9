//! The pack cache, as seen from outside.

use std::fs;
use std::path::{Path, PathBuf};

use crate::clone_and_push::create;
use crate::forge::TestForge;
use crate::git::{commit, git, sample};

fn packs(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                pending.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "pack")
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

async fn pushed() -> (TestForge, String) {
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    create(&forge, &alice, "project", false).await;
    let work = forge.path("work");
    sample(&work).await;
    git(
        &work,
        &[
            "push",
            "-q",
            &forge.url("alice", "alice/project.git"),
            "main",
        ],
    )
    .await;
    let url = forge.anonymous_url("alice/project.git");
    (forge, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_in_the_cache_is_one_that_git_understands() {
    let (forge, url) = pushed().await;
    let clone = forge.path("clone");
    git(
        forge.scratch.path(),
        &["clone", "-q", &url, clone.to_str().unwrap()],
    )
    .await;
    let pack = packs(&forge.cache()).pop().unwrap();
    let repository = pack.ancestors().nth(3).unwrap();
    let tip = git(&clone, &["rev-parse", "HEAD"]).await;
    assert_eq!(git(repository, &["cat-file", "-t", &tip]).await, "commit");
    git(repository, &["fsck", "--strict", "--no-dangling"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frontend_without_a_cache_fetches_what_it_needs() {
    let (mut forge, _) = pushed().await;
    forge.restart("second").await;
    let url = forge.anonymous_url("alice/project.git");
    // Several at once: each pack is fetched once.
    let clones = (0..4).map(|number| {
        let (url, clone) = (url.clone(), forge.path(&format!("clone{number}")));
        let scratch = forge.scratch.path().to_owned();
        tokio::spawn(
            async move { git(&scratch, &["clone", "-q", &url, clone.to_str().unwrap()]).await },
        )
    });
    for clone in clones.collect::<Vec<_>>() {
        clone.await.unwrap();
    }
    let metrics = forge.get("/metrics").await.text();
    assert!(
        metrics.contains("devflow_frontend_cache_fetched_total 1\n"),
        "{metrics}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cached_pack_that_rotted_is_fetched_again() {
    let (mut forge, _) = pushed().await;
    forge.stop().await;
    for pack in packs(&forge.cache()) {
        let mut bytes = fs::read(&pack).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x40;
        let mut permissions = fs::metadata(&pack).unwrap().permissions();
        #[expect(
            clippy::permissions_set_readonly_false,
            reason = "a file of this test alone"
        )]
        permissions.set_readonly(false);
        fs::set_permissions(&pack, permissions).unwrap();
        fs::write(&pack, bytes).unwrap();
    }
    forge.restart("first").await;
    let clone = forge.path("clone");
    let url = forge.anonymous_url("alice/project.git");
    git(
        forge.scratch.path(),
        &["clone", "-q", &url, clone.to_str().unwrap()],
    )
    .await;
    git(&clone, &["fsck", "--strict"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_cache_lets_the_least_recently_used_go() {
    let forge = TestForge::start_with(|config| config.cache_bytes = 1).await;
    let alice = forge.user("alice").await;
    let work = forge.path("work");
    sample(&work).await;
    for name in ["one", "two", "three"] {
        create(&forge, &alice, name, false).await;
        git(
            &work,
            &[
                "push",
                "-q",
                &forge.url("alice", &format!("alice/{name}.git")),
                "main",
            ],
        )
        .await;
    }
    for name in ["one", "two", "three", "one"] {
        let clone = forge.path("clone");
        let url = forge.anonymous_url(&format!("alice/{name}.git"));
        git(
            forge.scratch.path(),
            &["clone", "-q", &url, clone.to_str().unwrap()],
        )
        .await;
        fs::remove_dir_all(clone).unwrap();
    }
    assert!(
        packs(&forge.cache()).len() <= 2,
        "{:?}",
        packs(&forge.cache())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_pushes_need_no_fetch_from_the_storage() {
    let (forge, url) = pushed().await;
    let work = forge.path("work");
    for number in 0..5 {
        commit(&work, "n.txt", &number.to_string()).await;
        git(
            &work,
            &[
                "push",
                "-q",
                &forge.url("alice", "alice/project.git"),
                "main",
            ],
        )
        .await;
    }
    let clone = forge.path("clone");
    git(
        forge.scratch.path(),
        &["clone", "-q", &url, clone.to_str().unwrap()],
    )
    .await;
    assert_eq!(
        git(&clone, &["rev-parse", "HEAD"]).await,
        git(&work, &["rev-parse", "HEAD"]).await
    );
    let metrics = forge.get("/metrics").await.text();
    assert!(
        metrics.contains("devflow_frontend_cache_fetched_total 0\n"),
        "{metrics}"
    );
    assert_eq!(packs(&forge.cache()).len(), 6);
}
