//! What `cluster init` and `cluster join` leave in a data directory, and what an
//! invitation holds.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use storage_node_client::bulk::Choice;
use storage_node_client::identity::Identity;
use storage_node_server::member::Part;

/// The part of a process in its cluster, beside its certificate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Place {
    /// Whether it made the cluster.
    pub(super) founder: bool,
    /// `node` or `frontend`.
    pub(super) role: String,
    /// Control addresses of nodes.
    pub(super) seeds: Vec<String>,
    /// Where a node listens for control and Raft.
    pub(super) listen: Option<String>,
    /// Where a node listens for bulk.
    pub(super) bulk: Option<String>,
}

/// A secret with which one process may join.
#[derive(Serialize, Deserialize)]
pub(super) struct Invitation {
    /// The version of this form.
    pub(super) version: u32,
    /// `node` or `frontend`.
    pub(super) role: String,
    /// Control addresses of nodes.
    pub(super) seeds: Vec<String>,
    /// The authority's certificate, in PEM.
    pub(super) authority: String,
    /// The invited party's certificate, in PEM.
    pub(super) certificate: String,
    /// Its key, in PEM.
    pub(super) key: String,
}

/// The version of [`Invitation`] that this program writes and reads.
pub(super) const INVITATION: u32 = 1;

/// Where a data directory keeps all this.
pub(super) fn directory(data: &Path) -> PathBuf {
    data.join("identity")
}

/// Writes who the process is, once.
pub(super) fn save(data: &Path, identity: &Identity, place: &Place) -> anyhow::Result<()> {
    let directory = directory(data);
    ensure!(
        !directory.exists(),
        "{} belongs to a cluster already: use an empty directory",
        data.display()
    );
    fs::create_dir_all(&directory)?;
    identity.save(&directory)?;
    fs::write(
        directory.join("place.json"),
        serde_json::to_string_pretty(place)?,
    )?;
    Ok(())
}

/// Reads who the process is.
pub(super) fn load(data: &Path) -> anyhow::Result<(Identity, Place)> {
    let directory = directory(data);
    if !directory.exists() {
        bail!(
            "{} is not part of a cluster: run `devflow cluster init` or `devflow cluster join` first",
            data.display()
        );
    }
    let text = fs::read_to_string(directory.join("place.json")).context("read the node's place")?;
    Ok((
        Identity::load(&directory)?,
        serde_json::from_str(&text).context("read the node's place")?,
    ))
}

/// The same, for a storage node.
pub(super) fn node_part(data: &Path) -> anyhow::Result<Part> {
    let (identity, place) = load(data)?;
    let (Some(listen), Some(bulk)) = (place.listen, place.bulk) else {
        bail!(
            "{} was invited as a frontend: start it with `devflow frontend`",
            data.display()
        );
    };
    Ok(Part {
        identity,
        founder: place.founder,
        seeds: place.seeds,
        listen,
        bulk,
        choice: Choice::default(),
    })
}
