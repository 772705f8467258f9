use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde_json::json;

use crate::harness::{ADMINISTRATOR, Git, Http, Summary};

/// A user's day against the forge at `base`, with the history in `source`.
///
/// Leaves its clones in `work`. Fails at the first difference between what was
/// pushed and what came back.
pub fn everyday(base: &str, source: &Path, work: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(work)?;
    let day = Day {
        http: Http::new(base),
        base,
        work,
    };
    let repository = json!({"name": "history", "private": true});
    day.http
        .call("POST", "/api/v1/user/repos", Some(&repository))?;
    let url = day.url("history");

    let mirror = Git::at(work);
    mirror.run(&[
        "clone",
        "--quiet",
        "--mirror",
        &source.to_string_lossy(),
        "mirror",
    ])?;
    let mirror = Git::at(work.join("mirror"));
    mirror.run(&[
        "push",
        "--quiet",
        &url,
        "refs/heads/*:refs/heads/*",
        "refs/tags/*:refs/tags/*",
    ])?;
    let pushed = mirror.summary()?;
    for version in [0, 1, 2] {
        let cloned = day.clone_mirror(&url, &format!("clone-v{version}"), version)?;
        ensure!(
            cloned == pushed,
            "a clone by protocol {version} differs from what was pushed"
        );
    }
    println!("  pushed whole, cloned by protocols 0, 1 and 2: identical");

    let user = day.checkout(&url, "user")?;
    fetch_what_another_pushed(&day, &user, &url)?;
    force_push_hides_what_was_there(&day, &user, &url)?;
    branches_and_tags(&day, &user, &url)?;
    shallow_and_deepened(&day, &url)?;
    atomic_or_not(&day, &user, &url)?;
    push_to_create(&day, &user)?;
    fork(&day, &url)
}

struct Day<'a> {
    http: Http,
    base: &'a str,
    work: &'a Path,
}

impl Day<'_> {
    fn url(&self, repository: &str) -> String {
        Git::url(self.base, &format!("{ADMINISTRATOR}/{repository}.git"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.work.join(name)
    }

    fn clone_mirror(&self, url: &str, name: &str, version: u8) -> anyhow::Result<Summary> {
        Git::at(self.work)
            .speaking(version)
            .run(&["clone", "--quiet", "--mirror", url, name])?;
        Git::at(self.path(name)).summary()
    }

    fn checkout(&self, url: &str, name: &str) -> anyhow::Result<Git> {
        Git::at(self.work).run(&["clone", "--quiet", url, name])?;
        Ok(Git::at(self.path(name)))
    }

    /// The refs that the server shows.
    fn remote_refs(&self, url: &str) -> anyhow::Result<String> {
        Git::at(self.work).run(&["ls-remote", url])
    }
}

fn fetch_what_another_pushed(day: &Day<'_>, user: &Git, url: &str) -> anyhow::Result<()> {
    let other = day.checkout(url, "other")?;
    for version in [0, 1, 2] {
        let commit = user.commit("notes.txt", &format!("by protocol {version}\n"))?;
        user.clone()
            .speaking(version)
            .run(&["push", "--quiet", "origin", "HEAD"])?;
        other
            .clone()
            .speaking(version)
            .run(&["pull", "--quiet", "--ff-only"])?;
        ensure!(
            other.run(&["rev-parse", "HEAD"])?.trim() == commit,
            "the fetch missed a push"
        );
        other.summary()?;
    }
    println!("  pushed and fetched one commit by each protocol");
    Ok(())
}

fn force_push_hides_what_was_there(day: &Day<'_>, user: &Git, url: &str) -> anyhow::Result<()> {
    let secret = user.commit("secret.txt", "the launch code is 00000000\n")?;
    user.run(&["push", "--quiet", "origin", "HEAD:refs/heads/leak"])?;
    user.run(&["reset", "--quiet", "--hard", "HEAD~1"])?;
    user.commit("clean.txt", "nothing to see\n")?;
    let refused = user.output(&["push", "origin", "HEAD:refs/heads/leak"])?;
    ensure!(
        !refused.status.success(),
        "a push that is no fast-forward passed without --force"
    );
    user.run(&[
        "push",
        "--quiet",
        "--force",
        "origin",
        "HEAD:refs/heads/leak",
    ])?;
    day.clone_mirror(url, "after-leak", 2)?;
    let after = Git::at(day.path("after-leak"));
    let found = after.output(&["cat-file", "-e", &secret])?;
    ensure!(
        !found.status.success(),
        "a secret that was force-pushed away is in a later clone"
    );
    println!("  force-pushed a secret away: in no later clone");
    Ok(())
}

fn branches_and_tags(day: &Day<'_>, user: &Git, url: &str) -> anyhow::Result<()> {
    user.run(&["tag", "plain"])?;
    user.run(&["tag", "--annotate", "--message", "signed off", "annotated"])?;
    user.run(&[
        "push",
        "--quiet",
        "origin",
        "plain",
        "annotated",
        "HEAD:refs/heads/topic",
    ])?;
    let refs = day.remote_refs(url)?;
    for name in [
        "refs/tags/plain",
        "refs/tags/annotated",
        "refs/tags/annotated^{}",
        "refs/heads/topic",
    ] {
        ensure!(
            refs.lines()
                .any(|line| line.ends_with(&format!("\t{name}"))),
            "{name} is missing"
        );
    }
    user.run(&[
        "push",
        "--quiet",
        "origin",
        ":refs/heads/topic",
        ":refs/heads/leak",
        ":refs/tags/plain",
    ])?;
    let refs = day.remote_refs(url)?;
    ensure!(
        !refs.contains("refs/heads/topic") && !refs.contains("refs/tags/plain"),
        "a deleted ref is still shown"
    );
    let branches = day.http.call(
        "GET",
        &format!("/api/v1/repos/{ADMINISTRATOR}/history/branches?limit=50"),
        None,
    )?;
    let names: Vec<&str> = branches
        .as_array()
        .context("branches are a list")?
        .iter()
        .filter_map(|branch| branch["name"].as_str())
        .collect();
    ensure!(
        names.contains(&"main") && !names.contains(&"topic"),
        "the API lists {names:?}"
    );
    println!("  tags and branches made and deleted; the API agrees");
    Ok(())
}

fn shallow_and_deepened(day: &Day<'_>, url: &str) -> anyhow::Result<()> {
    for version in [0, 2] {
        let name = format!("shallow-v{version}");
        Git::at(day.work)
            .speaking(version)
            .run(&["clone", "--quiet", "--depth", "1", url, &name])?;
        let shallow = Git::at(day.path(&name)).speaking(version);
        ensure!(
            shallow.run(&["rev-list", "--count", "HEAD"])?.trim() == "1",
            "depth 1 is not one commit"
        );
        shallow.run(&["fetch", "--quiet", "--depth", "5"])?;
        shallow.run(&["fetch", "--quiet", "--unshallow"])?;
        let whole = Git::at(day.path("other")).run(&["rev-list", "--count", "HEAD"])?;
        ensure!(
            shallow.run(&["rev-list", "--count", "HEAD"])? == whole,
            "unshallow did not bring all"
        );
        shallow.summary()?;
    }
    println!("  shallow, deepened, unshallowed");
    Ok(())
}

fn atomic_or_not(day: &Day<'_>, user: &Git, url: &str) -> anyhow::Result<()> {
    user.run(&["push", "--quiet", "origin", "HEAD~2:refs/heads/fixed"])?;
    user.commit("either.txt", "way\n")?;
    let before = day.remote_refs(url)?;
    let lease = "--force-with-lease=refs/heads/fixed:0123456789012345678901234567890123456789";
    let targets = ["HEAD:refs/heads/fresh", "HEAD:refs/heads/fixed"];
    let atomic = user.output(&["push", "--atomic", lease, "origin", targets[0], targets[1]])?;
    ensure!(
        !atomic.status.success(),
        "an atomic push with a stale lease passed"
    );
    ensure!(
        day.remote_refs(url)? == before,
        "a refused atomic push changed a ref"
    );
    let mixed = user.output(&["push", lease, "origin", targets[0], targets[1]])?;
    ensure!(!mixed.status.success(), "a push with a stale lease passed");
    let after = day.remote_refs(url)?;
    ensure!(
        after.contains("refs/heads/fresh"),
        "the good half of a push that is not atomic was refused"
    );
    println!("  atomic: all or none; otherwise each on its own");
    Ok(())
}

fn push_to_create(day: &Day<'_>, user: &Git) -> anyhow::Result<()> {
    let url = day.url("made-by-push");
    user.run(&["push", "--quiet", &url, "HEAD:refs/heads/main"])?;
    ensure!(
        day.remote_refs(&url)?.contains("refs/heads/main"),
        "push-to-create made nothing"
    );
    let answer = day.http.anonymous().send(
        "GET",
        &format!("/api/v1/repos/{ADMINISTRATOR}/made-by-push"),
        None,
    )?;
    ensure!(
        answer.status == 404,
        "a repository made by a push is public: {}",
        answer.status
    );
    println!("  pushed into a repository that was not there: made, private");
    Ok(())
}

fn fork(day: &Day<'_>, url: &str) -> anyhow::Result<()> {
    let body = json!({"name": "history-fork"});
    day.http.call(
        "POST",
        &format!("/api/v1/repos/{ADMINISTRATOR}/history/forks"),
        Some(&body),
    )?;
    let original = day.clone_mirror(url, "original", 2)?;
    let forked = day.clone_mirror(&day.url("history-fork"), "forked", 2)?;
    ensure!(original == forked, "a fork differs from its original");
    let user = day.checkout(&day.url("history-fork"), "fork-user")?;
    user.commit("only-in-fork.txt", "x\n")?;
    user.run(&["push", "--quiet", "origin", "HEAD"])?;
    ensure!(
        day.clone_mirror(url, "original-after", 2)? == original,
        "a push to a fork changed its original"
    );
    println!("  forked: identical, then apart");
    Ok(())
}
