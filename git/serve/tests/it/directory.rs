//! What only a plain directory has: reflogs and namespaces.

use git_serve::bare::Caller;
use git_serve::cgi::CgiEnvironment;

use crate::dumb_http::{environment, request};
use crate::sandbox::{Sandbox, server_program};

/// A push over pipes with something set in the server's environment.
fn push(sandbox: &Sandbox, setting: &str, refspecs: &[&str]) {
    let (work, served) = (sandbox.path("work.git"), sandbox.path("served.git"));
    let program = server_program();
    let receive = format!(
        "--receive-pack=env {setting} {} receive-pack",
        program.display()
    );
    let mut arguments = vec!["push", "-q", &receive, served.to_str().unwrap()];
    arguments.extend(refspecs);
    sandbox.at(&work, &arguments);
}

#[test]
fn git_reads_the_reflog_of_pushes() {
    let sandbox = Sandbox::new();
    let work = sandbox.history("work.git", 12);
    let served = sandbox.init("served.git", "sha1");
    push(&sandbox, "X=", &["main~1:refs/heads/main"]);
    assert!(
        !served.join("logs").exists(),
        "a bare repository keeps none"
    );
    sandbox.at(&served, &["config", "core.logAllRefUpdates", "true"]);
    push(
        &sandbox,
        "GIT_COMMITTER_NAME=Someone",
        &["main", "main:refs/heads/gone"],
    );
    push(&sandbox, "GIT_COMMITTER_NAME=", &[":refs/heads/gone"]);
    let show = |name: &str| {
        let format = "--format=%H %gn <%ge> %gs";
        sandbox.at(&served, &["log", "-g", format, name])
    };
    let main = sandbox.id(&work, "main");
    let expected = format!("{main} Someone <a@example.org> push\n");
    assert_eq!(show("main"), expected);
    assert_eq!(show("HEAD"), expected, "HEAD points to main");
    assert!(!served.join("logs/refs/heads/gone").exists());
    sandbox.at(&served, &["reflog", "exists", "refs/heads/main"]);
}

#[test]
fn a_namespace_is_pushed_to_and_served_as_if_it_were_all() {
    let sandbox = Sandbox::new();
    let work = sandbox.history("work.git", 12);
    let served = sandbox.init("served.git", "sha1");
    push(&sandbox, "X=", &["main"]);
    let tip = sandbox.id(&work, "main~3");
    push(&sandbox, "GIT_NAMESPACE=n", &["main~3:refs/heads/main"]);
    let inside = "refs/namespaces/n/refs/heads/main";
    assert_eq!(sandbox.id(&served, inside), tip);
    sandbox.at(&served, &["symbolic-ref", "refs/namespaces/n/HEAD", inside]);
    push(&sandbox, "GIT_NAMESPACE=n", &["+main~2:refs/heads/main"]);
    let tip = sandbox.id(&work, "main~2");

    let upload = format!(
        "env GIT_NAMESPACE=n {} upload-pack",
        server_program().display()
    );
    let upload = format!("--upload-pack={upload}");
    let shown = sandbox.ok(&["ls-remote", "--symref", &upload, served.to_str().unwrap()]);
    let expected = format!("ref: refs/heads/main\tHEAD\n{tip}\tHEAD\n{tip}\trefs/heads/main\n");
    assert_eq!(shown, expected);

    let dumb = |file: &str, namespace: &str| {
        let environment = CgiEnvironment {
            caller: Caller {
                namespace: Some(namespace.to_owned()),
                ..Caller::default()
            },
            ..environment(&sandbox.path(""), "GET", file)
        };
        let (head, body) = request(&environment, b"");
        (head, String::from_utf8(body).unwrap())
    };
    let refs = format!("{tip}\trefs/heads/main\n");
    assert_eq!(dumb("info/refs", "n").1, refs);
    assert_eq!(dumb("HEAD", "n").1, "ref: refs/heads/main\n");
    assert!(dumb("HEAD", "a..b").0.contains("Status: 500"));
}
