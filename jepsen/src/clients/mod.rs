//! What a user does with git in a day, against one process and against three
//! storage nodes with a frontend; after each step both sides are compared.

mod history;
mod killed;
mod over_ssh;
mod scenario;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;

pub use history::made_history;
pub use scenario::everyday;

use crate::clients::over_ssh::SshUser;
use crate::harness::{Cluster, serve};

/// Runs the scenario on one node and on three with a frontend. `repository` is
/// pushed; a small made history if there is none.
pub fn run(repository: Option<&Path>) -> anyhow::Result<()> {
    let place = tempfile::tempdir()?;
    let source = place.path().join("source");
    match repository {
        Some(path) => {
            let path = path.canonicalize()?;
            let git = crate::harness::Git::at(place.path());
            git.run(&[
                "clone",
                "--quiet",
                "--mirror",
                &path.to_string_lossy(),
                "source",
            ])?;
        }
        None => drop(made_history(&source, 200)?),
    }

    println!("one node");
    let began = Instant::now();
    let mut one = serve("one", place.path())?;
    let base = one.listener("http")?.to_owned();
    everyday(&base, &source, &place.path().join("work-one")).context("on one node")?;
    let mirror = place.path().join("work-one").join("mirror");
    SshUser::new(&base, &place.path().join("ssh-one"))?
        .day(one.listener("ssh")?, &mirror, "over-ssh")
        .context("on one node")?;
    let stopped = one.stop()?;
    println!(
        "  stopped cleanly in {stopped:.1?}; all in {:.1?}",
        began.elapsed()
    );

    println!("three nodes and two frontends");
    let began = Instant::now();
    let mut cluster = Cluster::start(place.path(), 3, 2)?;
    everyday(&cluster.base(0)?, &source, &place.path().join("work-three"))
        .context("on three nodes")?;
    let user = SshUser::new(&cluster.base(0)?, &place.path().join("ssh-three"))?;
    user.day(cluster.frontends[1].listener("ssh")?, &mirror, "first")
        .context("on three nodes")?;
    cluster.frontends[1].kill()?;
    user.day(cluster.frontends[0].listener("ssh")?, &mirror, "second")
        .context("by the other frontend")?;
    killed::whole_while_killed(&mut cluster, &source, &place.path().join("work-killed"))
        .context("on three nodes")?;
    cluster.wait_until_settled(Duration::from_secs(60))?;
    print!(
        "  {}",
        cluster.wait_until_verified(Duration::from_secs(90))?
    );
    println!("  all replicas agree; all in {:.1?}", began.elapsed());
    println!("2 passed, 0 failed");
    Ok(())
}
