//! A small committed write on three nodes of this machine.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use jepsen::harness::Cluster;
use storage_node_api::Slot;

use super::clients;
use super::etcd::{Etcd, Putter};
use super::peer::Peers;
use super::report::{Goal, Report, at, median, millis};
use super::tier::{Branch, Tier};

/// Writes of one client in a round, on each side.
const WRITES: usize = 300;
/// Writers at a time.
const WRITERS: usize = 64;
/// How long they write in a round, on each side.
const LOAD: Duration = Duration::from_secs(3);
/// Connections over which they write to etcd's leader.
const CONNECTIONS: usize = 8;

/// Both sides in turns.
pub(super) fn measure(place: &Path, rounds: usize) -> anyhow::Result<Report> {
    let clients = clients()?;
    let cluster = Cluster::start(place, 3, 0)?;
    let etcd = Etcd::start(place)?;
    let leader = etcd.leader()?;
    let mut report = Report::new(
        "A small committed write on three nodes",
        "devflow",
        "the other",
    );
    clients.block_on(async {
        let tier = Arc::new(Tier::enter(&cluster.data(0))?);
        let mut ours = Branch::new(tier.repository(Slot(0)).await?, "main")?;
        let bytes = ours.request_bytes(&tier)?;
        let value = vec![0x5a; bytes];
        let mut theirs = Putter::connect(&leader).await?;
        let mut peers = Peers::start(place, 3, bytes)?;
        one(&tier, &mut ours, &mut theirs, &value, &mut peers, rounds, &mut report).await?;
        many(&tier, &leader, &value, rounds, &mut report).await?;
        report.note(format!(
            "The write is a push that moves one branch by compare-and-swap, {bytes} bytes as it is sent; etcd puts \
             a value of as many bytes under a key of its own for each writer, the processes append and fdatasync them. \
             {}, its defaults, no TLS; devflow with mutual TLS and its defaults. Both clients are tonic over connections that stay.",
            Etcd::version()?
        ));
        ensure!(etcd.leader()? == leader, "etcd changed its leader during the run: run it again");
        anyhow::Ok(())
    })?;
    Ok(report)
}

async fn one(
    tier: &Tier,
    ours: &mut Branch,
    theirs: &mut Putter,
    value: &[u8],
    peers: &mut Peers,
    rounds: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (mut beside_etcd, mut beside_disk) = (Vec::new(), Vec::new());
    let mut tails = Vec::new();
    // The first warms up.
    for round in 0..=rounds {
        let (mut a, mut b, mut c) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..WRITES {
            let began = Instant::now();
            ours.push(tier).await?;
            a.push(millis(began.elapsed()));
            let began = Instant::now();
            theirs.put(b"devflow/one", value).await?;
            b.push(millis(began.elapsed()));
            c.extend(peers.once()?.into_iter().map(millis));
        }
        if round > 0 {
            beside_etcd.push((median(&a), median(&b)));
            beside_disk.push((median(&a), median(&c)));
            tails.push((at(&a, 99), at(&b, 99)));
        }
    }
    report.pairs(
        "one client beside three processes that fdatasync: p50",
        "ms",
        &beside_disk,
        Goal::Most(2.0),
    );
    report.pairs(
        "one client beside etcd: p50",
        "ms",
        &beside_etcd,
        Goal::Most(1.0),
    );
    report.pairs("one client beside etcd: p99", "ms", &tails, Goal::None);
    Ok(())
}

async fn many(
    tier: &Arc<Tier>,
    leader: &str,
    value: &[u8],
    rounds: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    // The slots of a cluster's groups, evenly; and those of its first group.
    for (what, step) in [("over all groups", 1024 / WRITERS), ("in one group", 1)] {
        let mut pairs = Vec::new();
        let mut branches = Vec::new();
        for number in 0..WRITERS {
            let slot = Slot(u16::try_from(number * step)?);
            branches.push(Branch::new(tier.repository(slot).await?, "main")?);
        }
        let mut putters = Vec::new();
        for _ in 0..CONNECTIONS {
            putters.push(Putter::connect(leader).await?);
        }
        for round in 0..=rounds {
            let ours;
            (ours, branches) = pushes(tier, branches).await?;
            let theirs = puts(&putters, value).await?;
            if round > 0 {
                pairs.push((ours, theirs));
            }
        }
        let row = format!("{WRITERS} writers, {what}: writes a second");
        report.pairs(&row, "", &pairs, Goal::Least(1.5));
    }
    Ok(())
}

async fn pushes(tier: &Arc<Tier>, branches: Vec<Branch>) -> anyhow::Result<(f64, Vec<Branch>)> {
    let began = Instant::now();
    let tasks: Vec<_> = branches
        .into_iter()
        .map(|mut branch| {
            let tier = Arc::clone(tier);
            tokio::spawn(async move {
                let mut count = 0;
                while began.elapsed() < LOAD {
                    branch.push(&tier).await?;
                    count += 1;
                }
                anyhow::Ok((count, branch))
            })
        })
        .collect();
    let (mut count, mut branches) = (0, Vec::new());
    for task in tasks {
        let (written, branch) = task.await??;
        count += written;
        branches.push(branch);
    }
    Ok((f64::from(count) / began.elapsed().as_secs_f64(), branches))
}

async fn puts(putters: &[Putter], value: &[u8]) -> anyhow::Result<f64> {
    let began = Instant::now();
    let tasks: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (mut putter, value) = (putters[writer % putters.len()].clone(), value.to_vec());
            tokio::spawn(async move {
                let key = format!("devflow/{writer}");
                let mut count = 0;
                while began.elapsed() < LOAD {
                    putter.put(key.as_bytes(), &value).await?;
                    count += 1;
                }
                anyhow::Ok(count)
            })
        })
        .collect();
    let mut count = 0;
    for task in tasks {
        count += task.await??;
    }
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}
