//! Names and other fields.

use super::with_project;
use crate::forge::PASSWORD;
use crate::forge::TestForge;
use crate::git::{fails, git, sample};
use crate::http::Request;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn names_that_no_repository_can_have() {
    let forge = with_project(false).await;
    let long = "a".repeat(300);
    for name in [
        "..",
        "a..b",
        "a/b",
        "a\u{1}b",
        "a b",
        "",
        ".",
        "x.git",
        "ä",
        long.as_str(),
    ] {
        let create = Request::new("POST", "/api/v1/user/repos").by("alice");
        let answer = forge.send(create.json(&json!({ "name": name }))).await;
        assert_eq!(answer.status, 422, "{name:?}");
        assert!(
            answer.message().contains("repository name"),
            "{name:?}: {}",
            answer.message()
        );
        let edit = Request::new("PATCH", "/api/v1/repos/alice/project").by("alice");
        assert_eq!(
            forge.send(edit.json(&json!({ "name": name }))).await.status,
            422,
            "{name:?}"
        );
    }
    for path in [
        "..",
        "%2e%2e",
        "a%00b",
        "a%0d%0ab",
        "%ff",
        "a%2fb",
        long.as_str(),
    ] {
        for request in [
            Request::get(&format!("/alice/{path}/info/refs?service=git-upload-pack")).by("alice"),
            Request::get(&format!("/alice/{path}/info/refs?service=git-receive-pack")).by("alice"),
            Request::get(&format!("/api/v1/repos/alice/{path}")).by("alice"),
            Request::get(&format!("/alice/{path}")),
            Request::get(&format!("/{path}/project")),
        ] {
            let answer = forge.send(request).await;
            assert!(
                [400, 404, 422].contains(&answer.status),
                "{path}: {}",
                answer.status
            );
        }
    }
    let work = forge.path("work");
    sample(&work).await;
    let said = fails(
        &work,
        &["push", &forge.url("alice", "alice/a..b.git"), "main"],
    )
    .await;
    assert!(said.contains("repository name"), "{said}");
    assert_eq!(
        forge
            .get("/api/v1/users/alice/repos")
            .await
            .header("x-total-count"),
        Some("1")
    );
}

#[tokio::test]
async fn user_names_and_other_fields_that_are_refused() {
    let forge = TestForge::start().await;
    forge.account("boss", true).await;
    let long = "a".repeat(41);
    for name in ["api", "login", "a/b", "..", "", "a--b", long.as_str()] {
        let body = json!({"username": name, "email": "x@example.org", "password": PASSWORD});
        let answer = forge
            .send(
                Request::new("POST", "/api/v1/admin/users")
                    .by("boss")
                    .json(&body),
            )
            .await;
        assert_eq!(
            (answer.status, answer.message().contains("user name")),
            (422, true),
            "{name}"
        );
    }
    let body = json!({"username": "carol", "email": "x", "password": PASSWORD});
    let answer = forge
        .send(
            Request::new("POST", "/api/v1/admin/users")
                .by("boss")
                .json(&body),
        )
        .await;
    assert_eq!(
        (answer.status, answer.message().contains("mail address")),
        (422, true)
    );
    let broken = Request::new("POST", "/api/v1/user/repos")
        .by("boss")
        .body("application/json", "{");
    let answer = forge.send(broken).await;
    assert_eq!(
        (answer.status, answer.message().contains("JSON")),
        (422, true)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ref_name_that_git_would_refuse() {
    let forge = with_project(false).await;
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
    let tip = git(&work, &["rev-parse", "HEAD"]).await;
    for name in [
        "refs/heads/a..b",
        "refs/heads/.a",
        "refs/heads/a.lock",
        "heads/a",
    ] {
        let line = format!(
            "{tip} {} {name}\0 report-status delete-refs\n",
            "0".repeat(40)
        );
        let body = format!("{:04x}{line}0000", line.len() + 4);
        let request = Request::new("POST", "/alice/project.git/git-receive-pack").by("alice");
        let said = forge
            .send(request.body("application/x-git-receive-pack-request", body))
            .await
            .text();
        assert!(said.contains("funny refname"), "{name}: {said}");
    }
}
