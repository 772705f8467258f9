//! What bad input gets: a clear word, the right status, nothing stored and
//! nothing told that is not the asker's to know.

use std::io::Write;
use std::time::Duration;

use domain::tokens::{NewToken, Scopes};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use storage_node_api::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::clone_and_push::create;
use crate::forge::{PASSWORD, TestForge};
use crate::git::{commit, fails, git, sample};
use crate::http::{Answer, Request};

const FETCH: &str = "application/x-git-upload-pack-request";

async fn with_project(is_private: bool) -> TestForge {
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    create(&forge, &alice, "project", is_private).await;
    forge
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

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

#[tokio::test]
async fn json_body_over_the_limit() {
    let forge = with_project(false).await;
    let body = json!({"name": "x", "description": "a".repeat(2 << 20)}).to_string();
    let create = Request::new("POST", "/api/v1/user/repos")
        .by("alice")
        .body("application/json", body);
    let answer = forge.send(create).await;
    assert_eq!(
        (answer.status, answer.message().contains("over the limit")),
        (413, true)
    );
}

#[tokio::test]
async fn fetch_request_over_the_limit() {
    let forge = with_project(false).await;
    let path = "/alice/project.git/git-upload-pack";
    let line = format!("0032have {}\n", "1".repeat(40));
    let body = format!("0012command=fetch\n0001{}", line.repeat(50_000));
    let request = Request::new("POST", path)
        .header("Git-Protocol", "version=2")
        .body(FETCH, body);
    let answer = forge.send(request).await;
    assert_eq!(answer.status, 413, "{}", answer.text());
    assert!(
        answer.text().contains("over the limit"),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn decompression_bomb_in_a_gzip_body() {
    let forge = with_project(false).await;
    let line = format!("0032have {}\n", "1".repeat(40));
    let body = gzip(format!("0012command=fetch\n0001{}", line.repeat(400_000)).as_bytes());
    assert!(body.len() < 1 << 20, "the bomb is small: {}", body.len());
    let request = Request::new("POST", "/alice/project.git/git-upload-pack")
        .header("Git-Protocol", "version=2")
        .header("Content-Encoding", "gzip")
        .body(FETCH, body);
    let answer = forge.send(request).await;
    assert_eq!(answer.status, 413, "{}", answer.text());
    assert!(
        answer.text().contains("over the limit"),
        "{}",
        answer.text()
    );
    let small = Request::new("POST", "/alice/project.git/git-upload-pack")
        .header("Git-Protocol", "version=2")
        .header("Content-Encoding", "gzip")
        .body(FETCH, gzip(b"0013command=ls-refs00010000"));
    let answer = forge.send(small).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "0000"));
    let truncated = gzip(b"0012command=fetch\n0001");
    let request = Request::new("POST", "/alice/project.git/git-upload-pack")
        .header("Git-Protocol", "version=2")
        .header("Content-Encoding", "gzip")
        .body(FETCH, &truncated[..truncated.len() - 9]);
    assert_eq!(forge.send(request).await.status, 400);
    let unknown = Request::new("POST", "/alice/project.git/git-upload-pack")
        .header("Content-Encoding", "br")
        .body(FETCH, "0000");
    assert_eq!(forge.send(unknown).await.status, 415);
}

#[tokio::test(flavor = "multi_thread")]
async fn push_over_the_size_limit() {
    let forge = TestForge::start_with(|config| config.max_push_bytes = 500).await;
    let alice = forge.user("alice").await;
    create(&forge, &alice, "project", false).await;
    let work = forge.path("work");
    sample(&work).await;
    let said = fails(
        &work,
        &["push", &forge.url("alice", "alice/project.git"), "--all"],
    )
    .await;
    assert!(said.contains("500"), "{said}");
    assert_eq!(
        git(
            &work,
            &["ls-remote", &forge.url("alice", "alice/project.git")]
        )
        .await,
        ""
    );
    assert_nothing_is_left(&forge);
}

#[tokio::test(flavor = "multi_thread")]
async fn corrupt_truncated_and_incomplete_packs() {
    let forge = with_project(false).await;
    let work = forge.path("work");
    sample(&work).await;
    let tip = git(&work, &["rev-parse", "HEAD"]).await;
    git(&work, &["repack", "-adq"]).await;
    let directory = work.join(".git/objects/pack");
    let pack = std::fs::read_dir(directory)
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    let pack = pack
        .filter(|path| path.extension().is_some_and(|e| e == "pack"))
        .last()
        .unwrap();
    let whole = std::fs::read(pack).unwrap();
    let mut corrupt = whole.clone();
    corrupt[whole.len() / 2] ^= 0x10;
    let null = "0".repeat(40);
    for (case, pack) in [
        ("corrupt", &corrupt[..]),
        ("truncated", &whole[..whole.len() / 2]),
    ] {
        let line = format!("{null} {tip} refs/heads/main\0 report-status\n");
        let mut body = format!("{:04x}{line}0000", line.len() + 4).into_bytes();
        body.extend_from_slice(pack);
        let request = Request::new("POST", "/alice/project.git/git-receive-pack").by("alice");
        let request = request.body("application/x-git-receive-pack-request", body);
        let answer = forge.send(request).await;
        let said = answer.text();
        assert!(
            said.contains("unpack ") && !said.contains("unpack ok"),
            "{case}: {said}"
        );
        assert!(said.contains("ng refs/heads/main"), "{case}: {said}");
    }
    // A commit without its tree.
    let line = format!("{null} {tip} refs/heads/main\0 report-status\n");
    let mut body = format!("{:04x}{line}0000", line.len() + 4).into_bytes();
    let lone = work.join("lone");
    std::fs::write(&lone, format!("{tip}\n")).unwrap();
    let packed = std::process::Command::new("git")
        .current_dir(&work)
        .args(["pack-objects", "--stdout", "-q"])
        .stdin(std::fs::File::open(&lone).unwrap())
        .output()
        .unwrap();
    body.extend_from_slice(&packed.stdout);
    let request = Request::new("POST", "/alice/project.git/git-receive-pack").by("alice");
    let said = forge
        .send(request.body("application/x-git-receive-pack-request", body))
        .await
        .text();
    assert!(said.contains("missing necessary objects"), "{said}");
    assert_eq!(
        git(
            &work,
            &["ls-remote", &forge.url("alice", "alice/project.git")]
        )
        .await,
        ""
    );
    assert_nothing_is_left(&forge);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_fails_gits_own_checks() {
    let forge = with_project(false).await;
    let work = forge.path("work");
    sample(&work).await;
    let tree = git(&work, &["rev-parse", "HEAD^{tree}"]).await;
    let bad = work.join("bad");
    // No author.
    std::fs::write(
        &bad,
        format!("tree {tree}\ncommitter C <c@example.org> 1 +0000\n\nbad\n"),
    )
    .unwrap();
    let id = git(
        &work,
        &["hash-object", "-t", "commit", "--literally", "-w", "bad"],
    )
    .await;
    let refspec = format!("{id}:refs/heads/bad");
    let said = fails(
        &work,
        &["push", &forge.url("alice", "alice/project.git"), &refspec],
    )
    .await;
    assert!(said.contains("missingAuthor"), "{said}");
    assert_eq!(
        git(
            &work,
            &["ls-remote", &forge.url("alice", "alice/project.git")]
        )
        .await,
        ""
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

#[tokio::test(flavor = "multi_thread")]
async fn client_that_stops_in_the_middle_of_a_push() {
    let forge = with_project(false).await;
    let mut stream = TcpStream::connect(forge.address).await.unwrap();
    let line = format!(
        "{} {} refs/heads/main\0 report-status\n",
        "0".repeat(40),
        "1".repeat(40)
    );
    let head = Request::new("POST", "/alice/project.git/git-receive-pack").by("alice");
    let head = head.body("application/x-git-receive-pack-request", vec![0; 0]);
    let head = head
        .head()
        .replace("Content-Length: 0", "Content-Length: 1000000");
    stream
        .write_all(format!("{head}\r\n{:04x}{line}0000PACK", line.len() + 4).as_bytes())
        .await
        .unwrap();
    eventually("a quarantine is made", || quarantines(&forge) == 1).await;
    drop(stream);
    eventually("the quarantine is gone", || quarantines(&forge) == 0).await;
    assert_nothing_is_left(&forge);
}

#[tokio::test(flavor = "multi_thread")]
async fn client_that_reads_slowly_or_leaves_in_the_middle_of_a_clone() {
    let forge = with_project(false).await;
    let work = forge.path("work");
    sample(&work).await;
    let noise: Vec<u8> = (0..8_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    std::fs::write(work.join("noise"), noise).unwrap();
    commit(&work, "a.txt", "a").await;
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
    let body = format!("0011command=fetch00010032want {tip}\n0009done\n0000");
    let request = || {
        Request::new("POST", "/alice/project.git/git-upload-pack")
            .header("Git-Protocol", "version=2")
            .body(FETCH, body.clone())
    };
    let mut streams = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(forge.address).await.unwrap();
        stream.write_all(request().head().as_bytes()).await.unwrap();
        stream
            .write_all(format!("\r\n{body}").as_bytes())
            .await
            .unwrap();
        stream.read_exact(&mut [0; 1]).await.unwrap();
        streams.push(stream);
    }
    // Others are served meanwhile.
    let clone = forge.path("clone");
    let url = forge.anonymous_url("alice/project.git");
    git(
        forge.scratch.path(),
        &["clone", "-q", &url, clone.to_str().unwrap()],
    )
    .await;
    drop(streams);
    let mut left = usize::MAX;
    for _ in 0..200 {
        let metrics = forge.get("/metrics").await.text();
        let line = metrics
            .lines()
            .find(|line| line.starts_with("devflow_frontend_fetches "))
            .unwrap();
        left = line.split(' ').nth(1).unwrap().parse().unwrap();
        if left == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(left, 0, "clones of clients that left go on");
}

#[tokio::test]
async fn probe_request_and_other_small_talk() {
    let forge = with_project(false).await;
    let post = |path: &str| Request::new("POST", path);
    let push = "application/x-git-receive-pack-request";
    let probe = post("/alice/project.git/git-receive-pack").body(push, "0000");
    assert_eq!(forge.send(probe).await.status, 401);
    for repository in ["project", "not-yet"] {
        let path = format!("/alice/{repository}.git/git-receive-pack");
        let probe = forge.send(post(&path).by("alice").body(push, "0000")).await;
        assert_eq!((probe.status, probe.body.len()), (200, 0));
        assert_eq!(
            probe.header("content-type"),
            Some("application/x-git-receive-pack-result")
        );
    }
    assert!(
        forge
            .forge
            .repositories
            .find("alice", "not-yet")
            .await
            .unwrap()
            .is_none()
    );
    let path = "/alice/project.git/info/refs?service=git-upload-pack";
    let refs = forge.get(path).await;
    assert_eq!(
        refs.header("content-type"),
        Some("application/x-git-upload-pack-advertisement")
    );
    assert_eq!(
        refs.header("cache-control"),
        Some("no-cache, max-age=0, must-revalidate")
    );
    assert!(
        refs.text()
            .starts_with("001e# service=git-upload-pack\n0000"),
        "{}",
        refs.text()
    );
    let head = forge.send(Request::new("HEAD", path)).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(forge.send(Request::new("OPTIONS", path)).await.status, 405);
    assert_eq!(
        forge.get("/alice/project.git/git-upload-pack").await.status,
        405
    );
    let wrong = post("/alice/project.git/git-upload-pack").body("text/plain", "0000");
    assert_eq!(forge.send(wrong).await.status, 415);
}

#[tokio::test]
async fn who_waits_to_be_told_to_send_is_told_or_refused_at_once() {
    let forge = with_project(false).await;
    for (request, expected) in [
        (
            Request::new("POST", "/alice/project.git/git-receive-pack"),
            "HTTP/1.1 401 ",
        ),
        (
            Request::new("POST", "/alice/project.git/git-receive-pack").by("alice"),
            "HTTP/1.1 100 ",
        ),
    ] {
        let mut stream = TcpStream::connect(forge.address).await.unwrap();
        let request = request
            .header("Expect", "100-continue")
            .header("Content-Length", "1000");
        let request = request.header("Content-Type", "application/x-git-receive-pack-request");
        stream
            .write_all(format!("{}\r\n", request.head()).as_bytes())
            .await
            .unwrap();
        let mut answer = vec![0; expected.len()];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(String::from_utf8(answer).unwrap(), expected);
    }
}

#[tokio::test]
async fn the_dumb_protocol() {
    let forge = with_project(true).await;
    for repository in ["project", "unknown"] {
        for file in [
            "info/refs",
            "HEAD",
            "objects/info/packs",
            "info/refs?service=git-upload-archive",
        ] {
            let answer = forge.get(&format!("/alice/{repository}.git/{file}")).await;
            assert_eq!(answer.status, 403, "{file}");
        }
    }
}

#[tokio::test]
async fn a_request_that_is_none() {
    let forge = TestForge::start().await;
    for nonsense in [
        "GET / HTTP/9\r\n\r\n",
        "\0\0\0\r\n\r\n",
        "GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(forge.address).await.unwrap();
        stream.write_all(nonsense.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer).await;
        let text = String::from_utf8_lossy(&answer);
        assert!(
            answer.is_empty() || text.starts_with("HTTP/1.1 4"),
            "{text}"
        );
    }
    let many = Request::get("/").header("X-Large", &"a".repeat(200 << 10));
    let answer = many.send(forge.address).await;
    assert_eq!(answer.status, 431);
    assert_eq!(forge.get("/healthz").await.status, 200);
}

fn quarantines(forge: &TestForge) -> usize {
    std::fs::read_dir(forge.cache().join("quarantine"))
        .unwrap()
        .count()
}

/// No quarantine, no download, no pack.
fn assert_nothing_is_left(forge: &TestForge) {
    for directory in ["quarantine", "incoming", "evicted"] {
        let left: Vec<_> = std::fs::read_dir(forge.cache().join(directory))
            .unwrap()
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
    let repositories = std::fs::read_dir(forge.cache().join("repositories"))
        .unwrap()
        .flatten();
    for repository in repositories {
        let packs = repository.path().join("objects/pack");
        let left: Vec<_> = std::fs::read_dir(packs).into_iter().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// Waits, for a while, until something is so that the server does by itself.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within five seconds: {what}");
}
