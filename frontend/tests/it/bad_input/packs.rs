//! Packs that are not what they should be.

use super::{assert_nothing_is_left, with_project};
use crate::clone_and_push::create;
use crate::forge::TestForge;
use crate::git::{fails, git, sample};
use crate::http::Request;

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
async fn push_that_announces_more_than_it_may_have_is_refused_unread() {
    for (announced, most, status, word) in [
        (1_u64 << 40, 4_u64 << 30, 413, "push fewer commits"),
        (1 << 60, 1 << 61, 507, "disk"),
    ] {
        let forge = TestForge::start_with(|config| config.max_push_bytes = most).await;
        let alice = forge.user("alice").await;
        create(&forge, &alice, "project", false).await;
        let refused = Request::new("POST", "/alice/project.git/git-receive-pack")
            .by("alice")
            .header("Content-Type", "application/x-git-receive-pack-request")
            .header("Expect", "100-continue")
            .header("Content-Length", &announced.to_string())
            .send(forge.address)
            .await;
        assert_eq!(refused.status, status);
        let said = String::from_utf8(refused.body).unwrap();
        assert!(said.contains(word), "{said}");
        assert_nothing_is_left(&forge);
    }
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
