//! How far nodes have come that join, move or leave.

use std::path::PathBuf;
use std::time::Duration;

use runtime::Runtime;
use serde_json::{Value, json};
use storage_node_api::NodeId;
use storage_node_api::map::{ClusterMap, Standing};
use storage_node_api::members::MembersReport;
use storage_node_api::rebuild::RebuildOrder;
use storage_node_client::tier::Links;

use super::cluster::links;
use super::rebuild;
use super::slots::moving;
use super::status::newest_map;

/// The pause between two lines of `--watch`.
const WATCH: Duration = Duration::from_secs(2);

/// Where the members of the cluster are on their way.
pub(super) struct Progress {
    map: ClusterMap,
    /// Each node with its own report, if it answers.
    reports: Vec<(NodeId, Option<MembersReport>)>,
}

impl Progress {
    /// Asks every node of the map.
    pub(super) async fn ask(links: &dyn Links, map: &ClusterMap) -> Self {
        let mut reports = Vec::new();
        for node in &map.nodes {
            reports.push((node.id, links.node(node).members().await.ok()));
        }
        Self {
            map: map.clone(),
            reports,
        }
    }

    /// In how many groups a node votes and follows, as their leaders know.
    fn replicas(&self, id: NodeId) -> (usize, usize) {
        let reports = self.reports.iter();
        let told = reports.filter_map(|(by, report)| Some((*by, report.as_ref()?)));
        let led = told.flat_map(|(by, report)| {
            let groups = report.groups.iter();
            groups.filter(move |group| group.leader == Some(by))
        });
        let votes = |members: &[NodeId]| usize::from(members.contains(&id));
        led.fold((0, 0), |(voters, learners), group| {
            (
                voters + votes(&group.voters),
                learners + votes(&group.learners),
            )
        })
    }

    fn report(&self, id: NodeId) -> Option<&MembersReport> {
        let (_, report) = self.reports.iter().find(|(node, _)| *node == id)?;
        report.as_ref()
    }

    /// Nodes that have yet to be found whole by the newest map, with what they are known to lack.
    fn unfinished(&self) -> impl Iterator<Item = (NodeId, Option<&MembersReport>)> {
        let staying = self.map.nodes.iter().filter(|node| !node.draining);
        let reports = staying.map(|node| (node.id, self.report(node.id)));
        reports.filter(|(_, report)| {
            report.is_none_or(|report| report.whole_at.is_none_or(|at| at < self.map.epoch))
        })
    }

    /// Whether nothing is on its way.
    fn is_settled(&self) -> bool {
        let still = |node: &storage_node_api::map::Node| {
            let standing = self.map.standing(node.id);
            matches!(standing, Standing::Active | Standing::Drained)
        };
        let moves = self.map.slots_to_move() > 0 || self.map.moves.moving.is_some();
        !moves && self.map.nodes.iter().all(still) && self.unfinished().next().is_none()
    }

    /// One line about a node.
    pub(super) fn line(&self, id: NodeId) -> String {
        let standing = self.map.standing(id);
        let (voters, learners) = self.replicas(id);
        let left = match self.report(id) {
            None => "it does not answer".to_owned(),
            Some(report) => match (report.missing_chunks, report.missing_bytes >> 20) {
                (None, _) => "it has yet to look what it lacks".to_owned(),
                (Some(0), _) => "it lacks no chunks".to_owned(),
                (Some(chunks), mib) => format!("it lacks {chunks} chunks, {mib} MiB"),
            },
        };
        let mut line =
            format!("{standing}, votes in {voters} groups, follows in {learners}, {left}");
        if standing == Standing::Draining {
            let waits = self.unfinished().map(|(id, report)| match report {
                Some(report) => format!(
                    "node {id} ({} chunks, {} MiB)",
                    report.missing_chunks.unwrap_or(0),
                    report.missing_bytes >> 20
                ),
                None => format!("node {id} (does not answer)"),
            });
            let waits: Vec<String> = waits.collect();
            if !waits.is_empty() {
                line.push_str("; waits for what is copied to ");
                line.push_str(&waits.join(", "));
            }
        }
        line
    }

    /// The same for programs.
    pub(super) fn json(&self, id: NodeId) -> Value {
        let (voters, learners) = self.replicas(id);
        let report = self.report(id);
        json!({
            "standing": self.map.standing(id).to_string(),
            "voter_of": voters,
            "learner_of": learners,
            "missing_chunks": report.and_then(|report| report.missing_chunks),
            "missing_bytes": report.map(|report| report.missing_bytes),
            "whole_at": report.and_then(|report| report.whole_at).map(|epoch| epoch.0),
        })
    }
}

/// Prints the progress until nothing is on its way.
pub(super) async fn watch(data: PathBuf) -> anyhow::Result<()> {
    let runtime = Runtime::real();
    let links = links(&data, &runtime)?;
    loop {
        let map = newest_map(&*links).await?;
        let progress = Progress::ask(&*links, &map).await;
        println!("map epoch {}", map.epoch);
        let mut is_rebuilt = true;
        for node in &map.nodes {
            println!("  node {}: {}", node.id, progress.line(node.id));
            let report = links.node(node).rebuild(RebuildOrder::Look).await;
            let report = report.unwrap_or_default();
            is_rebuilt &= report.pending.is_empty();
            for line in rebuild::lines(&report) {
                println!("    {line}");
            }
        }
        if let Some(line) = moving(&map) {
            println!("  {line}");
        }
        if is_rebuilt && progress.is_settled() {
            println!("done: every node has what it should");
            return Ok(());
        }
        runtime.clock.sleep(WATCH).await;
    }
}
