//! `devflow admin restore SOURCE`.

use std::sync::Arc;

use anyhow::bail;
use backup::Destination;
use domain::{Forge, PasswordCost, migrations};
use prometheus_client::registry::Registry;
use runtime::Runtime;
use storage_node_api::backup::Restore;
use storage_node_api::map::{BACKUP_VERSION, Policies};
use storage_node_api::order::{Command, Reply, Request};
use storage_node_api::{Generation, RepositoryId, RequestId};
use storage_node_client::tier::{Client, Links};
use storage_node_server::directory::DataDirectory;

use super::store::{Printed, open, rate, totals};
use crate::cli::RestoreArguments;
use crate::commands::alone::Alone;
use crate::commands::cluster::links;
use crate::commands::policy::propose;
use crate::commands::status::newest_map;
use crate::config::Config;

/// Brings a backup back.
pub(super) async fn restore(arguments: &RestoreArguments) -> anyhow::Result<()> {
    let config = Config::load(&arguments.common, None)?;
    let source = open(&arguments.store)?;
    let runtime = Runtime::real();
    if config.data.join("identity").exists() {
        let client_config = config.storage.clone().validate()?;
        let links = links(&config.data, &runtime)?;
        let storage = Arc::new(Client::new(
            Arc::clone(&links),
            runtime.clone(),
            client_config,
        ));
        return bring_back(arguments, &source, storage, links, runtime).await;
    }
    let directory = DataDirectory::open(&config.data)?;
    let mut registry = Registry::default();
    let alone = Alone::start(&config, &directory, runtime.clone(), &mut registry).await?;
    let (storage, links) = (alone.storage.clone(), Arc::clone(&alone.links));
    let done = bring_back(arguments, &source, storage, links, runtime).await;
    alone.node.shutdown().await;
    done
}

async fn bring_back(
    arguments: &RestoreArguments,
    source: &Destination,
    storage: Arc<Client>,
    links: Arc<dyn Links>,
    runtime: Runtime,
) -> anyhow::Result<()> {
    let rate = rate(&arguments.store, &runtime);
    let generation = backup::generation(source, arguments.backup).await?;
    start_above(&*links, generation, &runtime).await?;
    let policies = backup::policies(source, arguments.backup).await?;
    keep_policies(&*links, policies, arguments.policies, &runtime).await?;
    let restored = backup::restore(
        storage.clone(),
        runtime.clone(),
        source,
        rate,
        arguments.backup,
        &migrations(),
        &Printed,
    )
    .await?;
    let forge = Forge::new(storage.clone(), runtime.clone(), PasswordCost::default());
    forge.migrate().await?;
    let removed = remove_unnamed(&forge, storage, runtime).await?;
    let reconciled = forge.repositories.reconcile().await?;
    println!(
        "backup {} is back: {}",
        restored.id,
        totals(&restored.totals)
    );
    if removed > 0 {
        println!("{removed} repositories that were being made during the backup are not");
    }
    if reconciled.finished + reconciled.undone + reconciled.failed > 0 {
        println!("unfinished repositories: {reconciled:?}");
    }
    Ok(())
}

/// Raises the collector's clock above the backup's.
async fn start_above(
    links: &dyn Links,
    generation: Generation,
    runtime: &Runtime,
) -> anyhow::Result<()> {
    let map = newest_map(links).await?;
    anyhow::ensure!(
        map.machine_version >= BACKUP_VERSION,
        "a restore takes machine version {BACKUP_VERSION}, the cluster is at {}: it rises by itself when all nodes are there, or upgrade them",
        map.machine_version
    );
    let least = Generation(generation.0 + 1);
    if map.generation >= least {
        return Ok(());
    }
    let request = Request {
        id: RequestId::random(&*runtime.random),
        time: runtime.clock.now(),
        command: Command::Restore(Restore::Generation(least)),
    };
    match propose(links, &map, &request).await? {
        Reply::Done => {}
        Reply::Refused(refusal) => bail!("the collector's clock stays as it is: {refusal}"),
        other => bail!("the cluster answered something else: {other:?}"),
    }
    Ok(())
}

/// Sets the backup's policies if that is wanted, and else says that they are not.
async fn keep_policies(
    links: &dyn Links,
    policies: Policies,
    wanted: bool,
    runtime: &Runtime,
) -> anyhow::Result<()> {
    let map = newest_map(links).await?;
    if policies == map.policies {
        return Ok(());
    }
    if !wanted {
        println!("the policies stay as they are here; --policies sets those of the backup");
        return Ok(());
    }
    let seen = map.epoch;
    let request = Request {
        id: RequestId::random(&*runtime.random),
        time: runtime.clock.now(),
        command: Command::SetPolicies { seen, policies },
    };
    match propose(links, &map, &request).await? {
        Reply::Done => Ok(()),
        Reply::Refused(refusal) => bail!(
            "nothing is restored, since the backup's policies do not fit this cluster: {refusal}; restore without --policies, and set them by hand"
        ),
        other => bail!("the cluster answered something else: {other:?}"),
    }
}

/// Deletes repositories that no row names: those made while the backup was read.
async fn remove_unnamed(
    forge: &Forge,
    storage: Arc<Client>,
    runtime: Runtime,
) -> anyhow::Result<u32> {
    let mut all: anyhow::Result<u32> = Ok(0);
    let show = async |page: Vec<RepositoryId>| {
        if let Ok(count) = &mut all {
            match forge.repositories.remove_unnamed(&page).await {
                Ok(removed) => *count += removed,
                Err(error) => all = Err(error.into()),
            }
        }
    };
    backup::all_repositories(storage, runtime, show).await?;
    all
}
