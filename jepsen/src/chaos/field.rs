use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use rand::Rng;
use rand::rngs::StdRng;

use crate::harness::{Cluster, Layout};
use crate::network::{Host, Link, Network};
use crate::shim::Shim;

/// How many storage nodes a local cluster has.
pub(super) const NODES: usize = 3;
/// The node whose disk is a small one of its own, where a fault needs that.
pub(super) const SMALL_DISK: usize = 2;
/// And its size: more than the 1 GiB below which a node takes no chunks.
const SMALL_DISK_BYTES: u64 = 3 << 29;

/// A cluster on this machine, and everything that can be broken about it.
pub(super) struct Field {
    pub(super) cluster: Cluster,
    /// Nothing where this process may not make one.
    pub(super) network: Option<Network>,
    /// For each node.
    pub(super) shims: Vec<Shim>,
}

/// What a field needs beyond three nodes on loopback.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Needs {
    pub(super) network: bool,
    pub(super) shims: bool,
    pub(super) small_disk: bool,
    /// How long nothing must be asked of a group before it sleeps; as nodes have it if it is not said.
    pub(super) hibernate_after: Option<Duration>,
}

impl Field {
    /// Starts `nodes` storage nodes and `frontends` frontends.
    ///
    /// With a network, the calling thread is in it afterwards, and the cluster
    /// can only be reached from there and from [`Field::clients`].
    pub(super) fn start(
        directory: &Path,
        nodes: usize,
        frontends: usize,
        needs: Needs,
    ) -> anyhow::Result<Self> {
        let network = match needs.network {
            true => Some(Network::start(nodes + frontends + 1)?),
            false => None,
        };
        let mut layout = Layout::default();
        if let Some(network) = &network {
            for number in 0..nodes + frontends {
                layout.hosts.push(Arc::clone(network.host(number)?));
            }
            network.host(nodes + frontends)?.enter()?;
        }
        let mut shims = Vec::new();
        if needs.shims {
            let library = Shim::compile(directory)?;
            for number in 1..=nodes {
                let own = directory.join(format!("shim{number}"));
                let data = directory.join(format!("node{number}"));
                let shim = Shim::prepare(&library, &own, &data)?;
                let variables = shim.variables()?;
                let variables = variables
                    .into_iter()
                    .map(|(k, v)| (k.to_owned(), v.to_owned()));
                layout.variables.push(variables.collect());
                shims.push(shim);
            }
        }
        if let Some(after) = needs.hibernate_after {
            layout
                .variables
                .resize(layout.variables.len().max(nodes), Vec::new());
            let parts = [
                ("SECS", after.as_secs()),
                ("NANOS", after.subsec_nanos().into()),
            ];
            for variables in &mut layout.variables {
                let name = |part: &str| format!("DEVFLOW_NODE__RAFT__HIBERNATE_AFTER__{part}");
                variables.extend(parts.map(|(part, value)| (name(part), value.to_string())));
            }
        }
        if needs.small_disk {
            let data = directory.join(format!("node{}", SMALL_DISK + 1));
            fs::create_dir_all(&data)?;
            let host = layout
                .hosts
                .get(SMALL_DISK)
                .context("a disk of its own needs a host")?;
            host.mount(&data, SMALL_DISK_BYTES)?;
        }
        Ok(Self {
            cluster: Cluster::start_as(directory, nodes, frontends, layout)?,
            network,
            shims,
        })
    }

    /// The host from which clients ask.
    pub(super) fn clients(&self) -> anyhow::Result<Option<Arc<Host>>> {
        let number = self.cluster.nodes.len() + self.cluster.frontends.len();
        let network = self.network.as_ref();
        network
            .map(|network| network.host(number).map(Arc::clone))
            .transpose()
    }

    /// How many hosts have a process of the cluster.
    pub(super) fn hosts(&self) -> usize {
        self.cluster.nodes.len() + self.cluster.frontends.len()
    }

    /// Changes one direction of one pair of hosts.
    pub(super) fn set_link(&self, from: usize, to: usize, link: Link) -> anyhow::Result<()> {
        let network = self
            .network
            .as_ref()
            .context("there is no network of our own")?;
        network.set(from, to, link);
        Ok(())
    }

    /// A node to break: every second time the leader of a group.
    pub(super) fn choose_node(&self, random: &mut StdRng) -> usize {
        let any = random.random_range(0..self.cluster.nodes.len());
        if random.random_bool(0.5) {
            return any;
        }
        self.leader().unwrap_or(any)
    }

    /// The node that leads the last group, if anybody says.
    pub(super) fn leader(&self) -> Option<usize> {
        let status = self.cluster.status().ok()?;
        let reachable = status.nodes.iter().find(|node| node.reachable)?;
        let leader = reachable.groups.last()?.leader?;
        self.cluster.position_of(leader)
    }

    /// Does something where a node's files are seen.
    pub(super) fn at_data<T: Send + 'static>(
        &self,
        node: usize,
        work: impl FnOnce(PathBuf) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let data = self.cluster.data(node);
        match &self.network {
            Some(network) => network.host(node)?.run(move || work(data))?,
            None => work(data),
        }
    }

    /// `kill -9` to a node.
    pub(super) fn kill(&mut self, node: usize) -> anyhow::Result<()> {
        self.cluster.nodes[node].kill()
    }

    /// Starts a killed node again, with all that it wrote.
    pub(super) fn start_again(&mut self, node: usize) -> anyhow::Result<()> {
        if let Some(shim) = self.shims.get(node) {
            shim.keep_unsynced()?;
        }
        self.cluster.nodes[node].restart()
    }

    /// Empties a node's directory, and has a new node take its place.
    pub(super) fn replace(&mut self, node: usize) -> anyhow::Result<()> {
        self.kill(node)?;
        if let Some(shim) = self.shims.get(node) {
            shim.keep_unsynced()?;
        }
        self.at_data(node, |data| empty(&data))?;
        self.cluster.replace(node).map(drop)
    }

    /// Takes back what a killed node wrote and did not sync.
    pub(super) fn lose_unsynced(&self, node: usize) -> anyhow::Result<usize> {
        let shim = self.shims.get(node).context("there is no shim")?.clone();
        self.at_data(node, move |_| shim.lose_unsynced())
    }

    /// Fails if a process ended that nobody killed.
    pub(super) fn ensure_running(&mut self) -> anyhow::Result<()> {
        for process in self
            .cluster
            .nodes
            .iter_mut()
            .chain(&mut self.cluster.frontends)
        {
            ensure!(
                !process.has_ended(),
                "{} ended by itself: see {}",
                process.name(),
                process.log().display()
            );
        }
        Ok(())
    }

    /// Waits until all is as it should be: see [`Cluster::wait_until_settled`].
    pub(super) fn settle(&self, patience: Duration) -> anyhow::Result<String> {
        let settled = self.cluster.wait_until_settled(patience)?;
        let groups = settled.nodes[0].groups.len();
        Ok(format!("{groups} groups: one state hash each on all nodes"))
    }
}

/// Removes all that is in a directory, which may be a place where something is
/// mounted.
fn empty(directory: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false => fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}
