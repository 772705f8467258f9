use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, ensure};

use super::workload::{Clones, Door, Kept, Log, url};
use crate::harness::Git;
use crate::history::Outcome;

/// Clones every repository through every frontend and holds it against what its
/// pusher was told.
pub(super) fn check(doors: &[Door], logs: &[Log], directory: &Path) -> anyhow::Result<String> {
    std::fs::create_dir_all(directory)?;
    let mut clones = 0;
    for (number, door) in doors.iter().enumerate() {
        for (index, log) in logs.iter().enumerate() {
            let name = format!("{index}-{number}");
            let url = url(&door.base, &door.credentials, &log.repository);
            Git::at(directory).run(&["clone", "--quiet", "--mirror", &url, &name])?;
            let clone = Git::at(directory.join(&name));
            clone.summary()?;
            check_clone(&clone, log)
                .with_context(|| format!("{} by {}", log.repository, door.name))?;
            clones += 1;
        }
    }
    let acknowledged = logs.iter().flat_map(|log| &log.pushes);
    let acknowledged = acknowledged
        .filter(|(_, outcome)| *outcome == Outcome::Ok)
        .count();
    Ok(format!(
        "{acknowledged} acknowledged pushes are whole in {clones} clones, none is there in part"
    ))
}

/// Clones every repository that was made and kept through every frontend.
pub(super) fn check_kept(
    doors: &[Door],
    kept: &[Kept],
    directory: &Path,
) -> anyhow::Result<String> {
    for (number, door) in doors.iter().enumerate() {
        for (index, one) in kept.iter().enumerate() {
            let name = format!("kept-{index}-{number}");
            let url = url(&door.base, &door.credentials, &one.repository);
            Git::at(directory).run(&["clone", "--quiet", "--mirror", &url, &name])?;
            let found = one.check(&Git::at(directory.join(&name)));
            found.with_context(|| format!("through {}", door.name))?;
        }
    }
    let count = kept.len();
    Ok(format!("{count} repositories among those purged are whole"))
}

/// Whether every clone that came to an end while things broke was whole.
pub(super) fn check_read(clones: &Clones) -> anyhow::Result<String> {
    let wrong = clones.wrong.first();
    ensure!(
        wrong.is_none(),
        "{} of {} clones: {}",
        clones.wrong.len(),
        clones.wrong.len() + clones.whole,
        wrong.map_or("", String::as_str)
    );
    Ok(format!(
        "{} clones meanwhile were whole, with all that was acknowledged before",
        clones.whole
    ))
}

/// Holds a clone against what its pusher was told.
pub(super) fn check_clone(clone: &Git, log: &Log) -> anyhow::Result<()> {
    let listing = clone.run(&["for-each-ref", "--format=%(refname) %(objectname)"])?;
    let refs: BTreeMap<&str, &str> = listing.lines().filter_map(|l| l.split_once(' ')).collect();
    let main = refs.get("refs/heads/main").copied();
    ensure!(
        main == refs.get("refs/heads/twin").copied(),
        "a push moved one branch of two"
    );
    let acknowledged = |(_, outcome): &(String, Outcome)| *outcome == Outcome::Ok;
    if main.is_none() && !log.pushes.iter().any(acknowledged) {
        return Ok(());
    }
    let position = log
        .pushes
        .iter()
        .position(|(commit, _)| Some(commit.as_str()) == main);
    let position = position.context("main is at a commit that nobody pushed")?;
    for (round, (commit, outcome)) in log.pushes.iter().enumerate() {
        let tag = refs.get(format!("refs/tags/t{round}").as_str()).copied();
        match outcome {
            Outcome::Ok => {
                ensure!(
                    round <= position,
                    "the acknowledged push {round} was undone"
                );
                ensure!(
                    tag == Some(commit),
                    "the acknowledged push {round} lacks its tag"
                );
            }
            Outcome::Fail => ensure!(tag.is_none(), "the refused push {round} left its tag"),
            Outcome::Unknown => {
                ensure!(
                    tag.is_none() || tag == Some(commit),
                    "tag {round} is of another push"
                );
                ensure!(
                    tag.is_none() || round <= position,
                    "push {round} is there in part"
                );
            }
        }
    }
    let last = &log.pushes[position];
    ensure!(last.1 != Outcome::Fail, "main is at a refused push");
    Ok(())
}
