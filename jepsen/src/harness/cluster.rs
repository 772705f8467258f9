use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use super::Http;
use super::process::{Process, devflow, free_address};
use crate::network::Host;

/// How long a new cluster may take to settle.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// Where each process of a cluster runs, in the order nodes, then frontends.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// The hosts; none for loopback.
    pub hosts: Vec<Arc<Host>>,
    /// For each process its environment; those that have none left have none.
    pub variables: Vec<Vec<(String, String)>>,
    /// How long the nodes may take to vote in all groups; a minute unless given.
    pub patience: Option<Duration>,
}

/// Storage nodes and frontends, on loopback or on hosts of a network of our own.
#[derive(Debug)]
pub struct Cluster {
    directory: PathBuf,
    pub(super) layout: Layout,
    /// The storage nodes; one that was replaced has its successor in its place.
    pub nodes: Vec<Process>,
    /// Their ids in the map.
    pub(super) ids: Vec<u64>,
    /// Where they listen, for control and for bulk.
    pub(super) addresses: Vec<(SocketAddr, SocketAddr)>,
    /// The frontends.
    pub frontends: Vec<Process>,
}

/// What `devflow cluster status --json` prints.
#[derive(Clone, Debug, Deserialize)]
pub struct Status {
    /// All nodes of the map.
    pub nodes: Vec<NodeStatus>,
}

/// One node of a [`Status`].
#[derive(Clone, Debug, Deserialize)]
pub struct NodeStatus {
    /// Its id.
    pub id: u64,
    /// Whether it answered.
    pub reachable: bool,
    /// Chunks that placement names and it lacks; nothing before its first look.
    pub missing_chunks: Option<u64>,
    /// Its replicas.
    pub groups: Vec<GroupStatus>,
}

/// One replica of a [`NodeStatus`].
#[derive(Clone, Debug, Deserialize)]
pub struct GroupStatus {
    /// The group.
    pub group: u64,
    /// Its leader.
    pub leader: Option<u64>,
    /// The last applied index.
    pub applied: u64,
    /// How many voters it has.
    pub voters: Vec<u64>,
    /// The hash of the state at `applied`, in hexadecimal.
    pub state_hash: String,
}

impl Layout {
    fn variables_of(&self, process: usize) -> Vec<(&str, &str)> {
        let variables = self.variables.get(process).into_iter().flatten();
        variables
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect()
    }
}

impl Cluster {
    /// Makes a cluster of `nodes` storage nodes and `frontends` frontends.
    pub fn start(directory: &Path, nodes: usize, frontends: usize) -> anyhow::Result<Self> {
        Self::start_as(directory, nodes, frontends, Layout::default())
    }

    /// The same, each process at its place. The calling thread must be able to
    /// reach the hosts, if there are any.
    pub fn start_as(
        directory: &Path,
        nodes: usize,
        frontends: usize,
        layout: Layout,
    ) -> anyhow::Result<Self> {
        let mut cluster = Self {
            directory: directory.to_owned(),
            layout,
            nodes: Vec::new(),
            ids: Vec::new(),
            addresses: Vec::new(),
            frontends: Vec::new(),
        };
        for number in 1..=nodes {
            cluster.add_node(number)?;
        }
        let patience = cluster.layout.patience.unwrap_or(START_PATIENCE);
        let settled = cluster.wait_until_settled(patience)?;
        cluster.ids = settled.nodes.iter().map(|node| node.id).collect();
        for number in 1..=frontends {
            cluster.add_frontend(number)?;
        }
        Ok(cluster)
    }

    /// The data directory of a node, counted from nought.
    pub fn data(&self, node: usize) -> PathBuf {
        self.directory.join(format!("node{}", node + 1))
    }

    /// The web address of a frontend.
    pub fn base(&self, frontend: usize) -> anyhow::Result<String> {
        let process = self.frontends.get(frontend).context("no such frontend")?;
        Ok(process.listener("http")?.to_owned())
    }

    /// Requests to the first frontend by the administrator.
    pub fn http(&self) -> anyhow::Result<Http> {
        Ok(Http::new(&self.base(0)?))
    }

    /// The data directory whose identity asks: the first frontend's, or else the
    /// first node's.
    pub(super) fn asker(&self) -> PathBuf {
        let asker = if self.frontends.is_empty() {
            "node1"
        } else {
            "frontend1"
        };
        self.directory.join(asker)
    }

    /// What the cluster says of itself, asked with the first frontend's identity
    /// or else the first node's.
    pub fn status(&self) -> anyhow::Result<Status> {
        let data = self.asker();
        let text = run(&["cluster", "status", "--json", "--data", path(&data)?])?;
        serde_json::from_str(&text).with_context(|| format!("parse the status {text}"))
    }

    /// Reads every chunk from every node that placement names; fails if one is
    /// missing or damaged.
    pub fn verify(&self) -> anyhow::Result<String> {
        let data = self.directory.join("frontend1");
        run(&["cluster", "verify", "--data", path(&data)?])
    }

    /// The same, given time: a node that was away fetches what it lacks when it
    /// next looks.
    pub fn wait_until_verified(&self, deadline: Duration) -> anyhow::Result<String> {
        let began = Instant::now();
        loop {
            match self.verify() {
                Err(_) if began.elapsed() < deadline => thread::sleep(Duration::from_secs(1)),
                verified => return verified,
            }
        }
    }

    /// Has all nodes verify what they keep, at full speed, and repair it. Fails
    /// if something stays damaged.
    pub fn scrub(&self) -> anyhow::Result<String> {
        let data = self.asker();
        run(&["cluster", "scrub", "--fast", "--data", path(&data)?])
    }

    /// A cycle of the collector on all nodes, at full speed; with `dry_run` only
    /// what one would find. Fails if a node was away or started meanwhile.
    pub fn collect(&self, dry_run: bool) -> anyhow::Result<String> {
        let data = self.asker();
        let how = if dry_run { "--dry-run" } else { "--fast" };
        run(&["cluster", "collect", how, "--data", path(&data)?])
    }

    /// Waits until all nodes are voters of all groups, agree on the state hash at
    /// one index, and lack no chunk.
    pub fn wait_until_settled(&self, deadline: Duration) -> anyhow::Result<Status> {
        let began = Instant::now();
        let mut last = String::new();
        while began.elapsed() < deadline {
            match self
                .status()
                .and_then(|status| settled(&status, self.nodes.len()).map(|()| status))
            {
                Ok(status) => return Ok(status),
                Err(error) => last = format!("{error:#}"),
            }
            thread::sleep(Duration::from_millis(200));
        }
        bail!("the cluster did not settle within {deadline:?}: {last}")
    }

    fn add_node(&mut self, number: usize) -> anyhow::Result<()> {
        let data = self.directory.join(format!("node{number}"));
        let host = self.layout.hosts.get(number - 1).cloned();
        let (listen, bulk) = match &host {
            Some(host) => (address(host, 7001), address(host, 7002)),
            None => (free_address()?, free_address()?),
        };
        if number == 1 {
            run(&[
                "cluster",
                "init",
                "--data",
                path(&data)?,
                "--listen",
                &listen.to_string(),
                "--bulk",
                &bulk.to_string(),
            ])?;
            self.keep_authority(&data)?;
        } else {
            self.join(&data, "node", Some((listen, bulk)), host.as_ref())?;
        }
        let name = format!("node{number}");
        let arguments = ["storage-node", "--data", path(&data)?];
        let variables = self.layout.variables_of(number - 1);
        let node = Process::start_on(host, &name, &arguments, &variables, 2, &self.directory)?;
        self.nodes.push(node);
        self.addresses.push((listen, bulk));
        Ok(())
    }

    /// Keeps what invites apart from the first node, as an operator should, so
    /// that the cluster can lose that node too.
    fn keep_authority(&self, of: &Path) -> anyhow::Result<()> {
        let mut copy = Command::new("cp");
        let copied = copy.arg("-a").arg(of).arg(self.authority()).status()?;
        ensure!(copied.success(), "copy {}", of.display());
        Ok(())
    }

    fn authority(&self) -> PathBuf {
        self.directory.join("authority")
    }

    fn add_frontend(&mut self, number: usize) -> anyhow::Result<()> {
        let data = self.directory.join(format!("frontend{number}"));
        let host = self
            .layout
            .hosts
            .get(self.nodes.len() + number - 1)
            .cloned();
        self.join(&data, "frontend", None, None)?;
        let name = format!("frontend{number}");
        let address = match &host {
            Some(host) => address(host, 3000),
            None => free_address()?,
        };
        let address = address.to_string();
        let arguments = [
            "frontend",
            "--data",
            path(&data)?,
            "--http",
            &address,
            "--ssh",
            "127.0.0.1:0",
        ];
        let variables = self.layout.variables_of(self.nodes.len() + number - 1);
        let frontend = Process::start_on(host, &name, &arguments, &variables, 2, &self.directory)?;
        self.frontends.push(frontend);
        Ok(())
    }

    pub(super) fn join(
        &self,
        data: &Path,
        role: &str,
        listen: Option<(SocketAddr, SocketAddr)>,
        host: Option<&Arc<Host>>,
    ) -> anyhow::Result<()> {
        let authority = self.authority();
        let mut invite = vec!["cluster", "invite", role, "--data", path(&authority)?];
        let seeds: Vec<String> = self.addresses.iter().map(|at| at.0.to_string()).collect();
        for seed in &seeds {
            invite.extend(["--seed", seed]);
        }
        let invitation = run(&invite)?;
        let file = data.with_extension("invitation");
        std::fs::write(&file, invitation)?;
        let mut arguments = vec![
            "cluster",
            "join",
            "--data",
            path(data)?,
            "--invitation",
            path(&file)?,
        ];
        let addresses = listen.map(|(listen, bulk)| (listen.to_string(), bulk.to_string()));
        if let Some((listen, bulk)) = &addresses {
            arguments.extend(["--listen", listen, "--bulk", bulk]);
        }
        let Some(host) = host else {
            return run(&arguments).map(drop);
        };
        // What only the host sees may be mounted at its data directory.
        let arguments: Vec<String> = arguments.iter().map(|&a| a.to_owned()).collect();
        host.run(move || {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            run(&arguments).map(drop)
        })?
    }
}

fn address(host: &Host, port: u16) -> SocketAddr {
    (host.address(), port).into()
}

/// Whether every group has the same voters, index and state on all nodes.
fn settled(status: &Status, nodes: usize) -> anyhow::Result<()> {
    ensure!(
        status.nodes.len() == nodes,
        "{} of {nodes} nodes are in the map",
        status.nodes.len()
    );
    let first = &status.nodes[0];
    for node in &status.nodes {
        ensure!(node.reachable, "node {} does not answer", node.id);
        ensure!(
            node.missing_chunks == Some(0),
            "node {} lacks {:?} chunks",
            node.id,
            node.missing_chunks
        );
        ensure!(
            node.groups.len() == first.groups.len(),
            "node {} lacks groups",
            node.id
        );
        for (group, reference) in node.groups.iter().zip(&first.groups) {
            ensure!(
                group.leader.is_some(),
                "group {} has no leader",
                group.group
            );
            ensure!(
                group.voters.len() == nodes,
                "group {} has {:?}",
                group.group,
                group.voters
            );
            ensure!(
                (group.group, group.applied) == (reference.group, reference.applied),
                "group {} is at {} on node {} and at {} on node {}",
                group.group,
                group.applied,
                node.id,
                reference.applied,
                first.id
            );
            ensure!(
                group.state_hash == reference.state_hash,
                "group {} at {} differs between nodes {} and {}",
                group.group,
                group.applied,
                node.id,
                first.id
            );
        }
    }
    Ok(())
}

pub(super) fn run(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(devflow()?).args(arguments).output()?;
    ensure!(
        output.status.success(),
        "devflow {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

pub(super) fn path(path: &Path) -> anyhow::Result<&str> {
    path.to_str()
        .with_context(|| format!("{} is not UTF-8", path.display()))
}

/// One process that is everything: `devflow serve`.
pub fn serve(name: &str, directory: &Path) -> anyhow::Result<Process> {
    let data = directory.join(name);
    let address = free_address()?.to_string();
    Process::start(
        name,
        &[
            "serve",
            "--data",
            path(&data)?,
            "--http",
            &address,
            "--ssh",
            "127.0.0.1:0",
        ],
        2,
        directory,
    )
}
