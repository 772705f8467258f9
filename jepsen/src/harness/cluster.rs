use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::operator::{path, run};
use super::process::{Process, free_address};
use super::{Http, Operator, Status};
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
    /// Which binary everything is started and ordered with; that under test unless given.
    pub program: Option<PathBuf>,
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

    /// Who asks and orders: with the first frontend's identity, or else the first node's.
    pub fn operator(&self) -> Operator {
        let asker = if self.frontends.is_empty() {
            "node1"
        } else {
            "frontend1"
        };
        Operator::with(self.directory.join(asker)).by(self.layout.program.clone())
    }

    /// Has all that is started or ordered from now on done by the binary under test.
    pub fn use_binary_under_test(&mut self) {
        self.layout.program = None;
    }

    fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        run(self.layout.program.as_deref(), arguments)
    }

    /// See [`Operator::status`].
    pub fn status(&self) -> anyhow::Result<Status> {
        self.operator().status()
    }

    /// See [`Operator::verify`].
    pub fn verify(&self) -> anyhow::Result<String> {
        self.operator().verify()
    }

    /// See [`Operator::wait_until_verified`].
    pub fn wait_until_verified(&self, deadline: Duration) -> anyhow::Result<String> {
        self.operator().wait_until_verified(deadline)
    }

    /// See [`Operator::scrub`].
    pub fn scrub(&self) -> anyhow::Result<String> {
        self.operator().scrub()
    }

    /// See [`Operator::collect`].
    pub fn collect(&self, dry_run: bool) -> anyhow::Result<String> {
        self.operator().collect(dry_run)
    }

    /// Waits until all nodes are voters of all groups, agree on the state hash at
    /// one index, and lack no chunk.
    pub fn wait_until_settled(&self, deadline: Duration) -> anyhow::Result<Status> {
        self.operator().wait_until(deadline, |status| {
            all_vote(status, self.nodes.len())?;
            status.ensure_settled()
        })
    }

    fn add_node(&mut self, number: usize) -> anyhow::Result<()> {
        let data = self.directory.join(format!("node{number}"));
        let host = self.layout.hosts.get(number - 1).cloned();
        let (listen, bulk) = match &host {
            Some(host) => (address(host, 7001), address(host, 7002)),
            None => (free_address()?, free_address()?),
        };
        if number == 1 {
            self.run(&[
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
        let node = self.start_process(host, &name, &arguments, number - 1, 2)?;
        self.nodes.push(node);
        self.addresses.push((listen, bulk));
        Ok(())
    }

    /// Starts the process of this place in the layout, with so many listeners.
    fn start_process(
        &self,
        host: Option<Arc<Host>>,
        name: &str,
        arguments: &[&str],
        place: usize,
        listeners: usize,
    ) -> anyhow::Result<Process> {
        let program = self.layout.program.clone();
        let variables = self.layout.variables_of(place);
        Process::start_on(
            host,
            program,
            name,
            arguments,
            &variables,
            listeners,
            &self.directory,
        )
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
        let mut arguments = vec!["frontend", "--data", path(&data)?, "--http", &address];
        // Earlier releases do not speak SSH.
        let has_ssh = self.layout.program.is_none();
        if has_ssh {
            arguments.extend(["--ssh", "127.0.0.1:0"]);
        }
        let (place, listeners) = (self.nodes.len() + number - 1, 1 + usize::from(has_ssh));
        let frontend = self.start_process(host, &name, &arguments, place, listeners)?;
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
        let invitation = self.run(&invite)?;
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
            return self.run(&arguments).map(drop);
        };
        // What only the host sees may be mounted at its data directory.
        let arguments: Vec<String> = arguments.iter().map(|&a| a.to_owned()).collect();
        let program = self.layout.program.clone();
        host.run(move || {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            run(program.as_deref(), &arguments).map(drop)
        })?
    }
}

fn address(host: &Host, port: u16) -> SocketAddr {
    (host.address(), port).into()
}

/// Whether this many nodes are in the map and vote in every group.
fn all_vote(status: &Status, nodes: usize) -> anyhow::Result<()> {
    ensure!(
        status.nodes.len() == nodes,
        "{} of {nodes} nodes are in the map",
        status.nodes.len()
    );
    let first = status.nodes.first().map_or(0, |node| node.groups.len());
    for node in &status.nodes {
        ensure!(node.groups.len() == first, "node {} lacks groups", node.id);
        for group in &node.groups {
            ensure!(
                group.voters.len() == nodes,
                "group {} has the voters {:?}",
                group.group,
                group.voters
            );
        }
    }
    Ok(())
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
