use std::sync::Arc;

use anyhow::ensure;
use async_trait::async_trait;
use benches_load::{MAX_WORKERS, Operation};
use tokio::sync::Mutex;

use super::forge::Forge;
use super::git_client::push;
use super::http::Connection;
use super::options::RefsArguments;
use super::pack::{Id, PackWriter};
use super::runs::{Runs, kind};

/// Repositories that a run may make.
const MAX_REPOSITORIES: usize = 1000;

/// Commits, one a push, each worker to branches of its own.
#[derive(Debug)]
struct Pushes {
    repositories: Vec<String>,
    nonce: String,
    workers: Vec<Mutex<Worker>>,
}

#[derive(Debug)]
struct Worker {
    connection: Connection,
    branch: u64,
    commits: u64,
    /// The branch's commit and its tree; none if the next push makes a branch.
    tip: Option<(Id, Id)>,
}

/// Runs all that was asked for, and leaves nothing behind.
pub(super) async fn run(arguments: &RefsArguments) -> anyhow::Result<()> {
    let count = arguments.repositories;
    ensure!(
        (1..=MAX_REPOSITORIES).contains(&count),
        "--repositories {count}: take 1 to {MAX_REPOSITORIES}"
    );
    let mut runs = Runs::new("refs", &arguments.load)?;
    let mut forge = Forge::enter(&arguments.target, &runs.runtime).await?;
    let result = all(&mut runs, &mut forge, count).await;
    let left = forge.leave().await;
    result.and(runs.finish()).and(left)
}

async fn all(runs: &mut Runs, forge: &mut Forge, count: usize) -> anyhow::Result<()> {
    for plan in runs.plans.clone() {
        let mut repositories = Vec::new();
        for _ in 0..count {
            repositories.push(forge.repository(&runs.runtime).await?);
        }
        let name = format!(
            "small pushes, {} at a time, {count} repositories",
            plan.workers
        );
        let worker = |_| {
            Mutex::new(Worker {
                connection: forge.site.connection(),
                branch: 0,
                commits: 0,
                tip: None,
            })
        };
        let pushes = Arc::new(Pushes {
            repositories,
            nonce: format!("{:016x}", runs.runtime.random.u64()),
            workers: (0..plan.workers.min(MAX_WORKERS)).map(worker).collect(),
        });
        runs.run(name, pushes, plan).await?;
    }
    Ok(())
}

#[async_trait]
impl Operation for Pushes {
    async fn once(&self, worker: usize) -> Result<u64, String> {
        let mut state = self.workers[worker].lock().await;
        let state = &mut *state;
        let repository = &self.repositories[worker % self.repositories.len()];
        let mut pack = PackWriter::new();
        state.commits += 1;
        let nonce = format!("{} by {worker}", self.nonce);
        // Until the push is known to have been taken, the branch is in doubt.
        let (old, tree) = match state.tip.take() {
            Some((tip, tree)) => (Some(tip), tree),
            None => {
                state.branch += 1;
                let blob = pack.blob(nonce.as_bytes());
                (None, pack.tree([("file", blob)]))
            }
        };
        let new = pack.commit(tree, old, state.commits, &nonce);
        let pack = pack.finish();
        let name = format!("refs/heads/bench-{worker}-{}", state.branch);
        let moved = (old.unwrap_or(Id::ZERO), new);
        let sent = push(&mut state.connection, repository, &name, moved, &pack).await;
        if sent.is_ok() {
            state.tip = Some((new, tree));
        }
        sent.map_err(|error| kind(&error))
    }
}
