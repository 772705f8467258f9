//! The REST interface, as Gitea's clients use it.

use serde_json::json;

use crate::clone_and_push::create;
use crate::forge::{PASSWORD, TestForge};
use crate::git::{git, sample};
use crate::http::Request;

#[tokio::test]
async fn the_version_is_one_that_giteas_sdks_understand() {
    let forge = TestForge::start().await;
    let answer = forge.get("/api/v1/version").await;
    assert_eq!(answer.status, 200);
    assert!(
        answer.json()["version"]
            .as_str()
            .unwrap()
            .starts_with("1.24.")
    );
    assert!(answer.header("x-request-id").is_some());
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

#[tokio::test]
async fn an_account_sees_itself_and_a_stranger_less() {
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    let own = forge
        .send(Request::get("/api/v1/user").by("alice"))
        .await
        .json();
    assert_eq!(
        (own["login"].as_str(), own["id"].as_i64()),
        (Some("alice"), Some(alice.id.0))
    );
    assert_eq!(own["email"], "alice@example.org");
    let public = forge.get("/api/v1/users/ALICE").await.json();
    assert_eq!(public["login"], "alice");
    assert_eq!(public["email"], "alice@noreply.localhost");
    assert_eq!(forge.get("/api/v1/users/nobody").await.status, 404);
    assert_eq!(forge.get("/api/v1/user").await.status, 401);
}

#[tokio::test]
async fn tokens_are_shown_once_listed_without_secret_and_revoked() {
    let forge = TestForge::start().await;
    forge.user("alice").await;
    let asked = json!({"name": "ci", "scopes": ["write:repository"]});
    let path = "/api/v1/users/alice/tokens";
    let made = forge
        .send(Request::new("POST", path).by("alice").json(&asked))
        .await;
    assert_eq!(made.status, 201, "{}", made.text());
    let secret = made.json()["sha1"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("dft_"));
    let listed = forge.send(Request::get(path).by("alice")).await;
    assert_eq!(listed.json()[0]["sha1"], "");
    assert_eq!(
        listed.json()[0]["token_last_eight"],
        secret[secret.len() - 8..]
    );
    assert_eq!(listed.json()[0]["scopes"], json!(["write:repository"]));
    assert_eq!(listed.header("x-total-count"), Some("1"));
    assert_eq!(
        forge
            .send(Request::get("/api/v1/user/repos").token(&secret))
            .await
            .status,
        200
    );
    // A token does not reach beyond its scopes, and makes no tokens.
    let beyond = forge
        .send(Request::get("/api/v1/user").token(&secret))
        .await;
    assert_eq!(
        (beyond.status, beyond.message().contains("read:user")),
        (403, true)
    );
    assert_eq!(
        forge.send(Request::get(path).token(&secret)).await.status,
        401
    );
    let taken = forge
        .send(Request::new("POST", path).by("alice").json(&asked))
        .await;
    assert_eq!(taken.status, 422);
    let gone = forge
        .send(Request::new("DELETE", &format!("{path}/ci")).by("alice"))
        .await;
    assert_eq!(gone.status, 204);
    let revoked = forge
        .send(Request::get("/api/v1/user/repos").token(&secret))
        .await;
    assert_eq!(
        (revoked.status, revoked.message().contains("revoked")),
        (401, true)
    );
    forge.user("bob").await;
    assert_eq!(forge.send(Request::get(path).by("bob")).await.status, 403);
}

#[tokio::test]
async fn an_administrator_makes_accounts_and_nobody_else_does() {
    let forge = TestForge::start().await;
    forge.account("boss", true).await;
    forge.user("alice").await;
    let asked = json!({"username": "carol", "email": "carol@example.org", "password": PASSWORD});
    let by = |user: &str| {
        Request::new("POST", "/api/v1/admin/users")
            .by(user)
            .json(&asked)
    };
    assert_eq!(forge.send(by("alice")).await.status, 403);
    let made = forge.send(by("boss")).await;
    assert_eq!(
        (made.status, made.json()["login"].as_str()),
        (201, Some("carol"))
    );
    assert_eq!(
        forge
            .send(Request::get("/api/v1/user").by("carol"))
            .await
            .status,
        200
    );
    let again = forge.send(by("boss")).await;
    assert_eq!(
        (again.status, again.message().contains("already exists")),
        (422, true)
    );
}

#[tokio::test]
async fn a_repository_is_made_shown_changed_and_deleted() {
    let forge = TestForge::start().await;
    forge.user("alice").await;
    let asked = json!({"name": "project", "description": "what it is", "private": true});
    let post = || {
        Request::new("POST", "/api/v1/user/repos")
            .by("alice")
            .json(&asked)
    };
    let made = forge.send(post()).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    assert_eq!(made["full_name"], "alice/project");
    assert_eq!(made["clone_url"], "http://forge.example/alice/project.git");
    assert_eq!(
        (&made["empty"], &made["private"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(made["default_branch"], "main");
    assert_eq!(
        made["permissions"],
        json!({"admin": true, "push": true, "pull": true})
    );
    assert_eq!(forge.send(post()).await.status, 409);
    let path = "/api/v1/repos/alice/project";
    let edit = json!({"private": false, "description": "another", "default_branch": "trunk"});
    let edited = forge
        .send(Request::new("PATCH", path).by("alice").json(&edit))
        .await;
    assert_eq!(edited.status, 200, "{}", edited.text());
    let shown = forge.get(path).await.json();
    assert_eq!(
        (&shown["description"], &shown["default_branch"]),
        (&json!("another"), &json!("trunk"))
    );
    assert_eq!(
        shown["permissions"],
        json!({"admin": false, "push": false, "pull": true})
    );
    forge.user("bob").await;
    assert_eq!(
        forge
            .send(Request::new("DELETE", path).by("bob"))
            .await
            .status,
        403
    );
    assert_eq!(forge.send(Request::new("DELETE", path)).await.status, 401);
    assert_eq!(
        forge
            .send(Request::new("DELETE", path).by("alice"))
            .await
            .status,
        204
    );
    assert_eq!(forge.send(Request::get(path).by("alice")).await.status, 404);
}

#[tokio::test]
async fn listings_are_paged_and_show_what_the_viewer_may_know_of() {
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    for (name, is_private) in [("a", false), ("b", true), ("c", false)] {
        create(&forge, &alice, name, is_private).await;
    }
    let names = |answer: crate::http::Answer| -> Vec<String> {
        let json = answer.json();
        let all = if json.is_array() {
            json
        } else {
            json["data"].clone()
        };
        let name = |row: &serde_json::Value| row["name"].as_str().unwrap().to_owned();
        all.as_array().unwrap().iter().map(name).collect()
    };
    assert_eq!(
        names(forge.get("/api/v1/users/alice/repos").await),
        ["a", "c"]
    );
    assert_eq!(
        names(
            forge
                .send(Request::get("/api/v1/user/repos").by("alice"))
                .await
        ),
        ["a", "b", "c"]
    );
    let page = forge
        .send(Request::get("/api/v1/user/repos?limit=1&page=2").by("alice"))
        .await;
    assert_eq!(page.header("x-total-count"), Some("3"));
    let links = page.header("link").unwrap();
    assert!(
        links.contains("<http://forge.example/api/v1/user/repos?limit=1&page=3>; rel=\"next\""),
        "{links}"
    );
    assert_eq!(names(page), ["b"]);
    let found = forge
        .get("/api/v1/repos/search?q=C&sort=created&order=desc")
        .await;
    assert_eq!(found.json()["ok"], true);
    assert_eq!(names(found), ["c"]);
    assert_eq!(names(forge.get("/api/v1/repos/search?q=b").await), [""; 0]);
    let wrong = forge.get("/api/v1/repos/search?sort=magic").await;
    assert_eq!(
        (wrong.status, wrong.message().contains("magic")),
        (422, true)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn branches_tags_and_forks_are_described() {
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    forge.user("bob").await;
    create(&forge, &alice, "project", false).await;
    let work = forge.path("work");
    sample(&work).await;
    git(
        &work,
        &[
            "push",
            "-q",
            "--mirror",
            &forge.url("alice", "alice/project.git"),
        ],
    )
    .await;
    let tip = git(&work, &["rev-parse", "HEAD"]).await;
    let branches = forge
        .get("/api/v1/repos/alice/project/branches")
        .await
        .json();
    assert_eq!(
        (&branches[0]["name"], &branches[1]["name"]),
        (&json!("feature/x"), &json!("main"))
    );
    let branch = forge
        .get("/api/v1/repos/alice/project/branches/feature/x")
        .await
        .json();
    assert_eq!(branch, branches[0]);
    let commit = &branches[1]["commit"];
    assert_eq!(commit["id"], tip);
    assert_eq!(commit["author"]["name"], "A U Thor");
    assert_eq!(commit["message"], "change README.md\n");
    assert_eq!(commit["timestamp"], "2023-11-14T23:13:20+01:00");
    assert_eq!(
        forge
            .get("/api/v1/repos/alice/project/branches/none")
            .await
            .status,
        404
    );
    let tags = forge.get("/api/v1/repos/alice/project/tags").await.json();
    assert_eq!(
        (&tags[0]["name"], &tags[1]["name"]),
        (&json!("light"), &json!("v1"))
    );
    assert_eq!(
        (&tags[1]["commit"]["sha"], &tags[1]["message"]),
        (&json!(tip), &json!("first release\n"))
    );
    assert_eq!(tags[1]["id"], git(&work, &["rev-parse", "v1"]).await);
    let fork = Request::new("POST", "/api/v1/repos/alice/project/forks").by("bob");
    let fork = forge.send(fork.json(&json!({"name": "copy"}))).await;
    assert_eq!(fork.status, 202, "{}", fork.text());
    assert_eq!(fork.json()["parent"]["full_name"], "alice/project");
    assert_eq!(fork.json()["empty"], false);
    let again = Request::new("POST", "/api/v1/repos/alice/project/forks").by("bob");
    assert_eq!(
        forge
            .send(again.json(&json!({"name": "copy"})))
            .await
            .status,
        409
    );
    let forks = forge.get("/api/v1/repos/alice/project/forks").await.json();
    assert_eq!(forks[0]["full_name"], "bob/copy");
}

#[tokio::test]
async fn the_process_says_how_it_is() {
    let forge = TestForge::start().await;
    assert_eq!(forge.get("/healthz").await.text(), "ok\n");
    assert_eq!(forge.get("/readyz").await.text(), "ready\n");
    forge.get("/api/v1/version").await;
    let metrics = forge.get("/metrics").await.text();
    assert!(
        metrics.contains("devflow_frontend_requests_total{area=\"api\",status=\"200\"} 1"),
        "{metrics}"
    );
}
