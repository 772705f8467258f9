//! The one binary: reads the configuration, wires the parts together, runs.
//!
//! Nothing is decided here that a library could decide. Only this crate reads
//! the environment, sets up logging, and knows both the storage tier and what
//! stands on it.

#[macro_use]
mod output;

mod cli;
mod commands;
mod config;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Serve(arguments) => commands::serve::run(&arguments),
        Command::StorageNode(arguments) => commands::storage_node::run(&arguments),
        Command::Frontend(arguments) => commands::frontend::run(&arguments),
        Command::Cluster(command) => commands::cluster::run(&command),
        Command::Admin(command) => commands::admin::run(&command),
        Command::Bench(command) => commands::bench::run(&command),
        Command::Git(command) => return commands::git::run(command),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("devflow: {error:#}");
            ExitCode::FAILURE
        }
    }
}
