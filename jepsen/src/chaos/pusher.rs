use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use anyhow::Context;

use super::Shared;
use super::history::{Line, Outcome};
use crate::harness::{ADMINISTRATOR, Git};

/// What one pusher did to its repository.
#[derive(Debug)]
pub(super) struct Log {
    /// The repository's name.
    pub(super) repository: String,
    /// Every commit that was tried, with its outcome, in order. Each was pushed
    /// to both branches, or meant to be.
    pub(super) pushes: Vec<(String, Outcome)>,
}

/// Commits and pushes, to one frontend after the other, until told to stop.
///
/// Each push moves `main` and `twin` to one commit, atomically, and adds a tag
/// of its own, so that a torn push would show.
pub(super) fn push_until_stopped(
    number: usize,
    directory: &Path,
    bases: &[String],
    shared: &Shared,
) -> anyhow::Result<Log> {
    let repository = format!("target{number}");
    let git = Git::init(directory, false)?;
    let mut pushes = Vec::new();
    for round in 0.. {
        if shared.stop.load(Ordering::SeqCst) {
            break;
        }
        let commit = git.commit(
            "file.txt",
            &format!("{number} {round}\n{}", "x".repeat(round)),
        )?;
        let base = &bases[round % bases.len()];
        let url = Git::url(base, &format!("{ADMINISTRATOR}/{repository}.git"));
        let begin_ms = shared.history.now_ms();
        let (outcome, said) = push(&git, &url, round)?;
        shared.history.add(&Line {
            begin_ms,
            end_ms: shared.history.now_ms(),
            operation: "push",
            process: &repository,
            value: &commit,
            outcome,
            said: &said,
        })?;
        if outcome == Outcome::Ok {
            shared.acknowledged.fetch_add(1, Ordering::SeqCst);
        } else {
            thread::sleep(Duration::from_millis(200));
        }
        pushes.push((commit, outcome));
    }
    Ok(Log { repository, pushes })
}

fn push(git: &Git, url: &str, round: usize) -> anyhow::Result<(Outcome, String)> {
    let tag = format!("HEAD:refs/tags/t{round}");
    let branches = ["HEAD:refs/heads/main", "HEAD:refs/heads/twin"];
    // Never a fast-forward question: an earlier push of unknown outcome may have happened.
    let output = git.output(&[
        "push",
        "--atomic",
        "--force",
        url,
        branches[0],
        branches[1],
        &tag,
    ]);
    let output = output.context("run git push")?;
    if output.status.success() {
        return Ok((Outcome::Ok, String::new()));
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let refused = said.contains("[remote rejected]") && !said.contains("may have happened");
    Ok((
        if refused {
            Outcome::Fail
        } else {
            Outcome::Unknown
        },
        said,
    ))
}
