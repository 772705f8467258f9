//! What people do with git, done with real git.

use crate::forge::TestForge;
use crate::git::{commit, fails, git, inventory, sample};
use crate::http::Request;

/// A forge with alice's public repository `project`, filled from `work`.
pub(crate) async fn filled() -> TestForge {
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    create(&forge, &alice, "project", false).await;
    let work = forge.path("work");
    sample(&work).await;
    git(
        &work,
        &[
            "remote",
            "add",
            "origin",
            &forge.url("alice", "alice/project.git"),
        ],
    )
    .await;
    git(&work, &["push", "-q", "--all", "origin"]).await;
    git(&work, &["push", "-q", "--tags", "origin"]).await;
    forge
}

pub(crate) async fn create(forge: &TestForge, owner: &domain::User, name: &str, is_private: bool) {
    let new = domain::repositories::NewRepository {
        name,
        description: "",
        is_private,
        default_branch: None,
        hash: git_id::HashKind::Sha1,
    };
    forge
        .forge
        .repositories
        .create(owner.into(), new)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_pushed_is_cloned_identical_over_every_protocol_version() {
    let forge = filled().await;
    let work = forge.path("work");
    for version in ["0", "1", "2"] {
        let clone = forge.path(&format!("clone{version}"));
        let url = forge.anonymous_url("alice/project.git");
        let protocol = format!("protocol.version={version}");
        let target = clone.to_str().unwrap();
        git(
            forge.scratch.path(),
            &["-c", &protocol, "clone", "-q", "--mirror", &url, target],
        )
        .await;
        git(&clone, &["fsck", "--strict", "--no-dangling"]).await;
        assert_eq!(
            inventory(&clone).await,
            inventory(&work).await,
            "version {version}"
        );
        assert_eq!(
            git(&clone, &["symbolic-ref", "HEAD"]).await,
            "refs/heads/main"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fetches_bring_what_is_new() {
    let forge = filled().await;
    let (work, clone) = (forge.path("work"), forge.path("clone"));
    let url = forge.anonymous_url("alice/project");
    git(
        forge.scratch.path(),
        &["clone", "-q", &url, clone.to_str().unwrap()],
    )
    .await;
    for number in 0..3 {
        commit(&work, "new.txt", &number.to_string()).await;
        git(&work, &["push", "-q", "origin", "main"]).await;
        git(&clone, &["pull", "-q", "--ff-only"]).await;
        let (there, here) = (
            git(&work, &["rev-parse", "HEAD"]).await,
            git(&clone, &["rev-parse", "HEAD"]).await,
        );
        assert_eq!(there, here);
    }
    let shallow = forge.path("shallow");
    git(
        forge.scratch.path(),
        &["clone", "-q", "--depth=1", &url, shallow.to_str().unwrap()],
    )
    .await;
    assert_eq!(git(&shallow, &["rev-list", "--count", "HEAD"]).await, "1");
    git(&shallow, &["fetch", "-q", "--unshallow"]).await;
    assert_eq!(git(&shallow, &["rev-list", "--count", "HEAD"]).await, "9");
}

#[tokio::test(flavor = "multi_thread")]
async fn branches_are_forced_deleted_and_pushed_atomically() {
    let forge = filled().await;
    let work = forge.path("work");
    git(&work, &["reset", "-q", "--hard", "HEAD~1"]).await;
    commit(&work, "other.txt", "another history").await;
    let refused = fails(&work, &["push", "origin", "main"]).await;
    assert!(refused.contains("rejected"), "{refused}");
    git(&work, &["push", "-q", "--force", "origin", "main"]).await;
    git(
        &work,
        &[
            "push",
            "-q",
            "origin",
            ":feature/x",
            "main:refs/heads/a",
            "main:refs/heads/b",
        ],
    )
    .await;
    let remote = git(&work, &["ls-remote", "--heads", "origin"]).await;
    let names: Vec<&str> = remote
        .lines()
        .map(|line| line.split('\t').nth(1).unwrap())
        .collect();
    assert_eq!(names, ["refs/heads/a", "refs/heads/b", "refs/heads/main"]);
    // One name is a directory of the other: none of both is made.
    let atomic = [
        "push",
        "--atomic",
        "origin",
        "main:refs/heads/c",
        "main:refs/heads/a/b",
    ];
    let refused = fails(&work, &atomic).await;
    assert!(refused.contains("a/b"), "{refused}");
    assert!(
        !git(&work, &["ls-remote", "--heads", "origin"])
            .await
            .contains("refs/heads/c")
    );
    let apart = fails(
        &work,
        &["push", "origin", "main:refs/heads/c", "main:refs/heads/a/b"],
    )
    .await;
    assert!(apart.contains("conflict"), "{apart}");
    assert!(
        git(&work, &["ls-remote", "--heads", "origin"])
            .await
            .contains("refs/heads/c")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_old_value_is_refused_and_the_other_commands_succeed() {
    let forge = filled().await;
    let work = forge.path("work");
    let tip = git(&work, &["rev-parse", "HEAD"]).await;
    let stale = git(&work, &["rev-parse", "HEAD~1"]).await;
    let older = git(&work, &["rev-parse", "HEAD~2"]).await;
    let commands = [
        format!("{stale} {older} refs/heads/main"),
        format!("{NULL} {tip} refs/heads/new"),
    ];
    let answer = forge.send(push_request(&commands, "report-status")).await;
    let said = answer.text();
    assert_eq!(answer.status, 200, "{said}");
    assert!(
        said.contains("ng refs/heads/main incorrect old value provided"),
        "{said}"
    );
    assert!(said.contains("ok refs/heads/new"), "{said}");
    let atomic = [
        format!("{stale} {older} refs/heads/main"),
        format!("{NULL} {tip} refs/heads/newer"),
    ];
    let said = forge
        .send(push_request(&atomic, "report-status atomic"))
        .await
        .text();
    assert!(said.contains("ng refs/heads/newer"), "{said}");
    let remote = git(&work, &["ls-remote", "origin"]).await;
    assert!(
        remote.contains("refs/heads/new") && !remote.contains("refs/heads/newer"),
        "{remote}"
    );
    assert!(
        remote.contains(&format!("{tip}\trefs/heads/main")),
        "{remote}"
    );
}

/// No object.
pub(crate) const NULL: &str = "0000000000000000000000000000000000000000";

/// A push of alice to her project with these commands and an empty pack.
pub(crate) fn push_request(commands: &[String], capabilities: &str) -> Request {
    let mut body = command_lines(commands, capabilities);
    body.extend_from_slice(b"PACK\0\0\0\x02\0\0\0\0");
    let trailer = "029d08823bd8a8eab510ad6ac75c823cfd3ed31e";
    let byte = |at: usize| u8::from_str_radix(&trailer[at * 2..at * 2 + 2], 16).unwrap();
    body.extend((0..20).map(byte));
    Request::new("POST", "/alice/project.git/git-receive-pack")
        .by("alice")
        .body("application/x-git-receive-pack-request", body)
}

/// The same of commands that only delete: there is no pack.
fn delete_request(commands: &[String]) -> Request {
    let body = command_lines(commands, "report-status delete-refs");
    Request::new("POST", "/alice/project.git/git-receive-pack")
        .by("alice")
        .body("application/x-git-receive-pack-request", body)
}

fn command_lines(commands: &[String], capabilities: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for (number, command) in commands.iter().enumerate() {
        let capabilities = if number == 0 {
            format!("\0 {capabilities}")
        } else {
            String::new()
        };
        let line = format!("{command}{capabilities}\n");
        body.extend_from_slice(format!("{:04x}{line}", line.len() + 4).as_bytes());
    }
    body.extend_from_slice(b"0000");
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_was_forced_away_is_in_no_later_clone() {
    let mut forge = filled().await;
    let work = forge.path("work");
    commit(&work, "secret.txt", "the password is swordfish").await;
    git(&work, &["push", "-q", "origin", "main"]).await;
    let secret = git(&work, &["rev-parse", "HEAD:secret.txt"]).await;
    let commit_id = git(&work, &["rev-parse", "HEAD"]).await;
    git(&work, &["reset", "-q", "--hard", "HEAD~1"]).await;
    git(&work, &["push", "-q", "--force", "origin", "main"]).await;
    for cache in ["first", "empty"] {
        forge.restart(cache).await;
        for version in ["0", "2"] {
            let clone = forge.path(&format!("clone-{cache}-{version}"));
            let url = forge.anonymous_url("alice/project.git");
            let protocol = format!("protocol.version={version}");
            let target = clone.to_str().unwrap();
            git(
                forge.scratch.path(),
                &["-c", &protocol, "clone", "-q", "--mirror", &url, target],
            )
            .await;
            fails(&clone, &["cat-file", "-e", &secret]).await;
            let refused = fails(&clone, &["-c", &protocol, "fetch", &url, &commit_id]).await;
            assert!(
                refused.contains("not our ref") || refused.contains("unadvertised"),
                "{refused}"
            );
            fails(&clone, &["fetch", &url, &secret]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_to_ones_own_namespace_makes_a_private_repository() {
    let forge = TestForge::start().await;
    let (alice, _bob) = (forge.user("alice").await, forge.user("bob").await);
    let work = forge.path("work");
    sample(&work).await;
    let url = forge.url("alice", "alice/Fresh.git");
    git(&work, &["push", "-q", &url, "main"]).await;
    let made = forge
        .forge
        .repositories
        .find("alice", "fresh")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (made.name.as_str(), made.is_private, made.owner.id),
        ("Fresh", true, alice.id)
    );
    let elsewhere = fails(
        &work,
        &["push", &forge.url("bob", "alice/other.git"), "main"],
    )
    .await;
    assert!(elsewhere.contains("not found"), "{elsewhere}");
    let anonymous = fails(
        &work,
        &["push", &forge.anonymous_url("alice/other.git"), "main"],
    )
    .await;
    assert!(anonymous.contains("could not read Username"), "{anonymous}");
    // A fetch makes nothing.
    fails(&work, &["ls-remote", &forge.url("alice", "alice/none.git")]).await;
    assert!(
        forge
            .forge
            .repositories
            .find("alice", "none")
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_has_everything_and_goes_its_own_way() {
    let forge = filled().await;
    let bob = forge.user("bob").await;
    let original = forge
        .forge
        .repositories
        .find("alice", "project")
        .await
        .unwrap()
        .unwrap();
    forge
        .forge
        .repositories
        .fork(&original, (&bob).into(), None)
        .await
        .unwrap();
    let clone = forge.path("fork");
    let url = forge.url("bob", "bob/project.git");
    git(
        forge.scratch.path(),
        &["clone", "-q", &url, clone.to_str().unwrap()],
    )
    .await;
    let work = forge.path("work");
    assert_eq!(
        git(&clone, &["rev-parse", "HEAD"]).await,
        git(&work, &["rev-parse", "HEAD"]).await
    );
    commit(&clone, "mine.txt", "of the fork").await;
    git(&clone, &["push", "-q", "origin", "main"]).await;
    let theirs = git(&work, &["ls-remote", "origin", "main"]).await;
    assert!(!theirs.starts_with(&git(&clone, &["rev-parse", "HEAD"]).await));
    forge.forge.repositories.delete(&original).await.unwrap();
    let again = forge.path("again");
    git(
        forge.scratch.path(),
        &["clone", "-q", &url, again.to_str().unwrap()],
    )
    .await;
    assert_eq!(
        git(&again, &["rev-parse", "HEAD"]).await,
        git(&clone, &["rev-parse", "HEAD"]).await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sha256_repository_is_pushed_and_cloned() {
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    let new = domain::repositories::NewRepository {
        name: "wide",
        description: "",
        is_private: false,
        default_branch: None,
        hash: git_id::HashKind::Sha256,
    };
    forge
        .forge
        .repositories
        .create((&alice).into(), new)
        .await
        .unwrap();
    let work = forge.path("work");
    std::fs::create_dir_all(&work).unwrap();
    git(&work, &["init", "-q", "--object-format=sha256"]).await;
    commit(&work, "a.txt", "wide").await;
    git(
        &work,
        &["push", "-q", &forge.url("alice", "alice/wide.git"), "main"],
    )
    .await;
    let clone = forge.path("clone");
    let url = forge.anonymous_url("alice/wide.git");
    git(
        forge.scratch.path(),
        &["clone", "-q", &url, clone.to_str().unwrap()],
    )
    .await;
    assert_eq!(
        git(&clone, &["rev-parse", "HEAD"]).await,
        git(&work, &["rev-parse", "HEAD"]).await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_larger_than_the_post_buffer_is_probed_and_sent_in_chunks() {
    let forge = TestForge::start().await;
    forge.user("alice").await;
    let work = forge.path("work");
    sample(&work).await;
    // Incompressible, so that the pack exceeds the buffer.
    let mut state = 1_u64;
    let noise: String = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        char::from(b'!' + (state >> 57) as u8 % 90)
    })
    .take(400_000)
    .collect();
    commit(&work, "noise.txt", &noise).await;
    let url = forge.url("alice", "alice/large.git");
    git(
        &work,
        &["-c", "http.postBuffer=65536", "push", "-q", &url, "main"],
    )
    .await;
    let clone = forge.path("clone");
    git(
        forge.scratch.path(),
        &["clone", "-q", &url, clone.to_str().unwrap()],
    )
    .await;
    assert_eq!(
        std::fs::read_to_string(clone.join("noise.txt")).unwrap(),
        noise
    );
}

/// Not by git, which takes a minute to match so many refs.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_refs_are_pushed_at_once() {
    let forge = filled().await;
    let work = forge.path("work");
    let tip = git(&work, &["rev-parse", "HEAD"]).await;
    let create = |number| format!("{NULL} {tip} refs/tags/many/{number:05}");
    let commands: Vec<String> = (0..10_000).map(create).collect();
    let said = forge
        .send(push_request(&commands, "report-status"))
        .await
        .text();
    assert_eq!(said.matches("ok refs/tags/many/").count(), 10_000);
    let remote = git(&work, &["ls-remote", "--tags", "origin"]).await;
    assert_eq!(remote.matches("refs/tags/many/").count(), 10_000);
    let clone = forge.path("clone");
    let url = forge.anonymous_url("alice/project.git");
    git(
        forge.scratch.path(),
        &["clone", "-q", &url, clone.to_str().unwrap()],
    )
    .await;
    let delete = |number| format!("{tip} {NULL} refs/tags/many/{number:05}");
    let commands: Vec<String> = (0..10_000).map(delete).collect();
    let said = forge.send(delete_request(&commands)).await.text();
    assert_eq!(said.matches("ok refs/tags/many/").count(), 10_000);
    let remote = git(&work, &["ls-remote", "--tags", "origin"]).await;
    assert_eq!(remote.matches("refs/tags/many/").count(), 0);
}
