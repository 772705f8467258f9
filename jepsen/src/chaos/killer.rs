use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::history::{Line, Outcome};
use super::{Options, Shared};
use crate::harness::{Cluster, Process};

/// How long all of it may take.
const DEADLINE: Duration = Duration::from_secs(30 * 60);

/// Kills one process after the other, most often nodes, every second of them the
/// leader of some group; each is started again before the next is killed, so
/// that a majority is always there.
pub(super) fn kill_until_enough(
    cluster: &mut Cluster,
    options: &Options,
    shared: &Shared,
) -> anyhow::Result<()> {
    let mut random = StdRng::seed_from_u64(options.seed);
    let began = Instant::now();
    loop {
        let kills = shared.kills.load(Ordering::SeqCst);
        let pushes = shared.acknowledged.load(Ordering::SeqCst);
        if kills >= options.kills && pushes >= options.pushes {
            return Ok(());
        }
        ensure!(
            began.elapsed() < DEADLINE,
            "{pushes} pushes and {kills} kills in {DEADLINE:?}"
        );
        thread::sleep(Duration::from_millis(random.random_range(300..1500)));
        // Kills are spread over the pushes, and go on until there are enough of both.
        if kills * options.pushes > (pushes + 1) * options.kills {
            continue;
        }
        let victim = choose(cluster, &mut random);
        kill_and_revive(
            victim,
            Duration::from_millis(random.random_range(0..2500)),
            shared,
        )?;
    }
}

/// Starts whatever is not running.
pub(super) fn revive_all(cluster: &mut Cluster) -> anyhow::Result<()> {
    for process in cluster.nodes.iter_mut().chain(&mut cluster.frontends) {
        if process.has_ended() {
            process.restart()?;
        }
    }
    Ok(())
}

fn choose<'a>(cluster: &'a mut Cluster, random: &mut StdRng) -> &'a mut Process {
    if random.random_ratio(1, 4) && !cluster.frontends.is_empty() {
        let index = random.random_range(0..cluster.frontends.len());
        return &mut cluster.frontends[index];
    }
    let mut index = random.random_range(0..cluster.nodes.len());
    if random.random_bool(0.5)
        && let Ok(status) = cluster.status()
        && let Some(leader) = status
            .nodes
            .first()
            .and_then(|n| n.groups.last())
            .and_then(|g| g.leader)
        && let Some(position) = status.nodes.iter().position(|node| node.id == leader)
    {
        index = position;
    }
    &mut cluster.nodes[index]
}

fn kill_and_revive(process: &mut Process, down: Duration, shared: &Shared) -> anyhow::Result<()> {
    let name = process.name().to_owned();
    let record = |operation, begin_ms| {
        shared.history.add(&Line {
            begin_ms,
            end_ms: shared.history.now_ms(),
            operation,
            process: &name,
            value: "",
            outcome: Outcome::Ok,
            said: "",
        })
    };
    let begin = shared.history.now_ms();
    ensure!(
        !process.has_ended(),
        "{name} ended by itself; see {}",
        process.log().display()
    );
    process.kill()?;
    shared.kills.fetch_add(1, Ordering::SeqCst);
    record("kill", begin)?;
    thread::sleep(down);
    let begin = shared.history.now_ms();
    process.restart()?;
    record("start", begin)
}
