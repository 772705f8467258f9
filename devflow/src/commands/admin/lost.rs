//! `devflow admin lost`: what of a cluster is gone for good, by name.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use async_trait::async_trait;
use backup::{Holders, Lost, LostBlob};
use chunking::{ChunkId, ChunkRef};
use domain::{Forge, PasswordCost};
use runtime::Runtime;
use serde_json::{Value, json};
use storage_node_api::content::Session;
use storage_node_api::map::ClusterMap;
use storage_node_api::node::NodeError;
use storage_node_api::{BlobOwner, DedupDomain, RepositoryId};
use storage_node_client::tier::{Client, Links};

use super::recovery::Recovery;
use super::store::{Printed, bytes};
use crate::cli::LostArguments;
use crate::commands::cluster::links;
use crate::commands::status::newest_map;
use crate::config::Config;

/// What is gone, with the names that people know.
pub(super) struct Report {
    lost: Lost,
    names: BTreeMap<RepositoryId, String>,
}

/// Shows what the last recovery of this directory has left behind, and what content is nowhere.
pub(super) async fn show(arguments: &LostArguments) -> anyhow::Result<()> {
    let config = Config::load(&arguments.common, None)?;
    let recovery = Recovery::load(&config.data)?;
    let report = report(&config, &config.data, arguments.json).await?;
    print(recovery.as_ref(), Some(&report), arguments.json);
    Ok(())
}

/// Asks the cluster of a data directory.
pub(super) async fn report(config: &Config, data: &Path, quiet: bool) -> anyhow::Result<Report> {
    let runtime = Runtime::real();
    let links = links(data, &runtime)?;
    let client_config = config.storage.clone().validate()?;
    let storage = Arc::new(Client::new(
        Arc::clone(&links),
        runtime.clone(),
        client_config,
    ));
    let map = newest_map(&*links).await?;
    let nodes = Nodes {
        links,
        map: Mutex::new(Arc::new(map)),
    };
    let (silent, printed) = (backup::Silent, Printed);
    let progress: &dyn backup::Progress = if quiet { &silent } else { &printed };
    let lost = backup::lost(storage.clone(), runtime.clone(), &nodes, progress).await?;
    let forge = Forge::new(storage, runtime, PasswordCost::default());
    let mut names = BTreeMap::new();
    for blob in &lost.lost {
        if let BlobOwner::Repository(id) = blob.owner
            && !names.contains_key(&id)
        {
            let found = forge.repositories.by_storage(id).await?;
            let name = found.map_or("(no name)".to_owned(), |found| found.full_name());
            names.insert(id, name);
        }
    }
    Ok(Report { lost, names })
}

/// Shows both parts, for people or for programs.
pub(super) fn print(recovery: Option<&Recovery>, report: Option<&Report>, as_json: bool) {
    if as_json {
        let json = json!({
            "recovery": recovery,
            "content": report.map(Report::json),
        });
        println!("{json}");
        return;
    }
    for line in recovery.iter().flat_map(|recovery| recovery.lines()) {
        println!("{line}");
    }
    for line in report.iter().flat_map(|report| report.lines()) {
        println!("{line}");
    }
}

impl Report {
    fn lines(&self) -> Vec<String> {
        let lost = &self.lost;
        let mut lines: Vec<String> = lost.lost.iter().map(|blob| self.line(blob)).collect();
        if lost.more > 0 {
            lines.push(format!("and {} more", lost.more));
        }
        let all = lost.lost.len() as u64 + lost.more;
        lines.push(format!(
            "{} repositories and {} blobs of {} were looked at: {}",
            lost.repositories,
            lost.blobs,
            bytes(lost.blob_bytes),
            match all {
                0 => "every chunk is on some node".to_owned(),
                all => format!("{all} times a blob lacks something that no node has"),
            }
        ));
        lines
    }

    fn line(&self, blob: &LostBlob) -> String {
        let owner = match blob.owner {
            BlobOwner::Repository(id) => format!("repository {} ({id})", self.names[&id]),
            BlobOwner::Named(id) => format!("owner {id}"),
        };
        let Some(length) = blob.length else {
            return format!("LOST {owner}: blob {}: even its manifest", blob.blob);
        };
        let chunks: Vec<String> = blob.chunks.iter().map(|c| c.id.to_string()).collect();
        format!(
            "LOST {owner}: blob {} of {}: {} in {} chunks: {}",
            blob.blob,
            bytes(length),
            bytes(blob.lost_bytes()),
            chunks.len(),
            chunks.join(" ")
        )
    }

    fn json(&self) -> Value {
        let blobs = self.lost.lost.iter().map(|blob| {
            let (kind, owner) = match blob.owner {
                BlobOwner::Repository(id) => ("repository", id.to_string()),
                BlobOwner::Named(id) => ("named", id.to_string()),
            };
            let name = match blob.owner {
                BlobOwner::Repository(id) => self.names.get(&id),
                BlobOwner::Named(_) => None,
            };
            let chunks = blob
                .chunks
                .iter()
                .map(|chunk| json!({"id": chunk.id.to_string(), "bytes": chunk.length}));
            json!({
                "kind": kind,
                "owner": owner,
                "name": name,
                "slot": blob.slot.0,
                "domain": blob.domain.0,
                "blob": blob.blob.to_string(),
                "bytes": blob.length,
                "lost_bytes": blob.lost_bytes(),
                "lost_chunks": chunks.collect::<Vec<_>>(),
            })
        });
        json!({
            "repositories": self.lost.repositories,
            "blobs": self.lost.blobs,
            "blob_bytes": self.lost.blob_bytes,
            "lost": blobs.collect::<Vec<_>>(),
            "more": self.lost.more,
        })
    }
}

/// The nodes of a cluster, asked one after the other.
#[derive(Debug)]
struct Nodes {
    links: Arc<dyn Links>,
    map: Mutex<Arc<ClusterMap>>,
}

impl Nodes {
    fn map(&self) -> Arc<ClusterMap> {
        Arc::clone(&self.map.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn ask(
        &self,
        map: &ClusterMap,
        domain: DedupDomain,
        chunks: &[ChunkRef],
    ) -> Result<Vec<bool>, NodeError> {
        let session = Session {
            generation: map.generation,
            epoch: map.epoch,
            domain,
        };
        let mut held = vec![false; chunks.len()];
        for node in &map.nodes {
            let missing: Vec<usize> = (0..held.len()).filter(|place| !held[*place]).collect();
            if missing.is_empty() {
                break;
            }
            let ids: Vec<ChunkId> = missing.iter().map(|place| chunks[*place].id).collect();
            let answer = self.links.node(node).presence(&session, &ids).await?;
            for (place, has) in missing.into_iter().zip(answer.held) {
                held[place] = has;
            }
        }
        Ok(held)
    }
}

#[async_trait]
impl Holders for Nodes {
    /// A node that does not answer is an error: what it holds is not lost.
    async fn held(&self, domain: DedupDomain, chunks: &[ChunkRef]) -> Result<Vec<bool>, String> {
        let known = self.map();
        match self.ask(&known, domain, chunks).await {
            Err(NodeError::SessionExpired) => {}
            Err(error @ (NodeError::Unreachable { .. } | NodeError::Silent { .. })) => {
                return Err(format!(
                    "{error}: bring it back, or remove it first if it is lost for good"
                ));
            }
            other => return other.map_err(|error| error.to_string()),
        }
        // The collector has begun another generation meanwhile.
        let newest = newest_map(&*self.links).await;
        let newest = Arc::new(
            newest
                .context("ask for the map")
                .map_err(|e| e.to_string())?,
        );
        *self.map.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&newest);
        let held = self.ask(&newest, domain, chunks).await;
        held.map_err(|error| error.to_string())
    }
}
