//! The CGI backend beside the smart protocol.

use std::path::Path;

use git_serve::cgi::{CgiEnvironment, http_backend};

use crate::sandbox::Sandbox;

pub(crate) fn environment(root: &Path, method: &str, target: &str) -> CgiEnvironment {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    CgiEnvironment {
        request_method: method.to_owned(),
        path_info: format!("/served.git/{path}"),
        git_project_root: root.to_str().unwrap().to_owned(),
        query_string: query.to_owned(),
        server_protocol: "HTTP/1.1".to_owned(),
        export_all: true,
        ..CgiEnvironment::default()
    }
}

pub(crate) fn request(environment: &CgiEnvironment, body: &[u8]) -> (String, Vec<u8>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut response = Vec::new();
    // What the client sees is judged, not what goes to the log.
    let _ = runtime.block_on(http_backend(environment, body, &mut response));
    let end = response
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap()
        + 4;
    let body = response.split_off(end);
    (String::from_utf8(response).unwrap(), body)
}

fn status(environment: &CgiEnvironment) -> String {
    let (head, _) = request(environment, b"");
    head.lines()
        .find_map(|line| line.strip_prefix("Status: "))
        .unwrap_or("200 OK")
        .to_owned()
}

#[test]
fn a_dumb_client_clones() {
    let sandbox = Sandbox::new();
    let served = sandbox.history("served.git", 20);
    let url = sandbox.url(crate::sandbox::Over::Http, "served.git");
    let copy = sandbox.path("copy");
    let program = ["clone", "-q", "--mirror", &url, copy.to_str().unwrap()];
    let mut command = std::process::Command::new("git");
    command.args(program).env("GIT_SMART_HTTP", "0");
    let home = sandbox.path("");
    let command = crate::sandbox::isolated(&mut command, &home).env("GIT_SMART_HTTP", "0");
    crate::sandbox::run_with_input(command, b"").expect_ok();
    sandbox.assert_same(&served, &copy);
}

#[test]
fn statuses_are_those_of_git_http_backend() {
    let sandbox = Sandbox::new();
    let served = sandbox.history("served.git", 5);
    let root = sandbox.path("");
    let receive = "info/refs?service=git-receive-pack";
    let cases = [
        ("GET", "HEAD", "200 OK"),
        ("HEAD", "info/refs", "200 OK"),
        ("GET", "info/refs?service=git-upload-pack", "200 OK"),
        ("GET", receive, "403 Forbidden"),
        ("GET", "info/refs?service=git-x", "403 Forbidden"),
        ("POST", "git-receive-pack", "403 Forbidden"),
        ("POST", "git-upload-pack", "415 Unsupported Media Type"),
        ("GET", "git-upload-pack", "405 Method Not Allowed"),
        ("POST", "HEAD", "405 Method Not Allowed"),
        ("GET", "config", "404 Not Found"),
        ("GET", "objects/info/alternates", "404 Not Found"),
        ("GET", "../served.git/HEAD", "404 Not Found"),
    ];
    for (method, target, expected) in cases {
        assert_eq!(
            status(&environment(&root, method, target)),
            expected,
            "{method} {target}"
        );
    }
    let user = CgiEnvironment {
        remote_user: "a".into(),
        ..environment(&root, "GET", receive)
    };
    assert_eq!(status(&user), "200 OK");
    let private = CgiEnvironment {
        export_all: false,
        ..environment(&root, "GET", "HEAD")
    };
    assert_eq!(status(&private), "404 Not Found");
    std::fs::write(served.join("git-daemon-export-ok"), b"").unwrap();
    assert_eq!(status(&private), "200 OK");
    sandbox.at(&served, &["config", "http.receivepack", "true"]);
    assert_eq!(status(&environment(&root, "GET", receive)), "200 OK");
    sandbox.at(&served, &["config", "http.receivepack", "false"]);
    assert_eq!(status(&user), "403 Forbidden");
    sandbox.at(&served, &["config", "http.getanyfile", "false"]);
    assert_eq!(status(&environment(&root, "GET", "HEAD")), "403 Forbidden");
}

#[test]
fn a_probe_is_answered_and_broken_bodies_have_a_status() {
    let sandbox = Sandbox::new();
    sandbox.history("served.git", 5);
    let root = sandbox.path("");
    let post = |encoding: &str| CgiEnvironment {
        content_type: "application/x-git-upload-pack-request".to_owned(),
        content_encoding: encoding.to_owned(),
        ..environment(&root, "POST", "git-upload-pack")
    };
    let (head, body) = request(&post(""), b"0000");
    assert!(
        head.contains("Content-Type: application/x-git-upload-pack-result\r\n"),
        "{head}"
    );
    assert!(head.contains("Cache-Control: no-cache") && body.is_empty());
    let (head, _) = request(&post("gzip"), b"this is not gzip");
    assert!(head.starts_with("Status: 400 Bad Request"), "{head}");
    let (_, body) = request(&post(""), b"0005x");
    assert!(
        body.starts_with(b"003aERR "),
        "{}",
        String::from_utf8_lossy(&body)
    );
}
