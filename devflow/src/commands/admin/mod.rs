//! `devflow admin …`: backups of a whole cluster, and a cluster that lost its quorum.

mod backup;
mod cold;
mod list;
mod lost;
mod prune;
mod recover;
mod recovery;
mod restore;
pub(super) mod socket;
pub(super) mod store;
mod verify;

use super::block_on;
use crate::cli::{AdminCommand, BackupCommand};

/// Runs one of the commands.
pub(crate) fn run(command: &AdminCommand) -> anyhow::Result<()> {
    match command {
        AdminCommand::Backup(arguments) => match &arguments.command {
            Some(BackupCommand::List(store)) => block_on(list::show(store)),
            Some(BackupCommand::Prune(arguments)) => block_on(prune::prune(arguments)),
            None => block_on(backup::take(&arguments.take)),
        },
        AdminCommand::Cold(arguments) => block_on(cold::leftovers(arguments)),
        AdminCommand::Recover(arguments) => block_on(recover::recover(arguments)),
        AdminCommand::Lost(arguments) => block_on(lost::show(arguments)),
        AdminCommand::Restore(arguments) => block_on(restore::restore(arguments)),
        AdminCommand::Verify(arguments) => block_on(verify::verify(arguments)),
    }
}
