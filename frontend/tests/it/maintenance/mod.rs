//! Many packs become few while people work, as git sees it.

mod held;
mod races;

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use git_id::ObjectId;
use serde_json::json;
use storage_node_api::ReadPoint;
use storage_node_api::order::{Answer, Query};
use storage_node_api::repository::Pack;

use crate::clone_and_push::create;
use crate::forge::TestForge;
use crate::git::{commit, fails, git, inventory};
use crate::http::Request;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);
const REPOSITORY: &str = "/api/v1/repos/alice/project";

/// A forge with an empty project of alice, and her clone of it in `work`.
async fn begun(forge: &TestForge) {
    let alice = forge.user("alice").await;
    create(forge, &alice, "project", false).await;
    let work = forge.path("work");
    std::fs::create_dir_all(&work).unwrap();
    git(&work, &["init", "-q"]).await;
    let url = forge.url("alice", "alice/project.git");
    git(&work, &["remote", "add", "origin", &url]).await;
}

/// A push of one commit for each of these numbers, which no others have.
async fn push_often(forge: &TestForge, numbers: Range<usize>) {
    let work = forge.path("work");
    for number in numbers {
        let content = format!("{number}\n").repeat(50 + number);
        commit(&work, &format!("file{}.txt", number % 7), &content).await;
        git(&work, &["push", "-q", "origin", "main"]).await;
    }
}

async fn packs_of(forge: &TestForge, owner: &str) -> Vec<Pack> {
    let repositories = &forge.forge.repositories;
    let row = repositories.find(owner, "project").await.unwrap().unwrap();
    let query = Query::Packs {
        repository: row.storage,
        known: None,
    };
    let slot = row.storage.slot();
    match forge
        .storage
        .read(slot, ReadPoint::Linearizable, query)
        .await
    {
        Ok(Answer::Packs(Some(list))) => list.packs,
        other => panic!("{other:?}"),
    }
}

async fn packs(forge: &TestForge) -> Vec<Pack> {
    packs_of(forge, "alice").await
}

/// Asks for maintenance.
async fn ask(forge: &TestForge, extent: &str) {
    let asked = Request::new("POST", &format!("{REPOSITORY}/maintenance"));
    let asked = asked.by("alice").json(&json!({ "extent": extent }));
    let answer = forge.send(asked).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
}

/// Waits until one of the packs is none of these.
async fn wait_for_other(forge: &TestForge, before: &[Pack]) -> Vec<Pack> {
    let known: Vec<ObjectId> = before.iter().map(|pack| pack.checksum).collect();
    let other = async {
        loop {
            let now = packs(forge).await;
            if now.iter().any(|pack| !known.contains(&pack.checksum)) {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let other = tokio::time::timeout(PATIENCE, other).await;
    other.expect("nothing is replaced")
}

/// Maintains the project and waits for it; the packs that there are then.
async fn maintain(forge: &TestForge, extent: &str) -> Vec<Pack> {
    let before = packs(forge).await;
    ask(forge, extent).await;
    wait_for_other(forge, &before).await
}

/// Clones, checks what came, and lists it.
async fn clone(forge: &TestForge, whose: &str, to: &str) -> (String, String) {
    let (url, to) = (
        forge.anonymous_url(&format!("{whose}/project.git")),
        forge.path(to),
    );
    let target = to.to_str().unwrap();
    git(
        forge.scratch.path(),
        &["clone", "-q", "--mirror", &url, target],
    )
    .await;
    git(&to, &["fsck", "--strict"]).await;
    inventory(&to).await
}

/// The directory of the only repository in the cache.
fn cached(cache: &Path) -> std::path::PathBuf {
    let mut all = std::fs::read_dir(cache.join("repositories")).unwrap();
    all.next().unwrap().unwrap().path()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_pushes_become_one_pack_that_clones_alike_everywhere() {
    let mut forge = TestForge::start().await;
    begun(&forge).await;
    push_often(&forge, 0..20).await;
    forge.user("bob").await;
    let fork = Request::new("POST", &format!("{REPOSITORY}/forks"));
    let forked = forge.send(fork.by("bob").json(&json!({}))).await;
    assert_eq!(forked.status, 202);
    let (before, listed) = (clone(&forge, "alice", "before").await, packs(&forge).await);
    assert_eq!(listed.len(), 20);
    let after = maintain(&forge, "full").await;
    assert_eq!(after.len(), 1);
    assert_eq!(clone(&forge, "alice", "warm").await, before);
    // The cache has the new pack with its bitmaps, as git has them, and the old ones no more.
    for path in std::fs::read_dir(forge.cache().join("repositories")).unwrap() {
        let repository = path.unwrap().path();
        let count = git(&repository, &["count-objects", "-v"]).await;
        if count.contains("packs: 1\n") {
            let head = after[0].checksum.to_string();
            let bitmap = format!("objects/pack/pack-{head}.bitmap");
            assert!(repository.join(bitmap).exists());
            let tip = git(&forge.path("work"), &["rev-parse", "HEAD"]).await;
            git(&repository, &["rev-list", "--test-bitmap", &tip]).await;
        }
    }
    // The fork has what it was made with.
    assert_eq!(packs_of(&forge, "bob").await, listed);
    assert_eq!(clone(&forge, "bob", "fork").await, before);
    forge.restart("empty").await;
    assert_eq!(clone(&forge, "alice", "cold").await, before);
    assert_eq!(clone(&forge, "bob", "cold-fork").await, before);
    git(&forge.path("cold"), &["fsck", "--strict"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_opens_a_repository_with_many_packs_has_it_maintained() {
    let forge = TestForge::start_with(|config| config.maintenance_packs = 12).await;
    begun(&forge).await;
    push_often(&forge, 0..12).await;
    let before = clone(&forge, "alice", "first").await;
    let few = async {
        while packs(&forge).await.len() > 4 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let few = tokio::time::timeout(PATIENCE, few).await;
    few.expect("it is maintained by itself");
    assert_eq!(clone(&forge, "alice", "second").await, before);
    let metrics = forge.get("/metrics").await.text();
    assert!(
        metrics.contains("maintained_total{outcome=\"replaced\"}"),
        "{metrics}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_administers_a_repository_asks_for_its_maintenance() {
    let forge = TestForge::start().await;
    begun(&forge).await;
    forge.user("bob").await;
    let path = format!("{REPOSITORY}/maintenance");
    let asked = || Request::new("POST", &path);
    assert_eq!(
        forge.send(asked().by("bob").json(&json!({}))).await.status,
        403
    );
    assert_ne!(forge.send(asked().json(&json!({}))).await.status, 202);
    let unknown = asked().by("alice").json(&json!({"extent": "everything"}));
    assert_eq!(forge.send(unknown).await.status, 422);
    assert_eq!(
        forge
            .send(asked().by("alice").json(&json!({})))
            .await
            .status,
        202
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_reaches_is_dropped_for_good_when_asked() {
    let mut forge = TestForge::start().await;
    begun(&forge).await;
    push_often(&forge, 0..3).await;
    let work = forge.path("work");
    commit(&work, "secret.txt", "swordfish").await;
    git(&work, &["push", "-q", "origin", "main"]).await;
    let secret = git(&work, &["rev-parse", "HEAD:secret.txt"]).await;
    git(&work, &["reset", "-q", "--hard", "HEAD~1"]).await;
    git(&work, &["push", "-q", "--force", "origin", "main"]).await;
    let before = clone(&forge, "alice", "before").await;
    // Every object is kept unless somebody asks for it to go.
    assert_eq!(maintain(&forge, "geometric").await.len(), 1);
    assert_eq!(objects(&packs(&forge).await), 12);
    assert_eq!(maintain(&forge, "drop").await.len(), 1);
    assert_eq!(objects(&packs(&forge).await), 9);
    push_often(&forge, 3..4).await;
    let later = clone(&forge, "alice", "later").await;
    assert_ne!(later, before);
    forge.restart("empty").await;
    assert_eq!(clone(&forge, "alice", "after").await, later);
    let repository = cached(&forge.cache().with_file_name("empty"));
    fails(&repository, &["cat-file", "-e", &secret]).await;
}

fn objects(packs: &[Pack]) -> u32 {
    packs.iter().map(|pack| pack.objects).sum()
}
