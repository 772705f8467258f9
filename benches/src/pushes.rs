//! Pushes: the whole history to an empty repository, then one commit at a time.

use std::path::Path;
use std::time::{Duration, Instant};

use jepsen::harness::Git;

use crate::apache::Apache;
use crate::forge::Forge;
use crate::report::Report;

/// Pushes everything, from the same source, one side after the other.
pub(crate) fn whole(
    forge: &Forge,
    apache: &Apache,
    repository: &Path,
    report: &mut Report,
) -> anyhow::Result<()> {
    let git = Git::at(repository);
    let time = |url: String| -> anyhow::Result<Duration> {
        let began = Instant::now();
        git.run(&[
            "push",
            "--quiet",
            &url,
            "refs/heads/*:refs/heads/*",
            "refs/tags/*:refs/tags/*",
        ])?;
        Ok(began.elapsed())
    };
    // The source's pages are in memory for both.
    git.run(&["count-objects"])?;
    let ours = time(forge.url("whole"))?;
    let theirs = time(apache.url("whole.git"))?;
    report.time("push of the whole history: wall", 1.2, ours, theirs);
    Ok(())
}

/// Pushes one commit after the other to both sides in turn.
pub(crate) fn small(
    forge: &Forge,
    apache: &Apache,
    place: &Path,
    count: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let git = Git::init(place.join("small"), false)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for number in 0..count + 2 {
        git.commit("file.txt", &format!("{number}\n"))?;
        for (url, times) in [
            (forge.url("whole"), &mut ours),
            (apache.url("whole.git"), &mut theirs),
        ] {
            let began = Instant::now();
            git.run(&["push", "--quiet", &url, "HEAD:refs/heads/bench-small"])?;
            times.push(began.elapsed());
        }
    }
    // The first two make the branch and warm up.
    let median = |times: &mut Vec<Duration>| {
        times.drain(..2);
        times.sort_unstable();
        times[times.len() / 2]
    };
    report.time(
        "push of one commit: p50",
        1.0,
        median(&mut ours),
        median(&mut theirs),
    );
    Ok(())
}
