//! `devflow cluster node rebuild`, `devflow storage-node --rebuild`, and how rebuilding shows.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use runtime::{RealFiles, Runtime};
use serde_json::{Value, json};
use storage_node_api::map::{CLUSTER_GROUP, METADATA_GROUP};
use storage_node_api::rebuild::{RebuildOrder, RebuildReport};
use storage_node_api::{GroupId, NodeId};
use storage_node_server::directory::{DataDirectory, SetAside};

use super::policy::connect;
use super::status::newest_map;
use crate::cli::RebuildArguments;

/// How often a node is asked how far it is.
const LOOK: Duration = Duration::from_millis(500);

/// Has a node rebuild one replica, or all of them one after the other, and waits for each.
pub(super) async fn run(arguments: &RebuildArguments) -> anyhow::Result<()> {
    let runtime = Runtime::real();
    let links = connect(&arguments.common, &runtime)?;
    let map = newest_map(&*links).await?;
    let id = NodeId(arguments.id);
    let node = map
        .node(id)
        .with_context(|| format!("the cluster has no node {id}"))?;
    let groups = match arguments.group {
        Some(group) => vec![GroupId(group)],
        None => {
            let data = map.data_groups().into_iter();
            [CLUSTER_GROUP, METADATA_GROUP]
                .into_iter()
                .chain(data)
                .collect()
        }
    };
    let link = links.node(node);
    for group in groups {
        link.rebuild(RebuildOrder::Start(group)).await?;
        loop {
            let report = link.rebuild(RebuildOrder::Look).await?;
            let pending = report.pending.iter().find(|pending| pending.group == group);
            let Some(pending) = pending else { break };
            if let Some(failed) = &pending.failed {
                bail!("group {group} is not rebuilt yet, and is tried again: {failed}");
            }
            runtime.clock.sleep(LOOK).await;
        }
        println!("node {id} has rebuilt its replica of group {group}");
    }
    Ok(())
}

/// Has the stores of a node that does not run set aside by its next start.
pub(super) fn set_aside(directory: &DataDirectory) -> anyhow::Result<()> {
    ensure!(
        has_files(&directory.path().join("raft")),
        "{} has no raft log, and with it went the votes that the node gave: it cannot be rebuilt under its number; replace it: `devflow cluster node remove ID --dead`, and join with an empty directory",
        directory.path().display()
    );
    let files = RealFiles::open(directory.path())?;
    for store in [SetAside::State, SetAside::Metadata] {
        store.order(&files)?;
    }
    Ok(())
}

fn has_files(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some())
}

/// One line for each replica that is rebuilt.
pub(super) fn lines(report: &RebuildReport) -> Vec<String> {
    let pending = report.pending.iter().map(|pending| {
        let failed = pending.failed.as_ref();
        let failed = failed.map_or(String::new(), |why| format!("; last tried in vain: {why}"));
        format!(
            "group {} is not served and {}, because {}{failed}",
            pending.group, pending.stage, pending.reason
        )
    });
    let mut lines: Vec<String> = pending.collect();
    if report.rebuilt > 0 {
        let (rebuilt, kib) = (report.rebuilt, report.bytes >> 10);
        lines.push(format!("{rebuilt} replicas rebuilt from {kib} KiB"));
    }
    lines
}

/// The same for programs.
pub(super) fn to_json(report: &RebuildReport) -> Value {
    let pending = report.pending.iter().map(|pending| {
        json!({
            "group": pending.group.0,
            "reason": pending.reason,
            "stage": pending.stage.to_string(),
            "failed": pending.failed,
        })
    });
    json!({
        "pending": pending.collect::<Vec<_>>(),
        "rebuilt": report.rebuilt,
        "copied_bytes": report.bytes,
    })
}
