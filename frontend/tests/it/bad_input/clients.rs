//! Clients that behave strangely.

use super::{FETCH, assert_nothing_is_left, eventually, quarantines, with_project};
use crate::forge::TestForge;
use crate::git::{commit, git, sample};
use crate::http::Request;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

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
