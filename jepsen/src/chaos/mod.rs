//! Pushes while nodes and frontends are killed, and the proof afterwards.
//!
//! Every push is recorded with its outcome (`ok`, `fail`, `unknown`) in a
//! history of JSON lines. After the last kill everything is started again, and
//! then: every acknowledged push is there, in every clone, by every frontend;
//! no push is there in part (each moves two branches atomically); every node
//! holds every chunk that placement names, intact; all replicas of a group have
//! one state hash.

mod history;
mod killer;
mod pusher;
mod verdict;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use std::{fs, thread};

use anyhow::{Context, ensure};
use clap::Args;

use crate::harness::{Cluster, Http};
use history::History;

/// What to run.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// How many pushes must be acknowledged.
    #[arg(long, default_value_t = 200)]
    pub pushes: usize,
    /// How many processes must be killed meanwhile.
    #[arg(long, default_value_t = 20)]
    pub kills: usize,
    /// How many push at once, each to a repository of its own.
    #[arg(long, default_value_t = 4)]
    pub pushers: usize,
    /// How many frontends.
    #[arg(long, default_value_t = 2)]
    pub frontends: usize,
    /// The seed of what is killed and when.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where the history is written.
    #[arg(long, default_value = "chaos-history.jsonl")]
    pub history: PathBuf,
}

/// What pushers and killer share.
struct Shared {
    history: History,
    acknowledged: AtomicUsize,
    kills: AtomicUsize,
    stop: AtomicBool,
}

/// Runs the test and fails on the first broken promise.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let place = tempfile::tempdir()?;
    let mut cluster = Cluster::start(place.path(), 3, options.frontends)?;
    let bases: Vec<String> = (0..options.frontends)
        .map(|n| cluster.base(n))
        .collect::<anyhow::Result<_>>()?;
    println!(
        "three nodes, {} frontends; seed {}",
        options.frontends, options.seed
    );
    let http = Http::new(&bases[0]);
    for pusher in 0..options.pushers {
        let body = serde_json::json!({"name": format!("target{pusher}")});
        http.call("POST", "/api/v1/user/repos", Some(&body))?;
    }

    let shared = Arc::new(Shared {
        history: History::create(&options.history)?,
        acknowledged: AtomicUsize::new(0),
        kills: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
    });
    let pushers: Vec<_> = (0..options.pushers)
        .map(|number| {
            let (shared, bases) = (Arc::clone(&shared), bases.clone());
            let directory = place.path().join(format!("pusher{number}"));
            thread::spawn(move || pusher::push_until_stopped(number, &directory, &bases, &shared))
        })
        .collect();
    let outcome = killer::kill_until_enough(&mut cluster, options, &shared);
    shared.stop.store(true, Ordering::SeqCst);
    let mut logs = Vec::new();
    for pusher in pushers {
        logs.push(
            pusher
                .join()
                .map_err(|_| anyhow::anyhow!("a pusher panicked"))??,
        );
    }
    outcome?;

    let (ok, fail, unknown) = shared.history.counts();
    println!(
        "{ok} pushes acknowledged, {fail} failed, {unknown} unknown; {} kills",
        shared.kills.load(Ordering::SeqCst)
    );
    ensure!(ok >= options.pushes, "only {ok} pushes were acknowledged");
    killer::revive_all(&mut cluster)?;
    let settled = cluster.wait_until_settled(Duration::from_secs(180));
    let settled = settled.context("after all kills")?;
    println!(
        "{} groups: one state hash each on all three nodes",
        settled.nodes[0].groups.len()
    );
    print!("{}", cluster.wait_until_verified(Duration::from_secs(90))?);
    verdict::check(&bases, &logs, &place.path().join("verdict"))?;
    println!("history: {}", fs::canonicalize(&options.history)?.display());
    println!("{ok} passed, 0 failed");
    Ok(())
}
