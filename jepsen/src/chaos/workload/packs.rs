use std::fmt::Write as _;
use std::path::Path;
use std::process::Output;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use rand::Rng;

use super::Shared;
use crate::harness::Git;
use crate::history::{Action, Outcome};

/// What one pusher did to its repository.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    /// The repository, with its owner.
    pub(crate) repository: String,
    /// Every commit that was tried, with its outcome, in order; the last may be under
    /// way. Each was pushed to both branches, or meant to be.
    pub(crate) pushes: Vec<(String, Outcome)>,
}

impl Log {
    /// Nothing was pushed yet.
    pub(crate) fn of(owner: &str, run: &str, number: usize) -> Self {
        Self {
            repository: repository(owner, run, number),
            pushes: Vec::new(),
        }
    }

    /// What somebody knows who began to look when `before` was all that there was, and
    /// ended when `self` was: what ended in between may be seen or not.
    pub(super) fn since(mut self, before: &Self) -> Self {
        for (index, (_, outcome)) in self.pushes.iter_mut().enumerate() {
            let then = before.pushes.get(index);
            *outcome = then.map_or(Outcome::Unknown, |(_, outcome)| *outcome);
        }
        self
    }
}

/// The repository of a pusher.
pub(super) fn repository(owner: &str, run: &str, number: usize) -> String {
    format!("{owner}/packs-{run}-{number}")
}

/// Commits and pushes by real git, to one frontend after the other, until told to stop.
///
/// Each push brings some tens of KiB that no other has, moves `main` and `twin`
/// to one commit, atomically, and adds a tag of its own, so that a torn push
/// would show.
pub(super) fn push(shared: &Shared, number: usize, directory: &Path) -> anyhow::Result<()> {
    let mut random = rand::rng();
    let log = || {
        shared.logs[number]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    };
    let repository = log().repository.clone();
    let git = Git::init(directory, false)?;
    for round in 0.. {
        if !shared.is_running() {
            break;
        }
        let mut content = String::new();
        for _ in 0..random.random_range(100..4000) {
            writeln!(content, "{:032x}", random.random::<u128>())?;
        }
        let commit = git.commit(&format!("file{}.txt", round % 10), &content)?;
        let door = &shared.doors[round % shared.doors.len()];
        log().pushes.push((commit.clone(), Outcome::Unknown));
        let mut event = shared.begin(format!("packs-{number}"), Action::Push, &repository, door);
        let url = url(&door.base, &door.credentials, &repository);
        (event.outcome, event.said) = push_once(&git, &url, round)?;
        event.value = Some(commit);
        event.answered = event.outcome != Outcome::Unknown;
        log().pushes[round].1 = event.outcome;
        shared.end(event)?;
        thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// A URL with credentials in it.
pub(crate) fn url(base: &str, credentials: &str, repository: &str) -> String {
    let (scheme, host) = base.split_once("://").unwrap_or(("http", base));
    let credentials = credentials.replace(' ', "%20");
    format!("{scheme}://{credentials}@{host}/{repository}.git")
}

/// Runs git so that it gives up when nothing comes for a while.
pub(super) fn run(git: &Git, words: &[&str]) -> anyhow::Result<Output> {
    let patience = ["-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=20"];
    git.output(&[&patience[..], words].concat())
}

fn push_once(git: &Git, url: &str, round: usize) -> anyhow::Result<(Outcome, String)> {
    let tag = format!("HEAD:refs/tags/t{round}");
    // Never a fast-forward question: an earlier push of unknown outcome may have happened.
    let output = run(
        git,
        &[
            "push",
            "--atomic",
            "--force",
            url,
            "HEAD:refs/heads/main",
            "HEAD:refs/heads/twin",
            &tag,
        ],
    )?;
    if output.status.success() {
        return Ok((Outcome::Ok, String::new()));
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let refused = said.contains("[remote rejected]") && !said.contains("may have happened");
    let outcome = if refused {
        Outcome::Fail
    } else {
        Outcome::Unknown
    };
    Ok((outcome, said))
}

#[cfg(test)]
mod tests {
    use super::{Log, Outcome};

    #[test]
    fn what_ended_after_somebody_began_to_look_may_be_seen_or_not() {
        let log = |outcomes: &[Outcome]| Log {
            repository: String::new(),
            pushes: outcomes.iter().map(|o| (String::new(), *o)).collect(),
        };
        let before = log(&[Outcome::Ok, Outcome::Unknown]);
        let after = log(&[Outcome::Ok, Outcome::Ok, Outcome::Fail, Outcome::Ok]);
        let seen = after.since(&before).pushes;
        let outcomes: Vec<Outcome> = seen.into_iter().map(|(_, outcome)| outcome).collect();
        let unknown = Outcome::Unknown;
        assert_eq!(outcomes, [Outcome::Ok, unknown, unknown, unknown]);
    }
}
