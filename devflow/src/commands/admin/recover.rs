use std::time::Duration;

use anyhow::ensure;
use prometheus_client::registry::Registry;
use runtime::Runtime;
use storage_node_server::directory::DataDirectory;
use storage_node_server::member;
use storage_node_server::recover::accept_loss;
use storage_node_server::start::Stores;

use super::lost::{Report, print, report};
use super::recovery::Recovery;
use crate::cli::RecoverArguments;
use crate::commands::identity;
use crate::config::Config;

/// How long the survivor may take to lead all of its groups.
const READY: Duration = Duration::from_secs(60);
/// The pause between two looks whether it does.
const LOOK: Duration = Duration::from_millis(50);

/// Makes the survivor in a data directory that is not in use a cluster again, and says what is
/// missing.
pub(super) async fn recover(arguments: &RecoverArguments) -> anyhow::Result<()> {
    let config = Config::load(&arguments.common, None)?;
    // Nobody else is on it while this runs.
    let directory = DataDirectory::open(&config.data)?;
    let stores = Stores::on_disk(&directory)?;
    let recovered = accept_loss(&stores, &Runtime::real())?;
    let recovery = Recovery::of(&recovered);
    recovery.save(&config.data)?;
    let looked = match arguments.skip_content {
        true => None,
        false => Some(look(&config, stores, arguments.json).await),
    };
    let found = looked.as_ref().and_then(|looked| looked.as_ref().ok());
    print(Some(&recovery), found, arguments.json);
    if let Some(Err(error)) = &looked {
        eprintln!("what content is missing could not be found out now: {error:#}");
    }
    let data = config.data.display();
    eprintln!("start it:  devflow storage-node --data {data}");
    eprintln!("what is missing, again:  devflow admin lost --data {data}");
    eprintln!("new nodes join as always; a success survives nothing until there are enough");
    Ok(())
}

/// Runs the survivor for as long as it takes to ask it what content it has.
async fn look(config: &Config, stores: Stores, quiet: bool) -> anyhow::Result<Report> {
    let runtime = Runtime::real();
    let part = identity::node_part(&config.data)?;
    let node_config = config.node.clone().validate()?;
    let mut registry = Registry::default();
    let running = member::run(&part, stores, &node_config, runtime.clone(), &mut registry).await?;
    let looked = async {
        let began = runtime.clock.monotonic();
        while !running.node.is_ready() {
            let waited = runtime.clock.monotonic() - began;
            ensure!(waited < READY, "the survivor does not lead its groups");
            runtime.clock.sleep(LOOK).await;
        }
        report(config, &config.data, quiet).await
    }
    .await;
    running.service.stop(&runtime).await;
    running.node.shutdown().await;
    looked
}
