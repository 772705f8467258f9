//! How long writes stand still when the leader of a group is lost.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::field::{Field, NODES, Needs};
use super::workload::{Door, Probe, prepare};
use crate::harness::{ADMINISTRATOR, PASSWORD, Status};
use crate::network::{Link, is_possible};

/// The longest that writes may stand still before it counts as a livelock.
const LIVELOCK: Duration = Duration::from_secs(60);
/// How long a node that is back may take to have what the others have.
const CATCH_UP: Duration = Duration::from_secs(120);
/// Writes before each loss, so that the leader is found and warm.
const WARM: usize = 5;

/// Quiet after which groups sleep where they are to, and how long they are left alone for that.
const HIBERNATE_AFTER: Duration = Duration::from_millis(300);
const LEFT_ALONE: Duration = Duration::from_secs(3);

/// What to measure.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// How many leaders are lost.
    #[arg(long, default_value_t = 50)]
    pub times: usize,
    /// Cut it off from all others instead of killing it.
    #[arg(long)]
    pub partition: bool,
    /// Nodes by the timing for fast disks (`node.raft.profile`).
    #[arg(long)]
    pub fast_disk: bool,
    /// Let all groups fall asleep before each loss.
    #[arg(long)]
    pub asleep: bool,
    /// The seed of the pauses between.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where each figure is written, in milliseconds, one a line.
    #[arg(long, value_name = "FILE")]
    pub figures: Option<PathBuf>,
}

/// Kills or cuts off the leader so many times, and prints how long it was from
/// there to the next acknowledged write of a client that tries without rest.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let options = options.clone();
    let measured = thread::spawn(move || measure(&options)).join();
    measured.map_err(|_| anyhow::anyhow!("the measurement panicked"))?
}

fn measure(options: &Options) -> anyhow::Result<()> {
    let network = is_possible();
    ensure!(
        network || !options.partition,
        "a partition needs root and /dev/net/tun"
    );
    let place = tempfile::tempdir()?;
    let needs = Needs {
        network,
        fast_disk: options.fast_disk,
        hibernate_after: options.asleep.then_some(HIBERNATE_AFTER),
        ..Needs::default()
    };
    let mut field = Field::start(place.path(), NODES, 1, needs)?;
    let door = Door {
        name: "frontend1".to_owned(),
        base: field.cluster.base(0)?,
        credentials: format!("{ADMINISTRATOR}:{PASSWORD}"),
        stale: None,
    };
    let commits = prepare(&door, ADMINISTRATOR, "failover", place.path())?;
    let mut probe = Probe::new(door, format!("{ADMINISTRATOR}/refs-failover"), commits);
    let mut random = StdRng::seed_from_u64(options.seed);
    let mut figures = Vec::new();
    for time in 1..=options.times {
        let before = applied(&field)?;
        let mut quiet = Vec::new();
        for _ in 0..WARM {
            quiet.push(probe.write_until_acknowledged(LIVELOCK)?);
        }
        let leader = leader_of_busiest(&field, &before)?;
        if options.asleep {
            thread::sleep(LEFT_ALONE);
        }
        thread::sleep(Duration::from_millis(random.random_range(0..1000)));
        let began = Instant::now();
        lose(&mut field, leader, options.partition)?;
        probe.write_until_acknowledged(LIVELOCK)?;
        let resumed = began.elapsed();
        figures.push(resumed);
        println!(
            "{time}: node{} lost; a write took {:?} before, the first after {resumed:?}",
            leader + 1,
            quiet.into_iter().min().unwrap_or_default()
        );
        if options.partition {
            field.network.iter().for_each(crate::network::Network::heal);
        } else {
            field.start_again(leader)?;
        }
        let operator = field.cluster.operator();
        operator.wait_until(CATCH_UP, |status| caught_up(status, &before))?;
    }
    if let Some(path) = &options.figures {
        let lines: String = figures
            .iter()
            .map(|d| format!("{}\n", d.as_millis()))
            .collect();
        std::fs::write(path, lines)?;
    }
    summary(figures)
}

/// Tells the quantiles.
fn summary(mut figures: Vec<Duration>) -> anyhow::Result<()> {
    ensure!(!figures.is_empty(), "nothing was measured");
    figures.sort_unstable();
    let at = |share: usize| figures[(figures.len() * share / 100).min(figures.len() - 1)];
    println!(
        "{} leaders lost: writes resumed after p50 {:?}, p90 {:?}, p99 {:?}, at most {:?}",
        figures.len(),
        at(50),
        at(90),
        at(99),
        at(100)
    );
    Ok(())
}

/// Whether all nodes have at least what they had before, and a leader for each group.
fn caught_up(status: &Status, before: &[(u64, u64)]) -> anyhow::Result<()> {
    for node in &status.nodes {
        ensure!(node.reachable, "node {} does not answer", node.id);
        ensure!(
            node.groups.len() == before.len(),
            "node {} lacks groups",
            node.id
        );
        for (group, (_, then)) in node.groups.iter().zip(before) {
            ensure!(
                group.leader.is_some() && group.applied >= *then,
                "node {} is not back in group {}",
                node.id,
                group.group
            );
        }
    }
    Ok(())
}

fn lose(field: &mut Field, leader: usize, cut: bool) -> anyhow::Result<()> {
    if !cut {
        return field.kill(leader);
    }
    for other in (0..field.hosts()).filter(|other| *other != leader) {
        field.set_link(leader, other, Link::cut())?;
        field.set_link(other, leader, Link::cut())?;
    }
    Ok(())
}

/// How far each group is, by its id.
fn applied(field: &Field) -> anyhow::Result<Vec<(u64, u64)>> {
    let status = field.cluster.status()?;
    let groups = &status.nodes.first().context("no nodes")?.groups;
    Ok(groups
        .iter()
        .map(|group| (group.group, group.applied))
        .collect())
}

/// The node that leads the group which went on most since `before`: that of the
/// repository which the probe writes.
fn leader_of_busiest(field: &Field, before: &[(u64, u64)]) -> anyhow::Result<usize> {
    let status = field.cluster.status()?;
    let groups = &status.nodes.first().context("no nodes")?.groups;
    let went = |group: &&crate::harness::GroupStatus| {
        let then = before.iter().find(|(id, _)| *id == group.group);
        group.applied - then.map_or(0, |(_, applied)| *applied).min(group.applied)
    };
    let busiest = groups.iter().max_by_key(went).context("no groups")?;
    let leader = busiest.leader.context("nobody leads the group")?;
    let position = field.cluster.position_of(leader);
    position.context("the leader is not in the map")
}
