//! What is in a repository, as programs read it over REST and people download it.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::clone_and_push::create;
use crate::forge::TestForge;
use crate::git::{git, sample};
use crate::http::Request;

const API: &str = "/api/v1/repos/alice/project";

/// A forge with the sample in `alice/project`, and where the sample is.
async fn forge_with_sample(is_private: bool) -> (TestForge, PathBuf) {
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    create(&forge, &alice, "project", is_private).await;
    let work = forge.path("work");
    sample(&work).await;
    let url = forge.url("alice", "alice/project.git");
    git(&work, &["push", "-q", "--mirror", &url]).await;
    (forge, work)
}

async fn tar(work: &Path, revision: &str, paths: &[&str]) -> Vec<u8> {
    let out = work.with_extension("tar");
    let out = out.to_str().unwrap();
    let prefix = "--prefix=project/";
    let fixed = ["archive", "--format=tar", prefix, "-o", out, revision];
    git(work, &[&fixed, paths].concat()).await;
    std::fs::read(out).unwrap()
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    std::io::copy(&mut flate2::read::GzDecoder::new(bytes), &mut out).unwrap();
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_are_gits_own() {
    let (forge, work) = forge_with_sample(false).await;
    for (asked, revision) in [("main", "main"), ("feature/x", "feature/x"), ("v1", "v1")] {
        let expected = tar(&work, revision, &[]).await;
        for place in [API, "/alice/project"] {
            let answer = forge.get(&format!("{place}/archive/{asked}.tar.gz")).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.header("content-type"), Some("application/gzip"));
            assert!(gunzip(&answer.body) == expected, "{place} {asked}");
        }
    }
    let slash = forge.get("/alice/project/archive/feature/x.tar.gz").await;
    let disposition = "attachment; filename=\"project-feature-x.tar.gz\"";
    assert_eq!(slash.header("content-disposition"), Some(disposition));
    let commit = git(&work, &["rev-parse", "main"]).await;
    let zip = forge.get(&format!("{API}/archive/{commit}.zip")).await;
    assert!(zip.body.starts_with(b"PK\x03\x04"));
    assert!(zip.body.ends_with(commit.as_bytes()));
    let part = forge
        .get(&format!("{API}/archive/main.tar.gz?path=docs"))
        .await;
    let docs = tar(&work, "main", &["docs"]).await;
    assert!(gunzip(&part.body) == docs);
    for missing in ["main.rar", "none.tar.gz", "main.tar.gz?path=none", "main"] {
        let answer = forge.get(&format!("{API}/archive/{missing}")).await;
        assert_eq!(answer.status, 404, "{missing}");
    }
    let page = forge.get("/alice/project").await.text();
    assert!(
        page.contains("href=\"/alice/project/archive/main.tar.gz\""),
        "{page}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn trees_blobs_commits_tags_and_refs_are_read_by_their_ids() {
    let (forge, work) = forge_with_sample(false).await;
    let id = async |revision: &str| git(&work, &["rev-parse", revision]).await;
    let json = async |path: &str| {
        let answer = forge.get(&format!("{API}/{path}")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    };
    let tree = json("git/trees/main?recursive=true").await;
    assert_eq!(tree["sha"], id("main^{tree}").await);
    assert_eq!(
        (tree["truncated"].as_bool(), tree["total_count"].as_u64()),
        (Some(false), Some(4))
    );
    assert_eq!(tree["tree"][2]["path"], "docs");
    let guide = &tree["tree"][3];
    assert_eq!(
        (guide["path"].as_str(), guide["mode"].as_str()),
        (Some("docs/guide.md"), Some("100644"))
    );
    assert_eq!(
        (guide["type"].as_str(), guide["size"].as_u64()),
        (Some("blob"), Some(8))
    );
    let page = json("git/trees/main?per_page=1&page=2").await;
    assert_eq!(
        (
            page["tree"][0]["path"].as_str(),
            page["truncated"].as_bool()
        ),
        (Some("counter.txt"), Some(true))
    );
    let blob = json(&format!("git/blobs/{}", guide["sha"].as_str().unwrap())).await;
    assert_eq!(
        STANDARD.decode(blob["content"].as_str().unwrap()).unwrap(),
        b"# Guide\n"
    );
    let commit = json("git/commits/main").await;
    assert_eq!(commit["sha"], id("main").await);
    assert_eq!(
        commit["commit"]["author"]["date"],
        "2023-11-14T23:13:20+01:00"
    );
    assert_eq!(commit["commit"]["message"], "change README.md\n");
    assert_eq!(commit["parents"][0]["sha"], id("main~1").await);
    let tag = json(&format!("git/tags/{}", id("v1").await)).await;
    assert_eq!(
        (tag["tag"].as_str(), tag["object"]["type"].as_str()),
        (Some("v1"), Some("commit"))
    );
    assert_eq!(tag["message"], "first release\n");
    assert_eq!(json("git/refs").await.as_array().unwrap().len(), 4);
    let one = json("git/refs/heads/main").await;
    assert_eq!(
        (one["ref"].as_str(), one["object"]["sha"].as_str().unwrap()),
        (Some("refs/heads/main"), &*id("main").await)
    );
    assert_eq!(json("git/refs/tags").await[1]["object"]["type"], "tag");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_found() {
    let (forge, work) = forge_with_sample(false).await;
    let main = git(&work, &["rev-parse", "main"]).await;
    let nothing = "1".repeat(40);
    for missing in [
        "git/trees/none",
        "git/refs/none",
        "git/tags/none",
        &format!("git/blobs/{nothing}"),
        &format!("git/commits/{nothing}"),
        &format!("git/blobs/{main}"),
    ] {
        assert_eq!(
            forge.get(&format!("{API}/{missing}")).await.status,
            404,
            "{missing}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_say_what_changed_them_last() {
    let (forge, work) = forge_with_sample(false).await;
    let get = async |path: &str| forge.get(&format!("{API}/{path}")).await;
    let root = get("contents").await.json();
    let names: Vec<_> = root
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["name"].clone())
        .collect();
    assert_eq!(names, ["README.md", "counter.txt", "docs"]);
    let last = git(&work, &["log", "-1", "--format=%H", "--", "counter.txt"]).await;
    assert_eq!(root[1]["last_commit_sha"], last);
    assert_eq!(
        (root[1]["type"].as_str(), root[2]["type"].as_str()),
        (Some("file"), Some("dir"))
    );
    let file = get("contents/docs/guide.md?ref=v1").await.json();
    assert_eq!(
        STANDARD.decode(file["content"].as_str().unwrap()).unwrap(),
        b"# Guide\n"
    );
    assert_eq!(
        file["html_url"],
        "http://forge.example/alice/project/src/tag/v1/docs/guide.md"
    );
    assert_eq!(
        file["last_commit_sha"],
        git(&work, &["log", "-1", "--format=%H", "--", "docs"]).await
    );
    assert_eq!(get("contents/none").await.status, 404);
    assert_eq!(get("contents/docs?ref=none").await.status, 404);
    let raw = get("raw/docs/guide.md").await;
    assert_eq!((raw.status, raw.text().as_str()), (200, "# Guide\n"));
    let tag = raw.header("etag").unwrap().to_owned();
    let path = format!("{API}/media/docs/guide.md");
    let known = Request::get(&path).header("If-None-Match", &tag);
    assert_eq!(forge.send(known).await.status, 304);
    let part = forge
        .send(Request::get(&path).header("Range", "bytes=2-4"))
        .await;
    assert_eq!((part.status, part.text().as_str()), (206, "Gui"));
    assert_eq!(part.header("content-range"), Some("bytes 2-4/8"));
    let beyond = forge
        .send(Request::get(&path).header("Range", "bytes=8-"))
        .await;
    assert_eq!(beyond.status, 416);
    assert_eq!(get("raw/docs").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_are_listed_page_by_page() {
    let (forge, work) = forge_with_sample(false).await;
    let page = forge
        .get(&format!("{API}/commits?sha=main&limit=2&page=2"))
        .await;
    assert_eq!(page.header("x-total-count"), Some("6"));
    assert!(page.header("link").unwrap().contains("page=3"));
    let expected = git(&work, &["rev-list", "--skip=2", "-n2", "main"]).await;
    let listed = page.json();
    let ids: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|commit| commit["sha"].as_str().unwrap())
        .collect();
    assert_eq!(ids.join("\n"), expected);
    let of_path = forge.get(&format!("{API}/commits?path=docs")).await.json();
    assert_eq!(of_path.as_array().unwrap().len(), 1);
    let not = forge
        .get(&format!("{API}/commits?not=feature/x"))
        .await
        .json();
    assert_eq!(not.as_array().unwrap().len(), 2);
    assert_eq!(
        forge.get(&format!("{API}/commits?sha=none")).await.status,
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_learn_nothing_of_a_private_repository() {
    let (forge, work) = forge_with_sample(true).await;
    forge.user("bob").await;
    let commit = git(&work, &["rev-parse", "main"]).await;
    for path in [
        "archive/main.zip",
        "commits",
        "contents",
        "raw/README.md",
        "git/refs",
        "git/trees/main",
        &format!("git/commits/{commit}"),
    ] {
        let path = format!("{API}/{path}");
        let stranger = forge.send(Request::get(&path).by("bob")).await;
        let absent = path.replace("project", "absent");
        let absent = forge.send(Request::get(&absent).by("bob")).await;
        assert_eq!(
            (stranger.status, stranger.text()),
            (404, absent.text()),
            "{path}"
        );
        assert_eq!(
            forge.send(Request::get(&path).by("alice")).await.status,
            200,
            "{path}"
        );
    }
    assert_eq!(
        forge.get("/alice/project/archive/main.zip").await.status,
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_says_what_it_changed() {
    let (forge, work) = forge_with_sample(false).await;
    let commit = forge.get(&format!("{API}/git/commits/main")).await.json();
    assert_eq!(commit["stats"]["additions"], 4);
    let file = &commit["files"][0];
    assert_eq!(
        (file["filename"].as_str(), file["status"].as_str()),
        (Some("README.md"), Some("added"))
    );
    let diff = forge.get(&format!("{API}/git/commits/main~0.diff")).await;
    assert_eq!(diff.status, 404);
    let diff = forge.get(&format!("{API}/git/commits/main.diff")).await;
    let expected = ["diff", "--full-index", "main~1", "main"];
    assert_eq!(diff.text().trim_end(), git(&work, &expected).await);
    let id = git(&work, &["rev-parse", "main"]).await;
    let patch = forge
        .get(&format!("/alice/project/commit/{id}.patch"))
        .await;
    let file = work.with_extension("patch");
    std::fs::write(&file, &patch.body).unwrap();
    git(&work, &["checkout", "-q", "main~1"]).await;
    git(&work, &["am", "-q", file.to_str().unwrap()]).await;
    let tree = git(&work, &["rev-parse", "HEAD^{tree}"]).await;
    assert_eq!(tree, git(&work, &["rev-parse", "main^{tree}"]).await);
    let said = git(&work, &["log", "-1", "--format=%an %ae %ad %s"]).await;
    let meant = ["log", "-1", "--format=%an %ae %ad %s", "main"];
    assert_eq!(said, git(&work, &meant).await);
    let page = forge
        .get(&format!("/alice/project/commit/{id}"))
        .await
        .text();
    assert!(page.contains("+# Sample"), "{page}");
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script"));
}

#[tokio::test(flavor = "multi_thread")]
async fn branches_are_compared_and_languages_counted() {
    let (forge, work) = forge_with_sample(false).await;
    let ahead = forge
        .get(&format!("{API}/compare/feature/x...main"))
        .await
        .json();
    assert_eq!(ahead["total_commits"], 2);
    let main = git(&work, &["rev-parse", "main"]).await;
    assert_eq!(ahead["commits"][0]["sha"], main);
    let behind = forge
        .get(&format!("{API}/compare/main...feature/x"))
        .await
        .json();
    assert_eq!(behind["total_commits"], 0);
    assert_eq!(
        forge
            .get(&format!("{API}/compare/main...none"))
            .await
            .status,
        404
    );
    let languages = forge.get(&format!("{API}/languages")).await;
    assert_eq!((languages.status, languages.text().as_str()), (200, "{}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_lead_through_the_history() {
    let (forge, work) = forge_with_sample(false).await;
    let root = forge.get("/alice/project").await.text();
    let last = git(&work, &["log", "-1", "--format=%H", "--", "counter.txt"]).await;
    assert!(
        root.contains(&format!("/alice/project/commit/{last}")),
        "{root}"
    );
    assert!(root.contains("/alice/project/commits/branch/main"));
    let history = forge.get("/alice/project/commits/branch/main/docs").await;
    assert_eq!(history.status, 200);
    assert_eq!(history.text().matches("/commit/").count(), 1);
    for missing in [
        "commits/branch/main/none",
        "commits/branch/none",
        "commit/none",
    ] {
        let answer = forge.get(&format!("/alice/project/{missing}")).await;
        assert_eq!(answer.status, 404, "{missing}");
    }
}
