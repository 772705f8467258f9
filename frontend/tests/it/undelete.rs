//! Deleting, restoring and purging, as people and git see it.

use serde_json::json;

use crate::clone_and_push::{create, filled};
use crate::forge::TestForge;
use crate::git::{fails, git, inventory};
use crate::http::Request;

const REPOSITORY: &str = "/api/v1/repos/alice/project";
const REFS: &str = "/alice/project.git/info/refs?service=git-upload-pack";

#[tokio::test]
async fn a_deleted_repository_is_gone_for_all_until_its_owner_restores_it() {
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    forge.user("bob").await;
    create(&forge, &alice, "project", false).await;
    assert_eq!(forge.get(REFS).await.status, 200);
    let before = forge.get(REPOSITORY).await.json();
    let delete = Request::new("DELETE", REPOSITORY).by("alice");
    assert_eq!(forge.send(delete).await.status, 204);
    assert_eq!(forge.get(REPOSITORY).await.status, 404);
    assert_ne!(forge.get(REFS).await.status, 200);
    let own = Request::get("/api/v1/user/deleted/repos");
    let listed = forge.send(own.by("alice")).await.json();
    assert_eq!(listed[0]["full_name"], "alice/project");
    let of_bob = Request::get("/api/v1/user/deleted/repos").by("bob");
    assert_eq!(forge.send(of_bob).await.json(), json!([]));
    let all = Request::get("/api/v1/admin/deleted/repos").by("bob");
    assert_eq!(forge.send(all).await.status, 403);
    let path = format!("/api/v1/deleted/repos/{}", listed[0]["id"]);
    let restore = || Request::new("POST", &format!("{path}/restore")).json(&json!({}));
    assert_eq!(forge.send(restore().by("bob")).await.status, 404);
    assert_eq!(forge.send(restore()).await.status, 404);
    let stranger = Request::new("DELETE", &path).by("bob");
    assert_eq!(forge.send(stranger).await.status, 404);
    create(&forge, &alice, "project", false).await;
    assert_eq!(forge.send(restore().by("alice")).await.status, 409);
    let renamed = Request::new("POST", &format!("{path}/restore")).json(&json!({"name": "old"}));
    let restored = forge.send(renamed.by("alice")).await;
    assert_eq!(restored.status, 200, "{}", restored.text());
    assert_eq!(restored.json()["id"], before["id"]);
    assert_eq!(forge.get("/api/v1/repos/alice/old").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_restored_is_cloned_identical_and_its_forks_never_notice() {
    let forge = filled().await;
    forge.user("bob").await;
    let fork = Request::new("POST", &format!("{REPOSITORY}/forks"));
    assert_eq!(
        forge.send(fork.by("bob").json(&json!({}))).await.status,
        202
    );
    let clone = async |whose: &str, to: &str| {
        let (url, to) = (
            forge.anonymous_url(&format!("{whose}/project.git")),
            forge.path(to),
        );
        let target = to.to_str().unwrap().to_owned();
        let arguments = ["clone", "-q", "--mirror", &url, &target];
        git(forge.scratch.path(), &arguments).await;
        inventory(&to).await
    };
    let before = clone("alice", "before").await;
    let delete = Request::new("DELETE", REPOSITORY).by("alice");
    assert_eq!(forge.send(delete).await.status, 204);
    let url = forge.url("alice", "alice/project.git");
    fails(forge.scratch.path(), &["ls-remote", &url]).await;
    assert_eq!(clone("bob", "fork").await, before);
    let own = Request::get("/api/v1/user/deleted/repos");
    let id = forge.send(own.by("alice")).await.json()[0]["id"].clone();
    let restore = Request::new("POST", &format!("/api/v1/deleted/repos/{id}/restore"));
    let restored = forge.send(restore.by("alice").json(&json!({}))).await;
    assert_eq!(restored.status, 200, "{}", restored.text());
    assert_eq!(clone("alice", "after").await, before);
}

#[tokio::test]
async fn a_purged_repository_cannot_be_restored() {
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    create(&forge, &alice, "project", false).await;
    let id = forge.get(REPOSITORY).await.json()["id"].clone();
    let delete = Request::new("DELETE", REPOSITORY).by("alice");
    assert_eq!(forge.send(delete).await.status, 204);
    let path = format!("/api/v1/deleted/repos/{id}");
    let purge = || Request::new("DELETE", &path).by("alice");
    assert_eq!(forge.send(purge()).await.status, 204);
    assert_eq!(forge.send(purge()).await.status, 404);
    let restore = Request::new("POST", &format!("{path}/restore")).json(&json!({}));
    assert_eq!(forge.send(restore.by("alice")).await.status, 404);
}
