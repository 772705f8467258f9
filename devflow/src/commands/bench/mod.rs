//! `devflow bench …`: load on a forge or a storage tier that runs already.
//!
//! The loops and figures are `benches-load`'s; here is what is asked of whom.

mod blobs;
mod clones;
mod content;
mod forge;
mod git_client;
mod http;
mod options;
mod over_http;
mod pack;
mod refs;
mod runs;
mod tier;

use super::block_on;

pub(crate) use options::BenchCommand;

/// Runs one of the commands.
pub(crate) fn run(command: &BenchCommand) -> anyhow::Result<()> {
    match command {
        BenchCommand::Blobs(arguments) => block_on(blobs::run(arguments)),
        BenchCommand::Refs(arguments) => block_on(refs::run(arguments)),
        BenchCommand::Clones(arguments) => block_on(clones::run(arguments)),
    }
}
