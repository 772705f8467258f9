//! Repositories named by SHA-256, from their making to their check.

use serde_json::json;

use crate::forge::TestForge;
use crate::git::{commit, git, inventory, sample};
use crate::http::Request;
use crate::ssh::client::{KeyFile, here, url};

#[tokio::test(flavor = "multi_thread")]
async fn they_are_made_pushed_cloned_and_fetched_over_http_and_ssh() {
    let forge = TestForge::start().await;
    let (_, key) = KeyFile::of_alice(&forge).await;
    let ssh = key.git(&forge);
    let source = forge.path("source");
    let format = ["init", "-q", "--object-format=sha256", "source"];
    git(here(&forge), &format).await;
    sample(&source).await;
    for version in ["0", "1", "2"] {
        let name = format!("over-{version}");
        let asked = json!({"name": name, "object_format_name": "sha256"});
        let make = Request::new("POST", "/api/v1/user/repos").by("alice");
        let made = forge.send(make.json(&asked)).await;
        assert_eq!(made.status, 201, "{}", made.text());
        assert_eq!(made.json()["object_format_name"], "sha256");

        let protocol = format!("protocol.version={version}");
        let with = ["-c", &protocol, "-c", &ssh];
        let by_http = forge.url("alice", &format!("alice/{name}.git"));
        let by_ssh = url(&forge, &format!("alice/{name}.git"));
        let mirror = ["push", "-q", "--mirror", &by_http];
        git(&source, &[&with[..], &mirror].concat()).await;
        for (way, address) in [("http", &by_http), ("ssh", &by_ssh)] {
            let to = format!("{way}-{version}");
            let clone = ["clone", "-q", "--mirror", address, &to];
            git(here(&forge), &[&with[..], &clone].concat()).await;
            let copy = forge.path(&to);
            assert_eq!(inventory(&copy).await, inventory(&source).await);
            git(&copy, &["fsck", "--strict"]).await;

            commit(&source, "more.txt", &to).await;
            let push = ["push", "-q", address, "HEAD:refs/heads/main"];
            git(&source, &[&with[..], &push].concat()).await;
            git(&copy, &[&with[..], &["fetch", "-q"]].concat()).await;
            let head = git(&source, &["rev-parse", "HEAD"]).await;
            assert_eq!(head.len(), 64);
            assert_eq!(git(&copy, &["rev-parse", "refs/heads/main"]).await, head);
            let shallow = format!("shallow-{to}");
            let depth = ["clone", "-q", "--depth=1", address, &shallow];
            git(here(&forge), &[&with[..], &depth].concat()).await;
        }
    }
}
