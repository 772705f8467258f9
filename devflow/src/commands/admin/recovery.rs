use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use storage_node_server::recover::Recovered;

/// In the survivor's data directory.
const FILE: &str = "recovery.json";

/// What a recovery has given up, kept beside the survivor's data for people to read later. Nothing
/// in the node relies on it.
#[derive(Serialize, Deserialize)]
pub(super) struct Recovery {
    cluster: String,
    survivor: u64,
    /// Nodes that can never rejoin.
    given_up: Vec<GivenUp>,
    groups: Vec<Group>,
}

#[derive(Serialize, Deserialize)]
struct GivenUp {
    node: u64,
    address: String,
}

/// How far the survivor had come in a group.
#[derive(Serialize, Deserialize)]
struct Group {
    group: u64,
    /// The last entry that the survivor has: all after it are lost. Nothing if it has none at all.
    last: Option<u64>,
    /// Up to here it knows that entries were committed; those between were kept, and some of them
    /// may never have been acknowledged.
    committed: Option<u64>,
}

impl Recovery {
    pub(super) fn of(recovered: &Recovered) -> Self {
        let given_up = recovered.lost.iter().map(|node| GivenUp {
            node: node.id.0,
            address: node.control.clone(),
        });
        let groups = recovered.groups.iter().map(|found| Group {
            group: found.group.0,
            last: found.last,
            committed: found.committed,
        });
        Self {
            cluster: recovered.cluster.to_string(),
            survivor: recovered.node.0,
            given_up: given_up.collect(),
            groups: groups.collect(),
        }
    }

    pub(super) fn save(&self, data: &Path) -> anyhow::Result<()> {
        let path = data.join(FILE);
        let text = serde_json::to_string_pretty(self)?;
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))
    }

    /// The last recovery of a directory, if there was one.
    pub(super) fn load(data: &Path) -> anyhow::Result<Option<Self>> {
        let path = data.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => {
                let read = serde_json::from_str(&text);
                read.with_context(|| format!("read {}", path.display()))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
        }
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let head = format!(
            "cluster {}: node {} went on alone",
            self.cluster, self.survivor
        );
        let given_up = self.given_up.iter().map(|node| {
            format!(
                "given up: node {} at {}; it can never rejoin",
                node.node, node.address
            )
        });
        let groups = self.groups.iter().map(|group| match group.last {
            Some(last) => format!(
                "group {}: entries up to {last} are here, {} of them known to be committed; what was committed after {last} is lost",
                group.group,
                group.committed.map_or("none".to_owned(), |at| format!("up to {at}")),
            ),
            None => format!(
                "group {}: NOTHING is here of it; it begins empty",
                group.group
            ),
        });
        [head].into_iter().chain(given_up).chain(groups).collect()
    }
}
