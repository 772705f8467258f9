//! Clients that behave strangely.

use std::time::Duration;

use frontend::limits::{HTTP_BUFFER_BYTES, PACE_WINDOW, STALL_WINDOW, TURN_PATIENCE};
use runtime::Runtime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::{
    FETCH, assert_nothing_is_left, eventually, quarantines, with_project,
    with_project_in_slow_motion,
};
use crate::forge::TestForge;
use crate::git::{commit, git, sample};
use crate::http::Request;

/// More than what the system keeps of an answer for a client that does not read, in bytes.
const SYSTEM_BUFFERS: usize = 8 << 20;

/// Sends the head of a push and the first bytes of its pack.
async fn begin_push(forge: &TestForge) -> TcpStream {
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
    stream
}

/// Pushes more than the system's buffers hold; gives the request that fetches it.
async fn push_noise(forge: &TestForge) -> String {
    let work = forge.path("work");
    sample(&work).await;
    let mut noise = vec![0; SYSTEM_BUFFERS + (8 << 20)];
    Runtime::simulated(1).0.random.fill(&mut noise);
    std::fs::write(work.join("noise"), noise).unwrap();
    commit(&work, "a.txt", "a").await;
    let url = forge.url("alice", "alice/project.git");
    git(&work, &["push", "-q", &url, "main"]).await;
    let tip = git(&work, &["rev-parse", "HEAD"]).await;
    let body = format!("0011command=fetch00010032want {tip}\n0009done\n0000");
    let request = Request::new("POST", "/alice/project.git/git-upload-pack")
        .by("alice")
        .header("Git-Protocol", "version=2")
        .body(FETCH, body.clone());
    format!("{}\r\n{body}", request.head())
}

const ADMITTED: &str = "devflow_frontend_admitted{kind=\"fetch\"} ";
const WAITING: &str = "devflow_frontend_waiting{kind=\"fetch\"} ";

/// What a metric is now.
async fn metric(forge: &TestForge, name: &str) -> usize {
    let metrics = forge.get("/metrics").await.text();
    let value = metrics.lines().find_map(|line| line.strip_prefix(name));
    value.unwrap().parse().unwrap()
}

/// Waits until a metric has that value.
async fn until(forge: &TestForge, name: &str, value: usize) {
    for _ in 0..3_000 {
        if metric(forge, name).await == value {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{name} did not become {value} within a minute");
}

#[tokio::test(flavor = "multi_thread")]
async fn client_that_stops_in_the_middle_of_a_push() {
    let forge = with_project(false).await;
    let stream = begin_push(&forge).await;
    eventually("a quarantine is made", || quarantines(&forge) == 1).await;
    drop(stream);
    eventually("the quarantine is gone", || quarantines(&forge) == 0).await;
    assert_nothing_is_left(&forge);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_leave_in_the_middle_of_a_clone() {
    let forge = with_project(false).await;
    let fetch = push_noise(&forge).await;
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(forge.address).await.unwrap();
        stream.write_all(fetch.as_bytes()).await.unwrap();
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
    until(&forge, ADMITTED, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn client_that_asks_for_more_than_its_share() {
    let (forge, clock) = with_project_in_slow_motion().await;
    let fetch = push_noise(&forge).await;
    // Of eight units it may have four, and a fetch of so many bytes takes two.
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(forge.address).await.unwrap();
        stream.write_all(fetch.as_bytes()).await.unwrap();
        stream.read_exact(&mut [0; 1]).await.unwrap();
        streams.push(stream);
    }
    let clone = forge.path("clone");
    let url = forge.anonymous_url("alice/project.git");
    let clone = ["clone", "-q", &url, clone.to_str().unwrap()];
    git(forge.scratch.path(), &clone).await;
    let mut third = TcpStream::connect(forge.address).await.unwrap();
    third.write_all(fetch.as_bytes()).await.unwrap();
    until(&forge, WAITING, 1).await;
    clock.advance(TURN_PATIENCE);
    let mut answer = Vec::new();
    third.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
    assert!(
        answer.to_ascii_lowercase().contains("retry-after: 5"),
        "{answer}"
    );
    assert!(answer.contains("too many requests of yours"), "{answer}");
    drop(streams);
}

#[tokio::test(flavor = "multi_thread")]
async fn client_that_reads_one_byte_a_second() {
    let (forge, clock) = with_project_in_slow_motion().await;
    let fetch = push_noise(&forge).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(forge.address).await.unwrap();
    stream.write_all(fetch.as_bytes()).await.unwrap();
    stream.read_exact(&mut [0; 1]).await.unwrap();
    let mut seconds: u64 = 0;
    while metric(&forge, ADMITTED).await > 0 {
        if stream.read_exact(&mut [0; 1]).await.is_err() {
            break;
        }
        clock.advance(Duration::from_secs(1));
        seconds += 1;
        let limit = 3 * STALL_WINDOW.as_secs();
        assert!(seconds < limit, "still served after {seconds} seconds");
    }
    assert!(seconds >= STALL_WINDOW.as_secs(), "cut after {seconds}");
    let mut rest = Vec::new();
    let _reset = stream.read_to_end(&mut rest).await;
    assert!(rest.len() < SYSTEM_BUFFERS, "it got all of the answer");
    assert!(
        !rest.ends_with(b"0\r\n\r\n"),
        "an answer that is cut off does not look whole"
    );
}

/// What follows `PACK`: version 2, one object, a blob of 65,535 bytes, not compressed.
const START_OF_PACK: &[u8] = b"\0\0\0\x02\0\0\0\x01\xbf\xff\x1f\x78\x01\x01\xff\xff\0\0";

#[tokio::test(flavor = "multi_thread")]
async fn client_that_sends_one_byte_a_second() {
    let (forge, clock) = with_project_in_slow_motion().await;
    let mut stream = begin_push(&forge).await;
    eventually("a quarantine is made", || quarantines(&forge) == 1).await;
    let mut answer = Vec::new();
    let mut seconds: u64 = 0;
    while quarantines(&forge) > 0 {
        let byte = *START_OF_PACK.get(seconds as usize).unwrap_or(&b'x');
        if stream.write_all(&[byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
        clock.advance(Duration::from_secs(1));
        seconds += 1;
        let limit = 3 * PACE_WINDOW.as_secs();
        assert!(seconds < limit, "still served after {seconds} seconds");
    }
    assert!(seconds >= PACE_WINDOW.as_secs(), "cut after {seconds}");
    let reading = stream.read_to_end(&mut answer);
    let _reset = timeout(Duration::from_secs(5), reading).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.contains("too slowly"), "{answer}");
    eventually("the quarantine is gone", || quarantines(&forge) == 0).await;
    assert_nothing_is_left(&forge);
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
    // Far over the limit: the server reads in pieces, and what fits one piece more may pass.
    let head = Request::get("/").header("X-Large", &"a".repeat(8 * HTTP_BUFFER_BYTES));
    let mut stream = TcpStream::connect(forge.address).await.unwrap();
    let _refused = stream.write_all(head.head().as_bytes()).await;
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431 "));
    assert_eq!(forge.get("/healthz").await.status, 200);
}
