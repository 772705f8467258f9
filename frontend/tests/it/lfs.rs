//! Git LFS over HTTP, with the real git-lfs.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::clone_and_push::create;
use crate::forge::TestForge;
use crate::git::{fails, git};
use crate::http::{Answer, Request};

const LFS: &str = "application/vnd.git-lfs+json";

/// Bytes that do not compress, of which two equal ones make different files.
pub(crate) fn bytes(seed: u8, length: usize) -> Vec<u8> {
    let mut state = u64::from(seed) + 1;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    (0..length).map(|_| next()).collect()
}

pub(crate) fn oid(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A repository with a large file in it.
pub(crate) async fn with_large_file(directory: &Path, content: &[u8]) {
    std::fs::create_dir_all(directory).unwrap();
    git(directory, &["init", "-q"]).await;
    git(directory, &["lfs", "install", "--local"]).await;
    git(directory, &["lfs", "track", "*.bin"]).await;
    std::fs::write(directory.join("large.bin"), content).unwrap();
    git(directory, &["add", "-A"]).await;
    git(directory, &["commit", "-q", "-m", "a large file"]).await;
    let pointer = git(directory, &["show", "HEAD:large.bin"]).await;
    assert!(pointer.contains(&oid(content)), "{pointer}");
}

/// Clones with LFS at work, and gives the bytes of the large file.
pub(crate) async fn cloned(forge: &TestForge, url: &str, to: &str) -> Vec<u8> {
    let target: PathBuf = forge.path(to);
    let filter = [
        "-c",
        "filter.lfs.smudge=git-lfs smudge -- %f",
        "-c",
        "filter.lfs.process=git-lfs filter-process",
        "-c",
        "filter.lfs.required=true",
    ];
    let clone = ["clone", "-q", url, target.to_str().unwrap()];
    git(&forge.path(""), &[&filter[..], &clone[..]].concat()).await;
    std::fs::read(target.join("large.bin")).unwrap()
}

async fn ask(forge: &TestForge, who: Option<&str>, path: &str, body: &Value) -> Answer {
    let request = Request::new("POST", path).header("Accept", LFS);
    let request = match who {
        Some(user) => request.by(user),
        None => request,
    };
    forge.send(request.body(LFS, body.to_string())).await
}

async fn batch(forge: &TestForge, who: Option<&str>, name: &str, body: &Value) -> Answer {
    ask(forge, who, &format!("/{name}/info/lfs/objects/batch"), body).await
}

fn wants(operation: &str, content: &[u8]) -> Value {
    json!({
        "operation": operation,
        "transfers": ["basic"],
        "objects": [{ "oid": oid(content), "size": content.len() }],
    })
}

async fn put(forge: &TestForge, path: &str, content: &[u8]) -> Answer {
    let request = Request::new("PUT", path).by("alice");
    forge
        .send(request.body("application/octet-stream", content))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_is_pushed_and_cloned_by_whoever_may_read_the_repository() {
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    forge.user("bob").await;
    create(&forge, &alice, "open", false).await;
    let content = bytes(1, 3 << 20);
    let work = forge.path("work");
    with_large_file(&work, &content).await;
    let url = forge.url("alice", "alice/open.git");
    git(&work, &["push", "-q", &url, "HEAD:refs/heads/main"]).await;
    assert_eq!(cloned(&forge, &url, "own").await, content);
    let anonymous = format!("http://{}/alice/open.git", forge.address);
    assert_eq!(cloned(&forge, &anonymous, "anonymous").await, content);

    // A push to one's own name makes a private repository, whose files strangers cannot have.
    let hidden = forge.url("alice", "alice/hidden.git");
    git(&work, &["push", "-q", &hidden, "HEAD:refs/heads/main"]).await;
    assert_eq!(cloned(&forge, &hidden, "hidden").await, content);
    let by_bob = batch(
        &forge,
        Some("bob"),
        "alice/hidden.git",
        &wants("download", &content),
    )
    .await;
    assert_eq!(by_bob.status, 404);
    let by_nobody = batch(
        &forge,
        None,
        "alice/hidden.git",
        &wants("download", &content),
    )
    .await;
    assert_eq!(by_nobody.status, 401);
    assert!(by_nobody.header("lfs-authenticate").is_some());
    let object = format!("/alice/hidden.git/info/lfs/objects/{}", oid(&content));
    let had = forge.send(Request::get(&object).by("bob")).await;
    assert_eq!(had.status, 404);
    let had = forge.send(Request::get(&object).by("alice")).await;
    assert_eq!((had.status, had.body), (200, content));
}

#[tokio::test(flavor = "multi_thread")]
async fn to_know_an_objects_name_is_not_to_have_it() {
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    let bob = forge.user("bob").await;
    create(&forge, &alice, "secret", true).await;
    create(&forge, &bob, "own", false).await;
    let content = bytes(2, 100_000);
    let (id, size) = (oid(&content), content.len());
    let path = format!("/alice/secret.git/info/lfs/objects/{id}/{size}");
    assert_eq!(put(&forge, &path, &content).await.status, 200);
    // The storage has it, but in bob's repository it is to be sent.
    let answer = batch(
        &forge,
        Some("bob"),
        "bob/own.git",
        &wants("upload", &content),
    )
    .await;
    let answer = answer.json();
    assert!(answer["objects"][0]["actions"]["upload"]["href"].is_string());
    let answer = batch(
        &forge,
        Some("bob"),
        "bob/own.git",
        &wants("download", &content),
    )
    .await;
    assert_eq!(answer.json()["objects"][0]["error"]["code"], 404);
    let through = format!("/bob/own.git/info/lfs/objects/{id}");
    assert_eq!(
        forge.send(Request::get(&through).by("bob")).await.status,
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_and_hashes_that_lie_leave_nothing() {
    let forge = TestForge::start_with(|config| config.lfs_max_object_bytes = 1 << 20).await;
    let alice = forge.user("alice").await;
    create(&forge, &alice, "project", false).await;
    let content = bytes(3, 50_000);
    let (id, other) = (oid(&content), oid(b"something else"));
    let at = |id: &str, size: usize| format!("/alice/project.git/info/lfs/objects/{id}/{size}");
    for (path, sent) in [
        (at(&other, content.len()), &content[..]),
        (at(&id, content.len() + 1), &content[..]),
        (at(&id, content.len() - 1), &content[..]),
        (at(&id, content.len()), &content[1..]),
        (at(&id, 2 << 20), &content[..]),
    ] {
        let refused = put(&forge, &path, sent).await;
        assert_eq!(refused.status, 422, "{path}");
        assert!(refused.json()["message"].is_string());
    }
    assert_eq!(
        put(&forge, &at(&id.to_uppercase(), 1), b"x").await.status,
        404
    );
    for id in [&id, &other] {
        let path = format!("/alice/project.git/info/lfs/objects/{id}");
        assert_eq!(forge.send(Request::get(&path)).await.status, 404);
    }
    let verify = json!({ "oid": id, "size": content.len() });
    let path = "/alice/project.git/info/lfs/verify";
    assert_eq!(ask(&forge, Some("alice"), path, &verify).await.status, 404);
    assert_eq!(
        put(&forge, &at(&id, content.len()), &content).await.status,
        200
    );
    assert_eq!(ask(&forge, Some("alice"), path, &verify).await.status, 200);
    let lie = json!({ "oid": id, "size": 5 });
    assert_eq!(ask(&forge, Some("alice"), path, &lie).await.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_break_the_rules_are_told_which() {
    let forge = TestForge::start_with(|config| config.lfs_max_object_bytes = 1000).await;
    let alice = forge.user("alice").await;
    create(&forge, &alice, "project", false).await;
    let one = json!({ "oid": oid(b"a"), "size": 1 });
    for (body, status) in [
        (
            json!({ "operation": "download", "objects": [one], "hash_algo": "sha512" }),
            409,
        ),
        (
            json!({ "operation": "download", "objects": vec![one.clone(); 1001] }),
            413,
        ),
        (json!({ "operation": "remove", "objects": [one] }), 422),
        (json!({ "objects": [one] }), 422),
        (
            json!({ "operation": "download", "objects": [one], "transfers": ["tus"] }),
            422,
        ),
        (json!("no object"), 422),
    ] {
        let answer = batch(&forge, Some("alice"), "alice/project", &body).await;
        assert_eq!(answer.status, status, "{body}");
        assert_eq!(answer.header("content-type"), Some(LFS));
        assert!(answer.json()["message"].is_string());
    }
    let body = json!({ "operation": "upload", "objects": [
        { "oid": "no hash", "size": 1 },
        { "oid": oid(b"b"), "size": -1 },
        { "oid": oid(b"c"), "size": 1001 },
    ]});
    let answer = batch(&forge, Some("alice"), "alice/project", &body)
        .await
        .json();
    for object in answer["objects"].as_array().unwrap() {
        assert_eq!(object["error"]["code"], 422, "{object}");
    }
    let upload = json!({ "operation": "upload", "objects": [one] });
    assert_eq!(
        batch(&forge, None, "alice/project", &upload).await.status,
        401
    );
    forge.user("bob").await;
    let by_bob = batch(&forge, Some("bob"), "alice/project", &upload).await;
    assert_eq!(by_bob.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_an_object_can_be_had() {
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    create(&forge, &alice, "project", false).await;
    let content = bytes(4, 2 << 20);
    let id = oid(&content);
    let path = format!("/alice/project.git/info/lfs/objects/{id}");
    assert_eq!(
        put(&forge, &format!("{path}/{}", content.len()), &content)
            .await
            .status,
        200
    );
    let part = forge
        .send(Request::get(&path).header("Range", "bytes=1000000-1500000"))
        .await;
    assert_eq!(part.status, 206);
    assert_eq!(
        part.header("content-range"),
        Some("bytes 1000000-1500000/2097152")
    );
    assert_eq!(part.body, content[1_000_000..=1_500_000]);
    let beyond = Request::get(&path).header("Range", "bytes=9999999-");
    assert_eq!(forge.send(beyond).await.status, 416);
    let head = forge.send(Request::new("HEAD", &path)).await;
    assert_eq!(head.header("content-length"), Some("2097152"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_has_what_its_origin_had() {
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    forge.user("bob").await;
    create(&forge, &alice, "project", false).await;
    let content = bytes(5, 200_000);
    let work = forge.path("work");
    with_large_file(&work, &content).await;
    let url = forge.url("alice", "alice/project.git");
    git(&work, &["push", "-q", &url, "HEAD:refs/heads/main"]).await;
    let fork = Request::new("POST", "/api/v1/repos/alice/project/forks");
    let fork = fork.by("bob").json(&json!({ "name": "mine" }));
    assert_eq!(forge.send(fork).await.status, 202);
    let deletion = Request::new("DELETE", "/api/v1/repos/alice/project");
    assert_eq!(forge.send(deletion.by("alice")).await.status, 204);
    let mine = forge.url("bob", "bob/mine.git");
    assert_eq!(cloned(&forge, &mine, "mine").await, content);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_locked_and_others_are_told() {
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    create(&forge, &alice, "project", false).await;
    let work = forge.path("work");
    with_large_file(&work, &bytes(6, 1000)).await;
    let url = forge.url("alice", "alice/project.git");
    git(&work, &["remote", "add", "origin", &url]).await;
    git(&work, &["push", "-q", "origin", "HEAD:refs/heads/main"]).await;
    git(&work, &["lfs", "lock", "large.bin"]).await;
    let twice = fails(&work, &["lfs", "lock", "large.bin"]).await;
    assert!(twice.contains("already created lock"), "{twice}");
    let locks = git(&work, &["lfs", "locks"]).await;
    assert!(
        locks.contains("large.bin") && locks.contains("alice"),
        "{locks}"
    );

    // An administrator may push, and is told of alice's lock.
    let root = forge.account("root", true).await;
    let by_root = forge.url("root", "alice/project.git");
    git(&work, &["remote", "set-url", "origin", &by_root]).await;
    let verified = ask(
        &forge,
        Some("root"),
        "/alice/project.git/info/lfs/locks/verify",
        &json!({}),
    )
    .await
    .json();
    assert_eq!(verified["ours"], json!([]));
    assert_eq!(verified["theirs"][0]["owner"]["name"], "alice");
    let foreign = fails(&work, &["lfs", "unlock", "large.bin"]).await;
    assert!(foreign.contains("alice"), "{foreign}");
    git(&work, &["lfs", "unlock", "--force", "large.bin"]).await;
    assert_eq!(git(&work, &["lfs", "locks"]).await, "");
    drop(root);
}
