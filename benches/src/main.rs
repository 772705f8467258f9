//! Macro-benchmarks: each runs the forge, or its storage tier, and what a user
//! would otherwise use side by side on one machine in one run, and prints the ratio.
//!
//! Figures of one run compare with each other only; the machine's own noise is
//! why every figure is given beside the other side's.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]

mod apache;
mod clones;
mod fetch_client;
mod figures;
mod forge;
mod processes;
mod pushes;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::apache::Apache;
use crate::forge::Forge;
use crate::report::Report;

#[derive(Debug, Parser)]
#[command(name = "benches", about = "Beside what a user would otherwise use")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The forge beside git http-backend behind Apache.
    Git(GitOptions),
    /// The storage tier beside other stores and the bare disk.
    Figures(figures::Options),
    /// What a figure starts beside itself.
    #[command(hide = true)]
    Synchronise(figures::SyncArguments),
    /// What a figure starts beside itself.
    #[command(hide = true)]
    Send(figures::SendArguments),
}

#[derive(Debug, Args)]
struct GitOptions {
    /// Bare repositories to serve, such as mirrors of well-known projects.
    #[arg(required = true)]
    repositories: Vec<PathBuf>,
    /// How often each clone is measured.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How many pushes of one commit are measured.
    #[arg(long, default_value_t = 20)]
    small_pushes: usize,
    /// Also times `git clone` itself, which is bound by the client.
    #[arg(long)]
    whole_clones: bool,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Git(options) => git(&options),
        Command::Figures(options) => figures::run(&options),
        Command::Synchronise(arguments) => figures::synchronise(&arguments),
        Command::Send(arguments) => figures::send(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn git(cli: &GitOptions) -> anyhow::Result<()> {
    for repository in &cli.repositories {
        let repository = repository.canonicalize()?;
        let place = tempfile::tempdir()?;
        let mut report = Report::new(&repository)?;
        let forge = Forge::start(place.path())?;
        let apache = Apache::start(place.path())?;
        pushes::whole(&forge, &apache, &repository, &mut report)?;
        apache.repack()?;
        clones::measure(&forge, &apache, cli.rounds, &mut report)?;
        if cli.whole_clones {
            clones::whole(&forge, &apache, place.path(), &mut report)?;
        }
        pushes::small(&forge, &apache, place.path(), cli.small_pushes, &mut report)?;
        report.print();
    }
    Ok(())
}
