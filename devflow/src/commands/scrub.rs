//! `devflow cluster scrub`: every node verifies all that it keeps, now.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use runtime::Runtime;
use storage_node_api::NodeId;
use storage_node_api::map::Node as MapNode;
use storage_node_api::scrub::{Faults, ScrubOrder, ScrubReport};
use storage_node_client::tier::Links;

use super::cluster::links;
use super::status::newest_map;

/// How often the nodes are asked how far they are.
const LOOK: Duration = Duration::from_millis(500);
/// How often a node may fail to answer in a row before it is given up.
const SILENCES: u32 = 60;
/// How long after the passes corrupt chunks may take to be replaced while their
/// number shrinks no more.
const REPAIR_PATIENCE: Duration = Duration::from_secs(30);

/// What is to be scrubbed, and how.
pub(super) struct Order {
    /// The only node, or all.
    pub(super) node: Option<u64>,
    /// Without pauses.
    pub(super) fast: bool,
}

/// Orders a pass and shows how it goes until all nodes are through and what
/// they found is repaired. Fails if something is not.
pub(super) async fn run(data: PathBuf, order: Order) -> anyhow::Result<()> {
    let runtime = Runtime::real();
    let links = links(&data, &runtime)?;
    let map = newest_map(&*links).await?;
    let mut nodes = map.nodes;
    if let Some(only) = order.node {
        nodes.retain(|node| node.id == NodeId(only));
        ensure!(!nodes.is_empty(), "the cluster has no node {only}");
    }
    let start = ScrubOrder::Start { fast: order.fast };
    let mut before = BTreeMap::new();
    for node in &nodes {
        let link = links.node(node);
        let asked = || format!("order a scrub of node {}", node.id);
        let known = link.scrub(ScrubOrder::Look).await.with_context(asked)?;
        link.scrub(start).await.with_context(asked)?;
        before.insert(node.id, known);
    }
    let reports = follow(&*links, &nodes, &runtime).await?;
    let mut lost = 0;
    for (node, report) in &reports {
        let known = before.get(node).cloned().unwrap_or_default();
        println!("node {node}: {}", summary(report, &known));
        lost += report.quarantined + report.replicas.len() as u64;
        for fault in &report.replicas {
            println!("  group {}: {}", fault.group, fault.reason);
        }
    }
    ensure!(
        lost == 0,
        "not everything is intact: `devflow cluster status` says what is being repaired, the nodes' logs say which chunks are lost"
    );
    Ok(())
}

/// Waits until all passes are complete and nothing is left to repair that can be.
async fn follow(
    links: &dyn Links,
    nodes: &[MapNode],
    runtime: &Runtime,
) -> anyhow::Result<BTreeMap<NodeId, ScrubReport>> {
    let mut reports = BTreeMap::new();
    let mut silences = 0;
    let mut least = (u64::MAX, runtime.clock.monotonic());
    loop {
        for node in nodes {
            match links.node(node).scrub(ScrubOrder::Look).await {
                Ok(report) => {
                    reports.insert(node.id, report);
                }
                Err(error) => {
                    silences += 1;
                    ensure!(silences < SILENCES, "node {}: {error}", node.id);
                }
            }
        }
        show(&reports);
        let running = reports.len() < nodes.len() || reports.values().any(|r| r.running);
        let repairable: u64 = reports
            .values()
            .map(|report| report.quarantined.saturating_sub(report.lost))
            .sum();
        let now = runtime.clock.monotonic();
        if running || repairable < least.0 {
            least = (repairable, now);
        }
        let is_patient = now.saturating_sub(least.1) < REPAIR_PATIENCE;
        if !running && (repairable == 0 || !is_patient) {
            if std::io::stderr().is_terminal() {
                eprintln!();
            }
            return Ok(reports);
        }
        runtime.clock.sleep(LOOK).await;
    }
}

/// One line that is written over, for people who watch.
fn show(reports: &BTreeMap<NodeId, ScrubReport>) {
    let mut error = std::io::stderr();
    if !error.is_terminal() {
        return;
    }
    let each: Vec<String> = reports
        .iter()
        .map(|(node, report)| format!("node {node} {}", progress(report)))
        .collect();
    // Nothing is lost with a line that cannot be shown.
    let _ = write!(error, "\r\x1b[K{}", each.join(" · "));
    let _ = error.flush();
}

/// How far a pass is.
pub(super) fn progress(report: &ScrubReport) -> String {
    if !report.running {
        return match report.quarantined {
            0 => "done".to_owned(),
            left => format!("repairs {left}"),
        };
    }
    let total = report.total_bytes.max(report.read_bytes).max(1);
    let percent = u128::from(report.read_bytes) * 100 / u128::from(total);
    format!("{percent} % of {} MiB", total >> 20)
}

/// What a pass found, beyond what was known before it.
fn summary(report: &ScrubReport, known: &ScrubReport) -> String {
    format!(
        "read {} MiB; found {}; {} replaced, {} quarantined of which {} on no other node; {} chunks belong elsewhere",
        report.read_bytes >> 20,
        faults(&report.faults, &known.faults),
        report.repaired.saturating_sub(known.repaired),
        report.quarantined,
        report.lost,
        report.surplus,
    )
}

/// Faults by kind, beyond those known before; "nothing" if there are none.
pub(super) fn faults(found: &Faults, known: &Faults) -> String {
    let words: Vec<String> = found
        .by_kind()
        .iter()
        .zip(known.by_kind())
        .map(|((kind, found), (_, known))| (kind, found.saturating_sub(known)))
        .filter(|(_, count)| *count > 0)
        .map(|(kind, count)| format!("{count} {}", words_of(kind)))
        .collect();
    if words.is_empty() {
        "nothing".to_owned()
    } else {
        words.join(", ")
    }
}

fn words_of(kind: &str) -> &str {
    match kind {
        "record" => "corrupt records",
        "stretch" => "stretches without records",
        "entry" => "lost records",
        "first_block" => "damaged first blocks",
        "unreadable" => "unreadable volumes",
        "read" => "corrupt records met by reads",
        "replica" => "bad replicas",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use storage_node_api::scrub::{Faults, ScrubReport};

    use super::{faults, progress};

    #[test]
    fn only_what_is_new_is_told() {
        let known = Faults {
            records: 2,
            ..Faults::default()
        };
        let found = Faults {
            records: 3,
            stretches: 1,
            ..known
        };
        assert_eq!(
            faults(&found, &known),
            "1 corrupt records, 1 stretches without records"
        );
        assert_eq!(faults(&known, &known), "nothing");
    }

    #[test]
    fn progress_is_a_part_of_what_there_is() {
        let report = |running, read_bytes, quarantined| ScrubReport {
            running,
            read_bytes,
            total_bytes: 4 << 20,
            quarantined,
            ..ScrubReport::default()
        };
        assert_eq!(progress(&report(true, 1 << 20, 0)), "25 % of 4 MiB");
        assert_eq!(progress(&report(true, 5 << 20, 0)), "100 % of 5 MiB");
        assert_eq!(progress(&report(false, 4 << 20, 0)), "done");
        assert_eq!(progress(&report(false, 4 << 20, 3)), "repairs 3");
    }
}
