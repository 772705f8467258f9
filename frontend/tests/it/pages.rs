//! The pages, as a browser without scripts sees them.

use crate::clone_and_push::create;
use crate::forge::{PASSWORD, TestForge};
use crate::git::{git, sample};
use crate::http::{Answer, Request};

/// A value of a form on a page.
pub(crate) fn hidden(page: &Answer) -> String {
    let text = page.text();
    let start = text.find("name=\"token\" value=\"").unwrap() + "name=\"token\" value=\"".len();
    text[start..].split('"').next().unwrap().to_owned()
}

pub(crate) fn cookie(answer: &Answer) -> String {
    answer
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned()
}

/// Signs in; returns the session's cookie.
pub(crate) async fn sign_in(forge: &TestForge, name: &str, password: &str) -> Answer {
    let form = forge.get("/login").await;
    let body = format!(
        "name={name}&password={}&token={}",
        password.replace(' ', "+"),
        hidden(&form)
    );
    let request = Request::new("POST", "/login").header("Cookie", &cookie(&form));
    forge
        .send(request.body("application/x-www-form-urlencoded", body))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_shows_its_files_and_its_readme() {
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    create(&forge, &alice, "project", false).await;
    let empty = forge.get("/alice/project").await.text();
    assert!(empty.contains("This repository is empty"), "{empty}");
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
    let page = forge.get("/alice/project").await;
    let text = page.text();
    assert_eq!(page.status, 200);
    for expected in [
        "http://forge.example/alice/project.git",
        "<h1>Sample</h1>",
        "href=\"/alice/project/src/branch/main/docs/guide.md\"",
        "href=\"/alice/project/src/branch/main/docs\"",
        "&lt;script&gt;",
        "2 branches",
        "2 tags",
    ] {
        assert!(text.contains(expected), "no {expected} in {text}");
    }
    assert!(!text.contains("<script"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_branches_and_tags_have_pages() {
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    create(&forge, &alice, "project", false).await;
    let work = forge.path("work");
    sample(&work).await;
    let url = forge.url("alice", "alice/project.git");
    git(&work, &["push", "-q", "--mirror", &url]).await;
    let file = forge
        .get("/alice/project/src/branch/feature/x/counter.txt")
        .await
        .text();
    assert!(file.contains("id=\"L200\""), "{file}");
    let raw = forge.get("/alice/project/raw/tag/v1/docs/guide.md").await;
    assert_eq!(
        (raw.text().as_str(), raw.header("content-type")),
        ("# Guide\n", Some("text/plain; charset=utf-8"))
    );
    assert!(
        raw.header("content-security-policy")
            .unwrap()
            .contains("sandbox")
    );
    for missing in [
        "src/branch/none",
        "src/branch/main/none",
        "src/commit/main",
        "raw/branch/main/docs",
    ] {
        assert_eq!(
            forge.get(&format!("/alice/project/{missing}")).await.status,
            404,
            "{missing}"
        );
    }
    assert!(
        forge
            .get("/alice/project/branches")
            .await
            .text()
            .contains("feature/x")
    );
    assert!(
        forge
            .get("/alice/project/tags")
            .await
            .text()
            .contains("light")
    );
}

#[tokio::test]
async fn addresses_that_people_type_lead_to_pages() {
    let forge = TestForge::start().await;
    let git = forge.get("/alice/project.git").await;
    assert_eq!(
        (git.status, git.header("location")),
        (303, Some("/alice/project"))
    );
    let slash = forge.get("/alice/project/").await;
    assert_eq!(
        (slash.status, slash.header("location")),
        (308, Some("/alice/project"))
    );
    assert_eq!(forge.get("//evil.example/").await.status, 404);
    let style = forge.get("/").await.text();
    let path = style
        .split("href=\"")
        .find(|rest| rest.starts_with("/-/"))
        .unwrap();
    let style = forge.get(path.split('"').next().unwrap()).await;
    assert_eq!(
        style.header("content-type"),
        Some("text/css; charset=utf-8")
    );
}

#[tokio::test]
async fn a_private_repository_has_the_same_page_as_none() {
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    create(&forge, &alice, "secret", true).await;
    let private = forge.get("/alice/secret").await;
    let unknown = forge.get("/alice/nothing").await;
    assert_eq!((private.status, unknown.status), (404, 404));
    assert_eq!(private.text(), unknown.text());
    assert!(!forge.get("/alice").await.text().contains("secret"));
    assert!(!forge.get("/").await.text().contains("secret"));
}

#[tokio::test]
async fn a_session_begins_and_ends() {
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    create(&forge, &alice, "secret", true).await;
    let opened = sign_in(&forge, "alice", PASSWORD).await;
    assert_eq!((opened.status, opened.header("location")), (303, Some("/")));
    let header = opened.header("set-cookie").unwrap();
    assert!(
        header.contains("HttpOnly") && header.contains("SameSite=Lax"),
        "{header}"
    );
    let session = cookie(&opened);
    let home = forge
        .send(Request::get("/").header("Cookie", &session))
        .await;
    assert!(home.text().contains("alice/secret"));
    // The session is for pages alone.
    let api = Request::get("/api/v1/user").header("Cookie", &session);
    assert_eq!(forge.send(api).await.status, 401);
    let forged = Request::new("POST", "/logout")
        .header("Cookie", &session)
        .body("application/x-www-form-urlencoded", "token=wrong");
    assert_eq!(forge.send(forged).await.status, 403);
    let body = format!("token={}", hidden(&home));
    let ended = Request::new("POST", "/logout")
        .header("Cookie", &session)
        .body("application/x-www-form-urlencoded", body);
    assert_eq!(forge.send(ended).await.status, 303);
    let after = forge
        .send(Request::get("/").header("Cookie", &session))
        .await;
    assert!(!after.text().contains("secret"));
}

#[tokio::test]
async fn a_wrong_password_and_a_form_of_another_site_open_no_session() {
    let forge = TestForge::start().await;
    forge.user("alice").await;
    let wrong = sign_in(&forge, "alice", "wrong").await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.text().contains("user name or password is wrong"));
    let body = format!("name=alice&password={}", PASSWORD.replace(' ', "+"));
    let foreign = Request::new("POST", "/login").body("application/x-www-form-urlencoded", body);
    assert_eq!(forge.send(foreign).await.status, 403);
}
