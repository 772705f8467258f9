//! Very many chunks, half of them dead, collected while somebody writes.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use chunking::{BlobId, Chunk, ChunkId, ChunkRef, Profile};
use futures_util::{StreamExt, TryStreamExt, stream};
use jepsen::harness::{Cluster, devflow};
use serde_json::Value;
use storage_node_api::blob::{Chunks, StoredBlob};
use storage_node_api::content::Certificate;
use storage_node_api::{Content, Slot};
use tokio::task::JoinSet;

use super::clients;
use super::content::Written;
use super::foreground::Foreground;
use super::report::{Goal, Report, at};
use super::tier::{DOMAIN, Tier};

/// Chunks of one put, each a blob of its own: only a blob's last chunk may be
/// so small.
const BATCH: usize = 500;
/// The bytes of each.
const CHUNK_BYTES: usize = 64;
/// Puts at a time.
const UPLOADS: usize = 4;
/// Commits at a time, for each put.
const COMMITS: usize = 16;
/// How long the foreground is watched while nothing is collected.
const QUIET: Duration = Duration::from_secs(15);

/// A cycle at the pace that is the default, then one without pauses.
pub(super) fn measure(place: &Path, chunks: usize) -> anyhow::Result<Report> {
    let clients = clients()?;
    let cluster = Cluster::start(place, 3, 0)?;
    let tier = clients.block_on(async { Tier::enter(&cluster.data(0)) })?;
    let tier = Arc::new(tier);
    let began = Instant::now();
    let mut live = clients.block_on(fill(&tier, chunks))?;
    let filled = began.elapsed();
    // A node that has started lately drops nothing in its first cycle.
    let data = cluster.data(0);
    devflow_cluster(&data, &["collect", "--fast"])?;
    let foreground = Foreground::start(&clients, &tier, Slot(0))?;
    let mut report = Report::new("Collection", "meanwhile", "before");
    for (name, how) in [
        ("half of all dead, at the default pace", &["collect"][..]),
        (
            "half of the rest dead, without pauses",
            &["collect", "--fast"],
        ),
    ] {
        let rest = live.split_off(live.len() / 2);
        clients.block_on(remove(&tier, std::mem::replace(&mut live, rest)))?;
        let before = kept(&data)?;
        let quiet = Instant::now();
        thread::sleep(QUIET);
        let quiet = at(&foreground.between(quiet, Instant::now()), 95);
        let began = Instant::now();
        devflow_cluster(&data, how)?;
        let ended = Instant::now();
        let during = at(&foreground.between(began, ended), 95);
        let after = kept(&data)?;
        let expected = live.len();
        let row = format!("{name}: p95 of small pushes");
        report.pairs(&row, "ms", &[(during, quiet)], Goal::Most(2.0));
        report.note(format!(
            "{name}: finished in {:.1} s; a node had {before} chunks and has {after}, {expected} of them live.",
            (ended - began).as_secs_f64()
        ));
        ensure!(after >= expected as u64, "live chunks are gone");
        clients.block_on(check(&tier, &live))?;
    }
    foreground.stop(&clients)?;
    let verified = devflow_cluster(&data, &["verify"])?;
    report.note(format!(
        "{chunks} chunks of {CHUNK_BYTES} bytes, each a blob, three copies, written in {:.0} s. After each cycle every live \
         blob is read and checked; at the end `devflow cluster verify`: {}",
        filled.as_secs_f64(),
        verified.trim().replace('\n', "; ")
    ));
    Ok(report)
}

async fn fill(tier: &Arc<Tier>, chunks: usize) -> anyhow::Result<Vec<Written>> {
    let mut written = Vec::new();
    let mut tasks = JoinSet::new();
    for _ in 0..chunks.div_ceil(BATCH) {
        if tasks.len() == UPLOADS {
            written.extend(tasks.join_next().await.context("an upload")???);
        }
        let tier = Arc::clone(tier);
        tasks.spawn(async move { one_batch(&tier).await });
    }
    while let Some(done) = tasks.join_next().await {
        written.extend(done??);
    }
    Ok(written)
}

async fn one_batch(tier: &Tier) -> anyhow::Result<Vec<Written>> {
    let chunk = |_| {
        let mut bytes = vec![0; CHUNK_BYTES];
        tier.runtime.random.fill(&mut bytes);
        let id = ChunkId::of(&bytes);
        let bytes = Bytes::from(bytes);
        Chunk { id, bytes }
    };
    let made: Vec<Chunk> = (0..BATCH).map(chunk).collect();
    let session = tier.storage.begin(DOMAIN).await?;
    let held = tier.storage.put(&session, made.clone()).await?;
    let names = made.into_iter().zip(held).map(async |(chunk, held)| {
        let mut certificate = Certificate::default();
        certificate.push(&held);
        let reference = ChunkRef {
            id: chunk.id,
            length: u32::try_from(chunk.bytes.len())?,
        };
        let blob = StoredBlob {
            profile: Profile::GenericV1,
            id: BlobId::of(&chunk.bytes),
            length: chunk.bytes.len() as u64,
            chunks: Chunks::Inline(vec![reference]),
            certificate,
        };
        tier.name(blob, Vec::new()).await
    });
    let names = stream::iter(names).buffer_unordered(COMMITS);
    names.try_collect().await
}

async fn remove(tier: &Tier, dead: Vec<Written>) -> anyhow::Result<()> {
    let removals = dead.iter().map(|written| tier.remove(written));
    let mut removals = stream::iter(removals).buffer_unordered(UPLOADS * COMMITS);
    while removals.try_next().await?.is_some() {}
    Ok(())
}

/// Reads what must be there.
async fn check(tier: &Tier, live: &[Written]) -> anyhow::Result<()> {
    let reads = live
        .iter()
        .map(|written| tier.read(written, CHUNK_BYTES as u64));
    let mut reads = stream::iter(reads).buffer_unordered(UPLOADS * COMMITS);
    while reads.try_next().await?.is_some() {}
    Ok(())
}

/// The chunks of the node that has fewest.
fn kept(data: &Path) -> anyhow::Result<u64> {
    let status: Value = serde_json::from_str(&devflow_cluster(data, &["status", "--json"])?)?;
    let nodes = status["nodes"].as_array().context("no nodes")?;
    let chunks = nodes.iter().filter_map(|node| node["chunks"].as_u64());
    chunks.min().context("no node says how many chunks it has")
}

fn devflow_cluster(data: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(devflow()?)
        .arg("cluster")
        .args(arguments)
        .arg("--data")
        .arg(data)
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{arguments:?}: {said}");
    Ok(String::from_utf8(output.stdout)?)
}
