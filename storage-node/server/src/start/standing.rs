//! Whether the cluster still takes this node, asked before any of its replicas takes part.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join_all, select};
use runtime::Runtime;
use storage_node_api::NodeId;
use storage_node_api::map::{ClusterMap, Standing};
use storage_node_client::tier::Links;

use super::{StartError, Stores};
use crate::directory::{NodeRecord, RefusedForever, had_log};

/// How long the others are waited for. A cluster that starts as a whole finds nobody there; then
/// the node is told when it announces its start.
const PATIENCE: Duration = Duration::from_secs(3);

/// Refuses a node that was removed, that has gone back in time, or whose log is gone. The refusal
/// is kept, so that a later start is refused even where nobody can be asked.
pub(super) async fn check(
    stores: &Stores,
    record: &NodeRecord,
    id: NodeId,
    known: Option<&ClusterMap>,
    links: &Arc<dyn Links>,
    runtime: &Runtime,
) -> Result<(), StartError> {
    let files = &*stores.files;
    if let Some(RefusedForever(reason)) = RefusedForever::load(files)? {
        return Err(StartError::Refused { node: id, reason });
    }
    let told = ask(id, known, links, runtime).await;
    let newest = told.as_ref().or(known);
    let announced = newest
        .and_then(|map| map.node(id))
        .map(|node| node.incarnation);
    let has_log = raft::rescue::owner(&*stores.log)?.is_some();
    let had_log = had_log(files)? || announced.is_some_and(|known| known.0 > 0);
    let reason = if newest.is_some_and(|map| map.standing(id) == Standing::Gone) {
        format!(
            "node {id} was removed from the cluster; to use this machine again, join with an empty directory"
        )
    } else if let Some(known) = announced.filter(|known| *known > record.incarnation) {
        let claimed = record.incarnation;
        format!(
            "node {id} has started {known} times and its disk says {claimed}: it was rolled back; remove node {id} as dead and join anew with an empty directory"
        )
    } else if had_log && !has_log {
        format!(
            "node {id} has lost its raft log, and with it the votes it gave; remove node {id} as dead and join anew with an empty directory"
        )
    } else {
        return Ok(());
    };
    RefusedForever(reason.clone()).save(files)?;
    Err(StartError::Refused { node: id, reason })
}

/// The newest map that any other node tells, within bounds.
async fn ask(
    id: NodeId,
    known: Option<&ClusterMap>,
    links: &Arc<dyn Links>,
    runtime: &Runtime,
) -> Option<ClusterMap> {
    let nodes = known.iter().flat_map(|map| &map.nodes);
    let peers = nodes.filter(|node| node.id != id && !node.control.is_empty());
    let mut asked: Vec<_> = peers.map(|node| links.node(node)).collect();
    asked.extend(links.seeds());
    let asking = asked.iter().map(|node| async move {
        let patience = runtime.clock.sleep(PATIENCE);
        match select(node.map(), patience).await {
            futures_util::future::Either::Left((map, _)) => map.ok(),
            futures_util::future::Either::Right(_) => None,
        }
    });
    let maps = join_all(asking).await.into_iter().flatten();
    let ours = maps.filter(|map| known.is_none_or(|known| known.cluster == map.cluster));
    ours.max_by_key(|map| map.epoch)
}
