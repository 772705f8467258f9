//! `devflow admin backup DESTINATION`.

use std::sync::Arc;

use anyhow::Context;
use backup::{Destination, Location, Taken};
use prometheus_client::registry::Registry;
use runtime::Runtime;
use storage_node_client::tier::Client;
use storage_node_server::directory::DataDirectory;

use super::socket;
use super::store::{Printed, bytes, options, rate, totals};
use crate::cli::TakeArguments;
use crate::commands::alone::Alone;
use crate::commands::cluster::links;
use crate::config::Config;

/// Takes a backup of the cluster that a data directory belongs to. A process
/// that serves on its own is asked to take it; a stopped one is started for it.
pub(super) async fn take(arguments: &TakeArguments) -> anyhow::Result<()> {
    let config = Config::load(&arguments.common, None)?;
    let runtime = Runtime::real();
    let (location, options) = (arguments.store.location()?, options(&arguments.store));
    let open = || {
        let opened = Destination::open(&location, &options, true);
        opened.with_context(|| format!("open the destination {}", arguments.store.text()))
    };
    let rate = rate(&arguments.store, &runtime);
    let taken = if config.data.join("identity").exists() {
        let client_config = config.storage.clone().validate()?;
        let links = links(&config.data, &runtime)?;
        let storage = Arc::new(Client::new(links, runtime.clone(), client_config));
        backup::take(storage, runtime, open()?, rate, &Printed).await?
    } else if let Some(serving) = socket::connect(&config.data).await? {
        let destination = match &location {
            Location::Directory(path) => path.to_string_lossy().into_owned(),
            Location::S3 { .. } => arguments.store.text().to_owned(),
        };
        let order = socket::Order {
            destination,
            options,
            rate: arguments.store.rate,
        };
        return socket::ask(serving, &order).await;
    } else {
        anyhow::ensure!(
            config.data.exists(),
            "there is nothing to back up in {}",
            config.data.display()
        );
        let directory = DataDirectory::open(&config.data)?;
        let mut registry = Registry::default();
        let alone = Alone::start(&config, &directory, runtime.clone(), &mut registry).await?;
        let taken = backup::take(alone.storage.clone(), runtime, open()?, rate, &Printed).await;
        alone.node.shutdown().await;
        taken?
    };
    println!("{}", describe(&taken));
    Ok(())
}

/// What a person is told of a backup that was taken.
pub(super) fn describe(taken: &Taken) -> String {
    format!(
        "backup {} is there: {}; {} were new to the destination",
        taken.id,
        totals(&taken.totals),
        bytes(taken.written)
    )
}
