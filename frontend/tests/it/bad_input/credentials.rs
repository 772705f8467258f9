//! Who one is and what one may.

use super::with_project;
use crate::forge::PASSWORD;
use crate::git::{fails, git, sample};
use crate::http::Answer;
use crate::http::Request;
use domain::tokens::{NewToken, Scopes};
use storage_node_api::Timestamp;

#[tokio::test(flavor = "multi_thread")]
async fn wrong_password() {
    let forge = with_project(true).await;
    let path = "/alice/project.git/info/refs?service=git-upload-pack";
    for target in ["/api/v1/version", path] {
        let answer = forge
            .send(Request::get(target).basic("alice", "wrong"))
            .await;
        assert_eq!(answer.status, 401);
        assert!(
            answer.text().contains("user name or password is wrong"),
            "{}",
            answer.text()
        );
        let unknown = forge
            .send(Request::get(target).basic("nobody", "wrong"))
            .await;
        assert_eq!((unknown.status, unknown.text()), (401, answer.text()));
    }
    let url = forge
        .url("alice", "alice/project.git")
        .replace("correct", "incorrect");
    let said = fails(forge.scratch.path(), &["ls-remote", &url]).await;
    assert!(said.contains("Authentication failed"), "{said}");
}

#[tokio::test]
async fn too_many_wrong_passwords() {
    let forge = with_project(false).await;
    let wrong = || Request::get("/api/v1/user").basic("alice", "wrong");
    for _ in 0..10 {
        assert_eq!(forge.send(wrong()).await.status, 401);
    }
    let throttled = forge.send(wrong()).await;
    assert_eq!(
        (throttled.status, throttled.header("retry-after").is_some()),
        (429, true)
    );
    assert_eq!(
        forge
            .send(Request::get("/api/v1/user").basic("alice", PASSWORD))
            .await
            .status,
        429
    );
}

#[tokio::test]
async fn malformed_credentials() {
    let forge = with_project(false).await;
    for value in ["Basic", "Basic %%%", "Negotiate abc", "Bearer"] {
        let request = Request::get("/api/v1/version").header("Authorization", value);
        let answer = forge.send(request).await;
        assert_eq!(
            (answer.status, answer.message().contains("malformed")),
            (401, true),
            "{value}"
        );
    }
}

#[tokio::test]
async fn expired_token() {
    let forge = with_project(false).await;
    let alice = forge
        .forge
        .accounts
        .by_name("alice")
        .await
        .unwrap()
        .unwrap();
    let new = NewToken {
        name: "old",
        scopes: Scopes::all(),
        expires: Some(Timestamp(1)),
    };
    let (_, secret) = forge.forge.tokens.create(alice.id, new).await.unwrap();
    let api = forge
        .send(Request::get("/api/v1/user").token(secret.reveal()))
        .await;
    assert_eq!((api.status, api.message().contains("expired")), (401, true));
    let path = "/alice/project.git/info/refs?service=git-upload-pack";
    let git = forge
        .send(Request::get(path).basic("alice", secret.reveal()))
        .await;
    assert_eq!((git.status, git.text().contains("expired")), (401, true));
}

#[tokio::test]
async fn unknown_or_private_repository_to_anybody_and_to_a_stranger() {
    let forge = with_project(true).await;
    forge.user("bob").await;
    let paths = |repository: &str| {
        [
            format!("/alice/{repository}.git/info/refs?service=git-upload-pack"),
            format!("/alice/{repository}.git/info/refs?service=git-receive-pack"),
            format!("/api/v1/repos/alice/{repository}"),
            format!("/api/v1/repos/alice/{repository}/branches"),
            format!("/alice/{repository}"),
        ]
    };
    let without_id = |answer: &Answer| (answer.status, answer.text());
    for (private, unknown) in paths("project").iter().zip(&paths("unknown")) {
        let anonymous = (forge.get(private).await, forge.get(unknown).await);
        assert_eq!(
            without_id(&anonymous.0),
            without_id(&anonymous.1),
            "{private}"
        );
        let by_bob = |path: &str| forge.send(Request::get(path).by("bob"));
        let stranger = (by_bob(private).await, by_bob(unknown).await);
        assert_eq!(
            without_id(&stranger.0),
            without_id(&stranger.1),
            "{private}"
        );
        assert_eq!(stranger.0.status, 404, "{private}");
        let is_git = private.contains("info/refs");
        assert_eq!(
            anonymous.0.status,
            if is_git { 401 } else { 404 },
            "{private}"
        );
        assert_eq!(anonymous.0.header("www-authenticate").is_some(), is_git);
    }
    let own = Request::get(&paths("project")[0]).by("alice");
    assert_eq!(forge.send(own).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn push_without_the_right() {
    let forge = with_project(false).await;
    let bob = forge.user("bob").await;
    let alice = forge
        .forge
        .accounts
        .by_name("alice")
        .await
        .unwrap()
        .unwrap();
    let work = forge.path("work");
    sample(&work).await;
    let said = fails(
        &work,
        &["push", &forge.url("bob", "alice/project.git"), "main"],
    )
    .await;
    assert!(said.contains("403") && said.contains("no right"), "{said}");
    let reading = forge.token(&alice, &["read:repository"]).await;
    let url = forge
        .anonymous_url("alice/project.git")
        .replace("http://", &format!("http://x:{reading}@"));
    git(&work, &["ls-remote", &url]).await;
    let said = fails(&work, &["push", &url, "main"]).await;
    assert!(
        said.contains("403") && said.contains("write:repository"),
        "{said}"
    );
    let foreign = forge.token(&bob, &["write:repository"]).await;
    let url = forge
        .anonymous_url("alice/project.git")
        .replace("http://", &format!("http://{foreign}@"));
    fails(&work, &["push", &url, "main"]).await;
    assert_eq!(
        git(
            &work,
            &["ls-remote", &forge.url("alice", "alice/project.git")]
        )
        .await,
        ""
    );
}
