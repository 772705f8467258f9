//! The black-box tests as commands: `./dev clients`, `./dev chaos`, `./dev failover`,
//! `./dev upgrade`, `./dev git-suite`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use jepsen::{chaos, clients, git_suite};

#[derive(Debug, Parser)]
#[command(name = "jepsen", about = "Black-box tests of devflow")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Real git on one node, and on three nodes with a frontend.
    Clients {
        /// A repository to push, as a path or bundle; a made one unless given.
        #[arg(long, value_name = "PATH")]
        repository: Option<PathBuf>,
    },
    /// Faults against a cluster in use, and the verdict.
    Chaos(Box<chaos::Options>),
    /// How long writes stand still when a leader is lost.
    Failover(chaos::failover::Options),
    /// A rolling upgrade from an earlier release, under load.
    Upgrade(chaos::upgrade::Options),
    /// git's own scripts over the bare-directory mode.
    GitSuite(git_suite::Options),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Clients { repository } => clients::run(repository.as_deref()),
        Command::Chaos(options) => chaos::run(&options),
        Command::Failover(options) => chaos::failover::run(&options),
        Command::Upgrade(options) => chaos::upgrade::run(&options),
        Command::GitSuite(options) => git_suite::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}
