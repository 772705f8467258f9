use serde_json::json;

use crate::clone_and_push::create;
use crate::forge::TestForge;
use crate::http::{Answer, Request};
use crate::pages::{cookie, hidden, sign_in};
use crate::ssh::client::KeyFile;

#[tokio::test]
async fn keys_of_an_account_are_managed_as_with_gitea() {
    let forge = TestForge::start().await;
    forge.user("alice").await;
    forge.user("bob").await;
    forge.account("root", true).await;
    let file = KeyFile::new(&forge, "key").await;
    let asked = json!({"title": "laptop", "key": file.public()});
    let post = |path: &str, by: &str, body| Request::new("POST", path).by(by).json(body);
    let made = forge.send(post("/api/v1/user/keys", "alice", &asked)).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let key = made.json();
    let id = key["id"].as_i64().unwrap();
    assert_eq!(key["title"], "laptop");
    assert_eq!(key["key_type"], "user");
    assert_eq!(key["user"]["login"], "alice");
    let url = format!("http://forge.example/api/v1/user/keys/{id}");
    assert_eq!(key["url"], url);
    let text = file.public();
    let line = text.trim().rsplit_once(' ').unwrap().0;
    assert_eq!(key["key"], line);
    let fingerprint = key["fingerprint"].as_str().unwrap();
    assert!(fingerprint.starts_with("SHA256:"));
    let again = forge.send(post("/api/v1/user/keys", "bob", &asked)).await;
    assert_eq!(again.status, 422, "{}", again.text());
    assert!(again.message().contains("in use already"));
    let bad = json!({"title": "bad", "key": "ssh-rsa AAAA"});
    let bad = forge.send(post("/api/v1/user/keys", "alice", &bad)).await;
    assert_eq!(bad.status, 422);

    let public = forge.get("/api/v1/users/alice/keys").await;
    assert_eq!(public.header("x-total-count"), Some("1"));
    assert_eq!(public.json()[0]["id"], id);
    let path = format!(
        "/api/v1/user/keys?fingerprint={}",
        fingerprint.replace('+', "%2B")
    );
    let found = forge.send(Request::get(&path).by("alice")).await;
    assert_eq!(found.json()[0]["id"], id);
    let none = forge
        .send(Request::get("/api/v1/user/keys").by("bob"))
        .await;
    assert_eq!(none.json(), json!([]));
    let path = format!("/api/v1/user/keys/{id}");
    for (method, by, status) in [
        ("GET", "bob", 404),
        ("DELETE", "bob", 404),
        ("GET", "alice", 200),
        ("DELETE", "alice", 204),
        ("DELETE", "alice", 404),
    ] {
        let answer = forge.send(Request::new(method, &path).by(by)).await;
        assert_eq!(answer.status, status, "{method} {by}");
    }
    assert_eq!(forge.get("/api/v1/user/keys").await.status, 401);

    let path = "/api/v1/admin/users/alice/keys";
    assert_eq!(forge.send(post(path, "bob", &asked)).await.status, 403);
    let made = forge.send(post(path, "root", &asked)).await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(made.json()["user"]["login"], "alice");
    let path = format!("{path}/{}", made.json()["id"]);
    let removed = forge.send(Request::new("DELETE", &path).by("root")).await;
    assert_eq!(removed.status, 204);
}

#[tokio::test]
async fn a_token_needs_the_scope_to_change_keys() {
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    let reads = forge.token(&alice, &["read:user"]).await;
    let file = KeyFile::new(&forge, "key").await;
    let asked = json!({"title": "laptop", "key": file.public()});
    let list = Request::get("/api/v1/user/keys").token(&reads);
    assert_eq!(forge.send(list).await.status, 200);
    let add = Request::new("POST", "/api/v1/user/keys")
        .token(&reads)
        .json(&asked);
    assert_eq!(forge.send(add).await.status, 403);
}

#[tokio::test]
async fn deploy_keys_are_managed_by_who_administers_the_repository() {
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    forge.user("bob").await;
    create(&forge, &alice, "project", false).await;
    let file = KeyFile::new(&forge, "key").await;
    let path = "/api/v1/repos/alice/project/keys";
    let asked = json!({"title": "ci", "key": file.public(), "read_only": true});
    let post = |by: &str| Request::new("POST", path).by(by).json(&asked);
    assert_eq!(forge.send(post("bob")).await.status, 403);
    assert_eq!(forge.send(Request::get(path).by("bob")).await.status, 403);
    let made = forge.send(post("alice")).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let key = made.json();
    let id = key["id"].as_i64().unwrap();
    assert_eq!(key["read_only"], true);
    assert_eq!(key["key_id"], id);
    assert_eq!(key["repository"]["full_name"], "alice/project");
    let listed = forge.send(Request::get(path).by("alice")).await;
    assert_eq!(listed.json()[0]["id"], id);
    let wanted = format!("{path}?key_id={id}");
    let listed = forge.send(Request::get(&wanted).by("alice")).await;
    assert_eq!(listed.json()[0]["id"], id);
    let one = format!("{path}/{id}");
    let shown = forge.send(Request::get(&one).by("alice")).await;
    assert_eq!(shown.json()["fingerprint"], key["fingerprint"]);
    let own = forge
        .send(Request::get("/api/v1/user/keys").by("alice"))
        .await;
    assert_eq!(own.json(), json!([]), "a deploy key is no key of its adder");
    for status in [204, 404] {
        let removed = forge.send(Request::new("DELETE", &one).by("alice")).await;
        assert_eq!(removed.status, status);
    }
}

async fn send_form(forge: &TestForge, path: &str, session: &str, body: String) -> Answer {
    let request = Request::new("POST", path).header("Cookie", session);
    let request = request.body("application/x-www-form-urlencoded", body);
    forge.send(request).await
}

#[tokio::test]
async fn a_person_adds_and_removes_keys_on_a_page() {
    const PATH: &str = "/user/settings/keys";
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    assert_eq!(forge.get(PATH).await.header("location"), Some("/login"));
    let session = cookie(&sign_in(&forge, "alice", crate::forge::PASSWORD).await);
    let show = async || {
        forge
            .send(Request::get(PATH).header("Cookie", &session))
            .await
    };
    let empty = show().await;
    assert!(empty.text().contains("no key yet"), "{}", empty.text());
    let token = hidden(&empty);
    let file = KeyFile::new(&forge, "key").await;
    let text = file.public().trim().replace('+', "%2B").replace(' ', "+");
    let foreign = format!("title=a&key={text}&token=x");
    assert_eq!(send_form(&forge, PATH, &session, foreign).await.status, 403);
    let bad = format!("title=a&key=nonsense&token={token}");
    let bad = send_form(&forge, PATH, &session, bad).await;
    assert_eq!(bad.status, 422);
    assert!(
        bad.text().contains("this is not a public key"),
        "{}",
        bad.text()
    );
    let add = format!("title=<laptop>&key={text}&token={token}");
    let added = send_form(&forge, PATH, &session, add).await;
    assert_eq!(added.header("location"), Some(PATH), "{}", added.text());
    let shown = show().await.text();
    assert!(
        shown.contains("&lt;laptop&gt;") && shown.contains("SHA256:"),
        "{shown}"
    );
    let owner = domain::keys::KeyOwner::Account(alice.id);
    let slice = domain::Slice {
        limit: 9,
        offset: 0,
    };
    let keys = forge.forge.keys.list(owner, slice).await.unwrap();
    let remove = format!("id={}&token={token}", keys.items[0].id);
    let path = format!("{PATH}/remove");
    let removed = send_form(&forge, &path, &session, remove).await;
    assert_eq!(removed.header("location"), Some(PATH));
    assert!(show().await.text().contains("no key yet"));
}
