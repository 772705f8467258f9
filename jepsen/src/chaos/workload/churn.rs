use std::fmt::Write as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use rand::Rng;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::Shared;
use super::clones::clone;
use super::door::{Answer, Door, Request};
use super::packs::{run, url};
use crate::harness::Git;
use crate::history::{Action, Outcome};

/// How many contents there are: so few that what is pushed has often been there before, is
/// there still, or is just being collected.
const CONTENTS: usize = 4;
/// How long each is, in lines of 33 bytes: some chunks.
const LINES: usize = 12_000;
/// How many repositories are kept at a time.
const KEPT: usize = 3;
/// The pause between two rounds.
const PAUSE: Duration = Duration::from_millis(200);

/// A repository that is to be there in the end, whole.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// With its owner.
    pub(crate) repository: String,
    /// What its branch is at.
    pub(crate) commit: String,
}

/// Makes repositories, pushes the same few contents to them again and again, and purges
/// the oldest, so that collectors have something to drop that somebody is putting back.
/// Returns those that are kept.
pub(super) fn churn(shared: &Shared, directory: &Path) -> anyhow::Result<Vec<Kept>> {
    let mut random = rand::rng();
    let (git, commits) = contents(directory)?;
    let mut kept: Vec<Kept> = Vec::new();
    for round in 0.. {
        if !shared.is_running() {
            break;
        }
        let door = &shared.doors[random.random_range(0..shared.doors.len())];
        let content = random.random_range(0..CONTENTS);
        let name = format!("churn-{}-{round}", shared.names.run);
        let made = Kept {
            repository: format!("{}/{name}", shared.owner),
            commit: commits[content].clone(),
        };
        if create(door, &name)? && push(shared, door, &git, content, &made)? {
            kept.push(made);
        }
        if kept.len() > KEPT {
            // Whatever comes of it, nothing is promised of it any more.
            let oldest = kept.remove(0);
            purge(shared, door, &oldest.repository)?;
        }
        if let Some(one) = kept.get(random.random_range(0..KEPT)) {
            look(shared, door, directory, one)?;
        }
        thread::sleep(PAUSE);
    }
    Ok(kept)
}

/// A repository with a branch without history for each content.
fn contents(directory: &Path) -> anyhow::Result<(Git, Vec<String>)> {
    let git = Git::init(directory.join("contents"), false)?;
    let mut commits = Vec::new();
    for number in 0..CONTENTS {
        git.run(&[
            "checkout",
            "--quiet",
            "--orphan",
            &format!("content{number}"),
        ])?;
        let mut random = StdRng::seed_from_u64(number as u64);
        let mut text = String::new();
        for _ in 0..LINES {
            writeln!(text, "{:032x}", random.random::<u128>())?;
        }
        commits.push(git.commit("content.txt", &text)?);
    }
    Ok((git, commits))
}

fn create(door: &Door, name: &str) -> anyhow::Result<bool> {
    let body = json!({ "name": name });
    let made = call(door, "POST", "/api/v1/user/repos".to_owned(), Some(&body))?;
    Ok(made.status == 201)
}

/// Whether the push was acknowledged.
fn push(
    shared: &Shared,
    door: &Door,
    git: &Git,
    content: usize,
    to: &Kept,
) -> anyhow::Result<bool> {
    let mut event = shared.begin("churn".to_owned(), Action::Push, &to.repository, door);
    event.value = Some(to.commit.clone());
    let url = url(&door.base, &door.credentials, &to.repository);
    let refspec = format!("content{content}:refs/heads/main");
    let output = run(git, &["push", &url, &refspec])?;
    event.answered = output.status.success();
    if output.status.success() {
        event.outcome = Outcome::Ok;
    } else {
        event.said = String::from_utf8_lossy(&output.stderr).into_owned();
    }
    shared.end(event)?;
    Ok(output.status.success())
}

/// Deletes a repository and gives up its window, as far as that can be had just now.
fn purge(shared: &Shared, door: &Door, repository: &str) -> anyhow::Result<()> {
    let mut event = shared.begin("churn".to_owned(), Action::Delete, repository, door);
    let deleted = call(door, "DELETE", format!("/api/v1/repos/{repository}"), None)?;
    event.answered = (200..500).contains(&deleted.status);
    event.said = format!("{} {}", deleted.status, deleted.text());
    if (200..300).contains(&deleted.status) {
        event.outcome = Outcome::Ok;
        let listed = call(door, "GET", "/api/v1/user/deleted/repos".to_owned(), None)?;
        let listed: Value = serde_json::from_slice(&listed.body).unwrap_or_default();
        for one in listed.as_array().into_iter().flatten() {
            if one["full_name"] == *repository
                && let Some(id) = one["id"].as_i64()
            {
                call(door, "DELETE", format!("/api/v1/deleted/repos/{id}"), None)?;
            }
        }
    }
    shared.end(event)
}

/// Clones one that is kept; if that comes to an end, it must be whole.
fn look(shared: &Shared, door: &Door, directory: &Path, kept: &Kept) -> anyhow::Result<()> {
    let mut event = shared.begin("churn".to_owned(), Action::Clone, &kept.repository, door);
    let url = url(&door.base, &door.credentials, &kept.repository);
    let said = clone(directory, &url)?;
    event.answered = said.is_none();
    if said.is_none() {
        event.outcome = Outcome::Ok;
        let found = kept.check(&Git::at(directory.join("clone")));
        shared.tell_clone(found.with_context(|| format!("through {}", door.name)));
    }
    event.said = said.unwrap_or_default();
    shared.end(event)
}

impl Kept {
    /// Whether a clone is what was pushed, whole.
    pub(crate) fn check(&self, clone: &Git) -> anyhow::Result<()> {
        let found = clone.summary()?.refs;
        let wanted = format!("{} refs/heads/main", self.commit);
        anyhow::ensure!(
            found.trim() == wanted,
            "{} has {:?}, {wanted} was acknowledged",
            self.repository,
            found.trim()
        );
        Ok(())
    }
}

fn call(
    door: &Door,
    method: &'static str,
    path: String,
    body: Option<&Value>,
) -> anyhow::Result<Answer> {
    door.send(&Request {
        method,
        path,
        headers: vec!["Content-Type: application/json".to_owned()],
        body: body
            .map(|body| body.to_string().into_bytes())
            .unwrap_or_default(),
        reads: method == "GET",
    })
}
