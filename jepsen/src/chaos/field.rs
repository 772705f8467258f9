use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use rand::Rng;
use rand::rngs::StdRng;
use rustix::process::Signal;

use crate::harness::{Cluster, Layout, Process};
use crate::network::{Host, Link, Network};
use crate::shim::Shim;

/// How many storage nodes a local cluster has.
pub(super) const NODES: usize = 3;
/// The node whose disk is a small one of its own, where a fault needs that.
pub(super) const SMALL_DISK: usize = 2;
/// And its size: more than the 1 GiB below which a node takes no chunks.
const SMALL_DISK_BYTES: u64 = 3 << 29;

/// Where nodes and frontends are, if there are regions; the last has no frontend
/// and one node, so that each of the others can be lost.
const REGIONS: [(&str, usize, usize); 3] = [("eu", 2, 1), ("us", 2, 1), ("ap", 1, 0)];
/// One way between two regions.
const DISTANCE: Duration = Duration::from_millis(10);
/// How long voters and content may take to be where they were ordered.
const ORDER_PATIENCE: Duration = Duration::from_secs(120);

/// A cluster on this machine, and everything that can be broken about it.
pub(super) struct Field {
    pub(super) cluster: Cluster,
    /// Nothing where this process may not make one.
    pub(super) network: Option<Network>,
    /// For each node.
    pub(super) shims: Vec<Shim>,
    /// The region of each host, in their order; none if there are no regions.
    regions: Vec<&'static str>,
}

/// What a field needs beyond three nodes on loopback.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Needs {
    pub(super) network: bool,
    pub(super) shims: bool,
    pub(super) small_disk: bool,
    /// Five nodes in three regions that are apart, of which one may be lost.
    pub(super) regions: bool,
    /// Nodes by the timing for fast disks.
    pub(super) fast_disk: bool,
    /// How long nothing must be asked of a group before it sleeps; as nodes have it if it is not said.
    pub(super) hibernate_after: Option<Duration>,
}

impl Field {
    /// Starts `nodes` storage nodes and `frontends` frontends; with regions as
    /// many as these have.
    ///
    /// With a network, the calling thread is in it afterwards, and the cluster
    /// can only be reached from there and from [`Field::clients`].
    pub(super) fn start(
        directory: &Path,
        nodes: usize,
        frontends: usize,
        needs: Needs,
    ) -> anyhow::Result<Self> {
        let regions = match needs.regions {
            true => regions_of_hosts(),
            false => Vec::new(),
        };
        let (nodes, frontends) = match needs.regions {
            true => (
                REGIONS.iter().map(|region| region.1).sum(),
                REGIONS.iter().map(|region| region.2).sum(),
            ),
            false => (nodes, frontends),
        };
        let network = match needs.network {
            true => Some(Network::start(nodes + frontends + 1)?),
            false => None,
        };
        let mut layout = Layout {
            variables: variables(nodes, frontends, needs, &regions),
            ..Layout::default()
        };
        if let Some(network) = &network {
            for number in 0..nodes + frontends {
                layout.hosts.push(Arc::clone(network.host(number)?));
            }
            network.host(nodes + frontends)?.enter()?;
        }
        let shims = match needs.shims {
            true => prepare_shims(directory, &mut layout.variables[..nodes])?,
            false => Vec::new(),
        };
        if needs.small_disk {
            let data = directory.join(format!("node{}", SMALL_DISK + 1));
            fs::create_dir_all(&data)?;
            let host = layout
                .hosts
                .get(SMALL_DISK)
                .context("a disk of its own needs a host")?;
            host.mount(&data, SMALL_DISK_BYTES)?;
        }
        let field = Self {
            cluster: Cluster::start_as(directory, nodes, frontends, layout)?,
            network,
            shims,
            regions,
        };
        field.order_regions()?;
        Ok(field)
    }

    /// Puts regions apart, and orders that one may be lost.
    fn order_regions(&self) -> anyhow::Result<()> {
        if self.regions.is_empty() {
            return Ok(());
        }
        let shares = REGIONS.map(|(region, nodes, _)| format!("{region}={nodes}"));
        let shares = shares.each_ref().map(String::as_str);
        let operator = self.cluster.operator();
        operator.survive("region", &shares, &shares, REGIONS[0].0)?;
        self.cluster.wait_until_settled(ORDER_PATIENCE)?;
        self.heal_network();
        Ok(())
    }

    /// The names of the regions.
    pub(super) fn regions(&self) -> Vec<&'static str> {
        REGIONS.map(|(region, ..)| region).to_vec()
    }

    /// The hosts in a region.
    pub(super) fn hosts_in(&self, region: &str) -> Vec<usize> {
        let hosts = self.regions.iter().enumerate();
        let inside = hosts.filter(|(_, other)| **other == region);
        inside.map(|(host, _)| host).collect()
    }

    /// Lets everything through again, as late as it comes when all is well.
    pub(super) fn heal_network(&self) {
        let Some(network) = &self.network else {
            return;
        };
        network.heal();
        let apart = Link {
            delay: DISTANCE,
            ..Link::default()
        };
        for (from, region) in self.regions.iter().enumerate() {
            for (to, other) in self.regions.iter().enumerate() {
                if region != other {
                    network.set(from, to, apart);
                }
            }
        }
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

    /// The process of a host: a node's, or a frontend's.
    fn process(&mut self, host: usize) -> &mut Process {
        let nodes = self.cluster.nodes.len();
        match host.checked_sub(nodes) {
            Some(frontend) => &mut self.cluster.frontends[frontend],
            None => &mut self.cluster.nodes[host],
        }
    }

    /// Signals the process of a host.
    pub(super) fn signal(&mut self, host: usize, signal: Signal) -> anyhow::Result<()> {
        self.process(host).signal(signal)
    }

    /// `kill -9` to the process of a host.
    pub(super) fn kill_host(&mut self, host: usize) -> anyhow::Result<()> {
        self.process(host).kill()
    }

    /// Starts the killed process of a host again, with all that it wrote.
    pub(super) fn start_host(&mut self, host: usize) -> anyhow::Result<()> {
        match host < self.cluster.nodes.len() {
            true => self.start_again(host),
            false => self.process(host).restart(),
        }
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
        let groups = settled.count_groups();
        Ok(format!("{groups} groups: one state hash each on all nodes"))
    }
}

/// The environment of a process.
type Variables = Vec<(String, String)>;

/// What nodes, and then frontends, are told of where they are and how they are to be.
fn variables(nodes: usize, frontends: usize, needs: Needs, regions: &[&str]) -> Vec<Variables> {
    let mut variables = vec![Variables::new(); nodes + frontends];
    for (number, (own, region)) in variables.iter_mut().zip(regions).enumerate() {
        let section = if number < nodes { "NODE" } else { "STORAGE" };
        own.push((format!("DEVFLOW_{section}__REGION"), (*region).to_owned()));
    }
    if needs.fast_disk {
        let (key, value) = ("DEVFLOW_NODE__RAFT__PROFILE", "fast-disk");
        for own in &mut variables[..nodes] {
            own.push((key.to_owned(), value.to_owned()));
        }
    }
    if let Some(after) = needs.hibernate_after {
        let parts = [
            ("SECS", after.as_secs()),
            ("NANOS", after.subsec_nanos().into()),
        ];
        for own in &mut variables[..nodes] {
            let name = |part: &str| format!("DEVFLOW_NODE__RAFT__HIBERNATE_AFTER__{part}");
            own.extend(parts.map(|(part, value)| (name(part), value.to_string())));
        }
    }
    variables
}

/// A shim for each node, whose environment is added to what it has.
fn prepare_shims(directory: &Path, variables: &mut [Variables]) -> anyhow::Result<Vec<Shim>> {
    let library = Shim::compile(directory)?;
    let mut shims = Vec::new();
    for (number, own) in (1..).zip(variables) {
        let undo = directory.join(format!("shim{number}"));
        let data = directory.join(format!("node{number}"));
        let shim = Shim::prepare(&library, &undo, &data)?;
        let added = shim.variables()?.into_iter();
        own.extend(added.map(|(key, value)| (key.to_owned(), value.to_owned())));
        shims.push(shim);
    }
    Ok(shims)
}

/// The region of each host: all nodes, then all frontends.
fn regions_of_hosts() -> Vec<&'static str> {
    let of = |count: fn(&(&str, usize, usize)) -> usize| {
        let regions = REGIONS.iter();
        regions.flat_map(move |region| std::iter::repeat_n(region.0, count(region)))
    };
    of(|region| region.1).chain(of(|region| region.2)).collect()
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
