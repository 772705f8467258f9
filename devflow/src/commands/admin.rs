//! `devflow admin …`: what is done by hand on a data directory that is not in use.

use runtime::Runtime;
use storage_node_server::directory::DataDirectory;
use storage_node_server::recover::accept_loss;
use storage_node_server::start::Stores;

use crate::cli::{AdminCommand, RecoverArguments};
use crate::config::Config;

/// Runs one of the commands.
pub(crate) fn run(command: &AdminCommand) -> anyhow::Result<()> {
    match command {
        AdminCommand::Recover(arguments) => recover(arguments),
    }
}

fn recover(arguments: &RecoverArguments) -> anyhow::Result<()> {
    let data = Config::load(&arguments.common, None)?.data;
    // Nobody else is on it while this runs.
    let directory = DataDirectory::open(&data)?;
    let stores = Stores::on_disk(&directory)?;
    let recovered = accept_loss(&stores, &Runtime::real())?;
    println!(
        "cluster {}: node {} goes on alone",
        recovered.cluster, recovered.node
    );
    for node in &recovered.lost {
        println!(
            "given up: node {} at {}; it can never rejoin",
            node.id, node.control
        );
    }
    for group in &recovered.groups {
        match group.last {
            Some(last) => println!(
                "group {}: has the log up to entry {last}; what was committed after it is lost",
                group.group.0
            ),
            None => println!(
                "group {}: NOTHING is here of it; it begins empty",
                group.group.0
            ),
        }
    }
    println!("start it:  devflow storage-node --data {}", data.display());
    println!("then see what content is missing:  devflow cluster verify, devflow cluster status");
    println!("new nodes join as always; a success survives nothing until there are enough");
    Ok(())
}
