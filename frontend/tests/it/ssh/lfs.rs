//! Git LFS over SSH: both that the client speaks, with the real one.

use serde_json::{Value, json};

use crate::forge::TestForge;
use crate::git::{fails, git};
use crate::http::{Answer, Request};
use crate::lfs::{bytes, oid, with_large_file};
use crate::ssh::client::{KeyFile, here, url};

const FILTER: [&str; 4] = [
    "-c",
    "filter.lfs.process=git-lfs filter-process",
    "-c",
    "filter.lfs.required=true",
];

async fn cloned(forge: &TestForge, with: &[&str], address: &str, to: &str) -> Vec<u8> {
    let clone = ["clone", "-q", address, to];
    git(here(forge), &[&FILTER[..], with, &clone[..]].concat()).await;
    std::fs::read(forge.path(to).join("large.bin")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_is_pushed_and_cloned_over_the_connection_itself() {
    let forge = TestForge::start().await;
    let (_, key) = KeyFile::of_alice(&forge).await;
    let ssh = key.git(&forge);
    let with = ["-c", ssh.as_str()];
    let content = bytes(7, 3 << 20);
    let work = forge.path("work");
    with_large_file(&work, &content).await;
    let address = url(&forge, "alice/project.git");
    let push = ["push", "-q", &address, "HEAD:refs/heads/main"];
    git(&work, &[&with[..], &push[..]].concat()).await;
    assert_eq!(cloned(&forge, &with, &address, "copy").await, content);

    // Someone else's key gets nothing of it.
    let bob = forge.user("bob").await;
    let other = KeyFile::new(&forge, "bob")
        .await
        .of_account(&forge, &bob)
        .await;
    let refused = other
        .ssh(
            &forge,
            &[],
            &["git-lfs-transfer alice/project.git download"],
        )
        .await;
    assert!(!refused.status.success());
    assert_eq!(refused.stdout, b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_locked_over_ssh() {
    let forge = TestForge::start().await;
    let (_, key) = KeyFile::of_alice(&forge).await;
    let ssh = key.git(&forge);
    let with = ["-c", ssh.as_str()];
    let work = forge.path("work");
    with_large_file(&work, &bytes(8, 1000)).await;
    let address = url(&forge, "alice/project.git");
    git(&work, &["remote", "add", "origin", &address]).await;
    let run = async |words: &[&str]| git(&work, &[&with[..], words].concat()).await;
    run(&["push", "-q", "origin", "HEAD:refs/heads/main"]).await;
    run(&["lfs", "lock", "large.bin"]).await;
    let twice = fails(&work, &[&with[..], &["lfs", "lock", "large.bin"]].concat()).await;
    assert!(twice.contains("already created lock"), "{twice}");
    let locks = run(&["lfs", "locks"]).await;
    assert!(locks.contains("large.bin"), "{locks}");
    run(&["lfs", "unlock", "large.bin"]).await;
    assert_eq!(run(&["lfs", "locks"]).await, "");
}

/// A repository of alice's that has one large file, sent by hand.
async fn with_object(forge: &TestForge, name: &str) {
    let work = forge.path(name);
    with_large_file(&work, &bytes(9, 5000)).await;
    let address = forge.url("alice", &format!("alice/{name}.git"));
    let push = [
        "push",
        "-q",
        "--no-verify",
        &address,
        "HEAD:refs/heads/main",
    ];
    git(&work, &push).await;
    let id = oid(&bytes(9, 5000));
    let path = format!("/alice/{name}.git/info/lfs/objects/{id}/5000");
    let put = Request::new("PUT", &path).by("alice");
    let put = put.body("application/octet-stream", bytes(9, 5000));
    assert_eq!(forge.send(put).await.status, 200);
}

/// Asks for that file over HTTP.
async fn ask(forge: &TestForge, name: &str, operation: &str, shown: &str) -> Answer {
    let body = json!({
        "operation": operation,
        "objects": [{ "oid": oid(&bytes(9, 5000)), "size": 5000 }],
    });
    let path = format!("/alice/{name}.git/info/lfs/objects/batch");
    let request = Request::new("POST", &path).header("Authorization", shown);
    let request = request.body("application/vnd.git-lfs+json", body.to_string());
    forge.send(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_key_is_given_for_http_is_for_one_repository_and_ends_with_the_key() {
    let forge = TestForge::start_with(|config| {
        config.public_url = Some("http://forge.example".to_owned());
    })
    .await;
    let (alice, key) = KeyFile::of_alice(&forge).await;
    with_object(&forge, "project").await;
    with_object(&forge, "other").await;
    let command = "git-lfs-authenticate alice/project.git download";
    let asked = key.ssh(&forge, &[], &[command]).await;
    assert!(asked.status.success(), "{asked:?}");
    let given: Value = serde_json::from_slice(&asked.stdout).unwrap();
    let root = "http://forge.example/alice/project.git/info/lfs";
    assert_eq!(given["href"], root);
    let shown = given["header"]["Authorization"].as_str().unwrap();
    let answer = ask(&forge, "project", "download", shown).await;
    assert_eq!(answer.status, 200);
    let action = answer.json()["objects"][0]["actions"]["download"].clone();
    assert_eq!(action["header"]["Authorization"], shown);
    let path = action["href"].as_str().unwrap();
    let path = path.strip_prefix("http://forge.example").unwrap();
    let had = Request::get(path).header("Authorization", shown);
    assert_eq!(forge.send(had).await.body, bytes(9, 5000));

    let last = match shown.ends_with('A') {
        true => 'B',
        false => 'A',
    };
    let forged = format!("{}{last}", &shown[..shown.len() - 1]);
    for (name, operation, shown) in [
        ("project", "upload", shown),
        ("other", "download", shown),
        ("project", "download", &forged),
    ] {
        let refused = ask(&forge, name, operation, shown).await;
        assert_eq!(refused.status, 401, "{name} {operation}");
    }
    let owner = domain::keys::KeyOwner::Account(alice.id);
    let all = domain::Slice {
        limit: 1,
        offset: 0,
    };
    let mine = forge.forge.keys.list(owner, all).await.unwrap();
    let removed = forge.forge.keys.remove(owner, mine.items[0].id).await;
    removed.unwrap();
    let late = ask(&forge, "project", "download", shown).await;
    assert_eq!(late.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_lies_is_told_and_goes_on() {
    use git_wire::pkt::{put_data, put_delimiter, put_flush, put_line};

    let forge = TestForge::start().await;
    let (alice, key) = KeyFile::of_alice(&forge).await;
    crate::clone_and_push::create(&forge, &alice, "project", true).await;
    let (content, other) = (bytes(10, 3000), bytes(11, 3000));
    let mut said = bytes::BytesMut::new();
    let mut put = |id: &str, size: usize, content: &[u8]| {
        put_line(&mut said, format_args!("put-object {id}"));
        put_line(&mut said, format_args!("size={size}"));
        put_delimiter(&mut said);
        put_data(&mut said, content);
        put_flush(&mut said);
    };
    put(&oid(&other), 3000, &content);
    put(&oid(&content), 2999, &content);
    put("no hash", 3000, &content);
    put(&oid(&content), 3000, &content);
    for line in [
        "frobnicate".to_owned(),
        format!("get-object {}", oid(&other)),
        "quit".to_owned(),
    ] {
        put_line(&mut said, format_args!("{line}"));
        put_flush(&mut said);
    }
    let answer = key
        .talk(&forge, "git-lfs-transfer alice/project.git upload", &said)
        .await;
    let text = String::from_utf8_lossy(&answer);
    let statuses: Vec<&str> = text
        .match_indices("status ")
        .map(|(at, _)| &text[at + 7..at + 10])
        .collect();
    assert_eq!(
        statuses,
        ["422", "422", "422", "200", "400", "404", "200"],
        "{text}"
    );
}
