//! What an operator asks a cluster and orders it, by the command line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use super::process::devflow;

/// How often it is looked whether something has come about.
const LOOK: Duration = Duration::from_millis(200);

/// Somebody with the identity of a process of the cluster.
#[derive(Clone, Debug)]
pub struct Operator {
    data: PathBuf,
    program: Option<PathBuf>,
}

/// What `devflow cluster status --json` prints.
#[derive(Clone, Debug, Deserialize)]
pub struct Status {
    /// The version of the replicated machine; nothing from releases that did not say.
    #[serde(default)]
    pub machine_version: Option<u32>,
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

impl Status {
    /// Fails, with the reason, unless every node answers and lacks nothing, every
    /// group has a leader, and all its replicas have one state at one index.
    pub fn ensure_settled(&self) -> anyhow::Result<()> {
        let mut references: BTreeMap<u64, (u64, &GroupStatus)> = BTreeMap::new();
        for node in &self.nodes {
            ensure!(node.reachable, "node {} does not answer", node.id);
            ensure!(
                node.missing_chunks == Some(0),
                "node {} lacks {:?} chunks",
                node.id,
                node.missing_chunks
            );
            for group in &node.groups {
                let (first, reference) = references.entry(group.group).or_insert((node.id, group));
                agree(node.id, group, *first, reference)?;
            }
        }
        ensure!(!references.is_empty(), "there are no groups");
        Ok(())
    }

    /// How many groups there are.
    pub fn count_groups(&self) -> usize {
        let groups = self.nodes.iter().flat_map(|node| &node.groups);
        let ids: std::collections::BTreeSet<u64> = groups.map(|group| group.group).collect();
        ids.len()
    }
}

fn agree(
    node: u64,
    group: &GroupStatus,
    first: u64,
    reference: &GroupStatus,
) -> anyhow::Result<()> {
    let id = group.group;
    ensure!(group.leader.is_some(), "group {id} has no leader");
    ensure!(
        group.applied == reference.applied,
        "group {id} is at {} on node {node} and at {} on node {first}",
        group.applied,
        reference.applied
    );
    ensure!(
        group.state_hash == reference.state_hash,
        "group {id} at {} differs between nodes {node} and {first}",
        group.applied
    );
    Ok(())
}

impl Operator {
    /// Asks with the identity in this data directory.
    pub fn with(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            program: None,
        }
    }

    /// The same by another binary than that under test.
    #[must_use]
    pub(super) fn by(mut self, program: Option<PathBuf>) -> Self {
        self.program = program;
        self
    }

    /// What the cluster says of itself.
    pub fn status(&self) -> anyhow::Result<Status> {
        let text = self.cluster(&["status", "--json"])?;
        serde_json::from_str(&text).with_context(|| format!("parse the status {text}"))
    }

    /// Waits until `holds` does not fail any more.
    pub fn wait_until(
        &self,
        deadline: Duration,
        holds: impl Fn(&Status) -> anyhow::Result<()>,
    ) -> anyhow::Result<Status> {
        let began = Instant::now();
        let mut last = String::new();
        while began.elapsed() < deadline {
            match self
                .status()
                .and_then(|status| holds(&status).map(|()| status))
            {
                Ok(status) => return Ok(status),
                Err(error) => last = format!("{error:#}"),
            }
            thread::sleep(LOOK);
        }
        bail!("the cluster did not settle within {deadline:?}: {last}")
    }

    /// Reads every chunk from every node that placement names; fails if one is
    /// missing or damaged.
    pub fn verify(&self) -> anyhow::Result<String> {
        self.cluster(&["verify"])
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
        self.cluster(&["scrub", "--fast"])
    }

    /// A cycle of the collector on all nodes, at full speed; with `dry_run` only
    /// what one would find. Fails if a node was away or started meanwhile.
    pub fn collect(&self, dry_run: bool) -> anyhow::Result<String> {
        let how = if dry_run { "--dry-run" } else { "--fast" };
        self.cluster(&["collect", how])
    }

    /// Hands a group to a node.
    pub fn transfer(&self, group: u64, node: u64) -> anyhow::Result<String> {
        self.cluster(&["transfer", &group.to_string(), &node.to_string()])
    }

    /// Divides or moves slots, as `devflow cluster slots` takes it.
    pub fn slots(&self, words: &[&str]) -> anyhow::Result<String> {
        self.cluster(&[&["slots"], words].concat())
    }

    /// Orders what a success survives (a node, a zone, a region), where content is
    /// and where voters are (each as `eu=2`), and where the leaders should be.
    pub fn survive(
        &self,
        fault: &str,
        content: &[&str],
        voters: &[&str],
        home: &str,
    ) -> anyhow::Result<()> {
        for (what, regions) in [("policy", content), ("order", voters)] {
            let mut words = vec![what, "set", "--survive", fault, "--home", home];
            for region in regions {
                words.extend(["--region", region]);
            }
            self.cluster(&words)?;
        }
        Ok(())
    }

    /// `devflow cluster WORDS`.
    pub fn cluster(&self, words: &[&str]) -> anyhow::Result<String> {
        let words = [&["cluster"], words, &["--data", path(&self.data)?]].concat();
        run(self.program.as_deref(), &words)
    }
}

/// Runs this binary, or that under test.
pub(super) fn run(program: Option<&Path>, arguments: &[&str]) -> anyhow::Result<String> {
    let program = program.map_or_else(devflow, |program| Ok(program.to_owned()))?;
    let output = Command::new(program).args(arguments).output()?;
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
