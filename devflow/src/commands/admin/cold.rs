//! `devflow admin cold STORE --node ID`: what a removed node has left.

use anyhow::{Context, ensure};
use objects::{Objects, RemoteObjects};
use runtime::Runtime;
use storage_node_api::NodeId;
use storage_node_api::map::Standing;
use storage_node_server::volumes::cold::directory_of;

use super::store::{bytes, options};
use crate::cli::ColdArguments;
use crate::commands::policy::connect;
use crate::commands::status::newest_map;

/// Lists the objects of a node that is gone for ever, and deletes them if told to.
pub(super) async fn leftovers(arguments: &ColdArguments) -> anyhow::Result<()> {
    let runtime = Runtime::real();
    let links = connect(&arguments.common, &runtime)?;
    let map = newest_map(&*links).await?;
    let node = NodeId(arguments.node);
    let standing = map.standing(node);
    ensure!(
        standing == Standing::Gone,
        "node {node} is {standing}: only what removed nodes left can be deleted"
    );
    let store = RemoteObjects::open(&arguments.store.location()?, &options(&arguments.store))
        .with_context(|| format!("open {}", arguments.store.text()))?;
    let (directory, delete) = (directory_of(map.cluster, node), arguments.delete);
    let work = move || {
        let (mut names, mut total) = (Vec::new(), 0);
        store.list(&directory, &mut |meta| {
            total += meta.bytes;
            names.push(meta.name);
        })?;
        for name in names.iter().filter(|_| delete) {
            store.delete(name)?;
        }
        Ok::<_, objects::ObjectError>((names.len(), total))
    };
    let done = runtime::run_blocking(&*runtime.tasks, "look at objects", work).await;
    let (count, total) = done??;
    let verb = if delete { "deleted" } else { "left" };
    println!("node {node}: {count} objects of {} {verb}", bytes(total));
    Ok(())
}
