//! Runs seeds of the simulation, each in a process of its own.

use std::io::Write;
use std::process::{Command, ExitCode, Stdio};

use anyhow::Context;
use clap::Parser;
use jepsen_simulation::mutation::Mutation;
use jepsen_simulation::{failover, run};

#[derive(Debug, Parser)]
#[command(
    name = "simulation",
    about = "Deterministic simulation of the storage tier"
)]
struct Cli {
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds, one after the other.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// How many of them at a time.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Prints every event.
    #[arg(long)]
    trace: bool,
    /// Breaks a rule on purpose: then a seed that fails is what is wanted.
    #[arg(long, value_enum)]
    mutate: Option<Mutation>,
    /// Instead loses so many leaders, one after the other, and tells how long writes stood
    /// still, in simulated time.
    #[arg(long, value_name = "TIMES", conflicts_with_all = ["seeds", "trace", "mutate"])]
    failovers: Option<usize>,
    /// For that: by the timing for fast disks.
    #[arg(long, requires = "failovers")]
    fast_disk: bool,
    /// Runs the one seed in this process: what this program starts itself.
    #[arg(long, hide = true)]
    child: bool,
    /// Shows what the tier logs.
    #[arg(long)]
    log: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.log {
        tracing_subscriber::fmt()
            .without_time()
            .with_writer(std::io::stderr)
            .init();
    }
    let outcome = match cli.failovers {
        Some(times) => lose_leaders(&cli, times),
        None if cli.child => one(&cli),
        None => many(&cli),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Loses leaders and prints how long writes stood still.
fn lose_leaders(cli: &Cli, times: usize) -> anyhow::Result<bool> {
    let profile = match cli.fast_disk {
        true => raft::Profile::FastDisk,
        false => raft::Profile::Standard,
    };
    let plan = failover::Plan {
        seed: cli.seed,
        times,
        profile,
    };
    let mut resumed = failover::run(&plan)?;
    resumed.sort_unstable();
    let at = |share: usize| {
        let index = (resumed.len() * share / 100).min(resumed.len().saturating_sub(1));
        resumed.get(index).copied().unwrap_or_default().as_millis()
    };
    writeln!(
        std::io::stdout(),
        "seed {}: {} leaders lost: writes resumed after p50 {} ms, p90 {} ms, p99 {} ms, at most {} ms",
        cli.seed,
        resumed.len(),
        at(50),
        at(90),
        at(99),
        at(100)
    )?;
    Ok(true)
}

/// Runs one seed here.
fn one(cli: &Cli) -> anyhow::Result<bool> {
    let verdict = run::run(cli.seed, cli.mutate, cli.trace)?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", verdict.line())?;
    for fault in &verdict.faults {
        let shortened: String = fault.chars().take(600).collect();
        writeln!(out, "    {shortened}")?;
    }
    if !verdict.faults.is_empty() {
        let mutate = cli
            .mutate
            .map(|mutation| format!(" --mutate {}", mutation.name()));
        let mutate = mutate.unwrap_or_default();
        writeln!(
            out,
            "    again: ./dev simulate --seed {}{mutate} --trace",
            cli.seed
        )?;
    }
    Ok(verdict.faults.is_empty())
}

/// Runs each seed in a process of its own, and prints the verdicts in order.
fn many(cli: &Cli) -> anyhow::Result<bool> {
    let program = std::env::current_exe().context("find this program")?;
    let mut waiting = std::collections::VecDeque::new();
    let mut passed = true;
    let seeds: Vec<u64> = (cli.seed..cli.seed.saturating_add(cli.seeds)).collect();
    let mut next = seeds.iter();
    loop {
        while waiting.len() < cli.jobs.max(1)
            && let Some(seed) = next.next()
        {
            let mut child = Command::new(&program);
            child.args(["--child", "--seed", &seed.to_string()]);
            if cli.trace {
                child.arg("--trace");
            }
            if cli.log {
                child.arg("--log");
            }
            if let Some(mutation) = cli.mutate {
                child.args(["--mutate", &mutation.name()]);
            }
            let started = if cli.trace {
                child.spawn()
            } else {
                child.stdout(Stdio::piped()).spawn()
            };
            waiting.push_back((*seed, started.context("start a seed")?));
        }
        let Some((seed, child)) = waiting.pop_front() else {
            return Ok(passed);
        };
        let output = child.wait_with_output().context("wait for a seed")?;
        std::io::stdout().write_all(&output.stdout)?;
        if output.status.code().is_none_or(|code| code > 1) {
            let mut out = std::io::stdout();
            writeln!(
                out,
                "seed {seed}: FAILED, its process ended with {}",
                output.status
            )?;
        }
        passed &= output.status.success();
    }
}
