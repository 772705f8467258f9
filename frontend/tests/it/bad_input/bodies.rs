//! Bodies over their limits.

use super::{FETCH, gzip, with_project};
use crate::http::Request;
use serde_json::json;

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
