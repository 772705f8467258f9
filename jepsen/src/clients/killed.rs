use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use serde_json::json;

use crate::harness::{ADMINISTRATOR, Cluster, Git, Process};

/// How long after a push or clone began its node is killed.
const STRIKE: Duration = Duration::from_millis(700);

/// Pushes the whole of `source` and clones it back, each while a storage node is
/// killed with `kill -9` and started again, then holds both sides together.
pub(super) fn whole_while_killed(
    cluster: &mut Cluster,
    source: &Path,
    work: &Path,
) -> anyhow::Result<()> {
    std::fs::create_dir_all(work)?;
    let base = cluster.base(0)?;
    cluster.http()?.call(
        "POST",
        "/api/v1/user/repos",
        Some(&json!({"name": "struck"})),
    )?;
    let url = Git::url(&base, &format!("{ADMINISTRATOR}/struck.git"));
    let git = Git::at(work);
    git.run(&[
        "clone",
        "--quiet",
        "--mirror",
        &source.to_string_lossy(),
        "mirror",
    ])?;
    let mirror = Git::at(work.join("mirror"));

    let refs = ["refs/heads/*:refs/heads/*", "refs/tags/*:refs/tags/*"];
    strike(&mut cluster.nodes[1], || {
        mirror
            .run(&["push", "--quiet", &url, refs[0], refs[1]])
            .map(drop)
    })
    .context("a push while node 2 is killed")?;
    strike(&mut cluster.nodes[0], || {
        git.run(&["clone", "--quiet", "--mirror", &url, "clone"])
            .map(drop)
    })
    .context("a clone while node 1 is killed")?;
    let (pushed, cloned) = (mirror.summary()?, Git::at(work.join("clone")).summary()?);
    ensure!(pushed == cloned, "the clone differs from what was pushed");
    println!("  pushed whole while node 2 was killed, cloned while node 1 was: identical");
    Ok(())
}

/// Does something while a process is killed and started again.
fn strike(
    process: &mut Process,
    act: impl FnOnce() -> anyhow::Result<()> + Send,
) -> anyhow::Result<()> {
    thread::scope(|scope| {
        let acting = scope.spawn(act);
        thread::sleep(STRIKE);
        process.kill()?;
        thread::sleep(STRIKE);
        process.restart()?;
        acting.join().map_err(|_| anyhow!("the client panicked"))?
    })
}
