//! A node that is lost for good, and its successor.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::cluster::Cluster;
use super::operator::Status;

/// How long the successor may take to have everything, while clients work.
const PATIENCE: Duration = Duration::from_secs(240);

impl Cluster {
    /// The place in [`Cluster::nodes`] of the node with this id.
    pub fn position_of(&self, id: u64) -> Option<usize> {
        self.ids.iter().position(|known| *known == id)
    }

    /// Puts a new node in the place of one whose process is dead and whose data
    /// directory is empty, under the same addresses; waits until the old one is
    /// out of the map and the new one has a voter of every group and every chunk.
    /// Returns its id.
    pub fn replace(&mut self, node: usize) -> anyhow::Result<u64> {
        let old = self.ids[node];
        let before: Vec<u64> = self.status()?.nodes.iter().map(|node| node.id).collect();
        let host = self.layout.hosts.get(node).cloned();
        let data = self.data(node);
        self.join(&data, "node", Some(self.addresses[node]), host.as_ref())?;
        self.nodes[node].restart()?;
        let is_new = |id: &u64| !before.contains(id);
        let new = self.wait_for("no new node is in the map", |status| {
            status.nodes.iter().map(|node| node.id).find(is_new)
        })?;
        let (from, to) = (old.to_string(), new.to_string());
        let order = ["node", "replace", &from, "--by", &to];
        self.operator().cluster(&order)?;
        self.wait_for("the successor lacks something", |status| {
            let is_gone = status.nodes.iter().all(|node| node.id != old);
            let successor = status.nodes.iter().find(|node| node.id == new)?;
            let votes = successor
                .groups
                .iter()
                .all(|group| group.voters.contains(&new));
            let has_all = successor.missing_chunks == Some(0) && !successor.groups.is_empty();
            (is_gone && votes && has_all).then_some(())
        })?;
        self.ids[node] = new;
        Ok(new)
    }

    /// See [`Operator::transfer`](super::Operator::transfer).
    pub fn transfer(&self, group: u64, node: u64) -> anyhow::Result<String> {
        self.operator().transfer(group, node)
    }

    fn wait_for<T>(
        &self,
        otherwise: &'static str,
        found: impl Fn(&Status) -> Option<T>,
    ) -> anyhow::Result<T> {
        let began = Instant::now();
        loop {
            let status = self.status();
            if let Some(found) = status.as_ref().ok().and_then(&found) {
                return Ok(found);
            }
            ensure!(
                began.elapsed() < PATIENCE,
                "{otherwise} after {PATIENCE:?}: {:?}",
                status.context(otherwise)
            );
            thread::sleep(Duration::from_millis(300));
        }
    }
}
