//! `devflow cluster verify`: the proof that every node has what it should.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::ensure;
use chunking::{ChunkId, ChunkRef};
use runtime::Runtime;
use storage_node_api::limits::{CHUNK_BATCH, PUT_BATCH_BYTES};
use storage_node_api::map::{ClusterMap, Node as MapNode};
use storage_node_api::order::{Answer, Query};
use storage_node_api::placement::Placement;
use storage_node_api::{DedupDomain, GroupId, ReadPoint};
use storage_node_client::tier::Links;

use super::cluster::links;
use super::status::newest_map;

/// What one node was found to hold.
#[derive(Default)]
struct Found {
    intact: u64,
    bytes: u64,
    faults: u64,
}

/// Reads every live chunk from every node that placement names, and checks it
/// against its id. Fails if one is missing or damaged.
pub(super) async fn all(data: PathBuf) -> anyhow::Result<()> {
    let runtime = Runtime::real();
    let links = links(&data, &runtime)?;
    let map = newest_map(&*links).await?;
    let mut faults = 0;
    // Nothing is placed on a node that is drained.
    for node in map.nodes.iter().filter(|node| !node.draining) {
        let found = check_node(&*links, &map, node).await?;
        println!(
            "node {}: {} chunks read and intact ({} MiB), {} missing or damaged",
            node.id,
            found.intact,
            found.bytes >> 20,
            found.faults
        );
        faults += found.faults;
    }
    ensure!(faults == 0, "{faults} chunks are missing or damaged");
    Ok(())
}

async fn check_node(links: &dyn Links, map: &ClusterMap, node: &MapNode) -> anyhow::Result<Found> {
    let mut found = Found::default();
    let mut placements = BTreeMap::new();
    for group in map.owners() {
        let mut after = Some(Vec::new());
        while let Some(from) = after {
            let (chunks, next) = page(links, node, group, from).await?;
            let expected = chunks.into_iter().filter(|(domain, chunk)| {
                let placement = placements
                    .entry(*domain)
                    .or_insert_with(|| Placement::new(*domain, map));
                placement.is_placed(&chunk.id, node.id)
            });
            check_chunks(links, node, expected.collect(), &mut found).await?;
            after = next;
        }
    }
    Ok(found)
}

type Page = (Vec<(DedupDomain, ChunkRef)>, Option<Vec<u8>>);

/// Live chunks as the node's own replica lists them, at a linearizable point.
async fn page(
    links: &dyn Links,
    node: &MapNode,
    group: GroupId,
    after: Vec<u8>,
) -> anyhow::Result<Page> {
    let query = Query::LiveChunks { after };
    let answer = links
        .node(node)
        .read(group, ReadPoint::Linearizable, query)
        .await?;
    let Answer::LiveChunks { chunks, next } = answer else {
        anyhow::bail!("node {} answered another question", node.id);
    };
    Ok((chunks, next))
}

async fn check_chunks(
    links: &dyn Links,
    node: &MapNode,
    mut chunks: Vec<(DedupDomain, ChunkRef)>,
    found: &mut Found,
) -> anyhow::Result<()> {
    chunks.sort_unstable_by_key(|(domain, chunk)| (*domain, chunk.id));
    chunks.dedup();
    let mut rest = chunks.as_slice();
    while let Some(((domain, _), _)) = rest.split_first() {
        let mut bytes = 0;
        let fits = |(other, chunk): &&(DedupDomain, ChunkRef)| {
            bytes += chunk.length as usize;
            other == domain && bytes <= PUT_BATCH_BYTES
        };
        let length = rest
            .iter()
            .take(CHUNK_BATCH)
            .take_while(fits)
            .count()
            .max(1);
        let (batch, others) = rest.split_at(length);
        rest = others;
        let wanted: Vec<ChunkRef> = batch.iter().map(|(_, chunk)| *chunk).collect();
        let answers = links.node(node).fetch(*domain, &wanted).await?;
        for (chunk, answer) in wanted.iter().zip(answers) {
            match answer.filter(|bytes| ChunkId::of(bytes) == chunk.id) {
                Some(bytes) => {
                    found.intact += 1;
                    found.bytes += bytes.len() as u64;
                }
                None => found.faults += 1,
            }
        }
    }
    Ok(())
}
