use std::fs;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use benches_load::{Measured, Operation, Plan, Progress, Stop, drive};
use runtime::Runtime;
use serde_json::{Value, json};

use super::options::Load;

/// Between two lines of progress where nobody watches.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The runs of one command.
#[derive(Debug)]
pub(super) struct Runs {
    title: &'static str,
    load: Load,
    /// One for each concurrency.
    pub(super) plans: Vec<Plan>,
    pub(super) runtime: Runtime,
    stop: Stop,
    done: Vec<(String, Measured)>,
}

impl Runs {
    /// Checks what was asked for, and listens for an interrupt from now on.
    pub(super) fn new(title: &'static str, load: &Load) -> anyhow::Result<Self> {
        let plans = load.plans()?;
        if let Some(page) = &load.html {
            fs::write(page, "").with_context(|| format!("write the page {}", page.display()))?;
        }
        let stop = Stop::default();
        let asked = stop.clone();
        tokio::spawn(async move {
            if super::super::asked_to_stop().await.is_ok() {
                eprintln!("stopping: what was made is removed; once more ends at once");
                asked.now();
            }
            if super::super::asked_to_stop().await.is_ok() {
                std::process::exit(130);
            }
        });
        Ok(Self {
            title,
            load: load.clone(),
            plans,
            runtime: Runtime::real(),
            stop,
            done: Vec::new(),
        })
    }

    /// Does one of them, unless an interrupt came before it.
    pub(super) async fn run(
        &mut self,
        name: String,
        operation: Arc<dyn Operation>,
        plan: Plan,
    ) -> anyhow::Result<()> {
        if self.stop.is_asked() {
            return Ok(());
        }
        let mut told = Duration::ZERO;
        let terminal = std::io::stderr().is_terminal();
        let mut tell = |progress: Progress| {
            if terminal {
                eprint!("\r\x1b[K{name}: {}", line(&progress));
                drop(std::io::stderr().flush());
            } else if progress.elapsed >= told + LINE_EVERY {
                told = progress.elapsed;
                eprintln!("{name}: {}", line(&progress));
            }
        };
        let measured = drive(operation, plan, &self.runtime, &self.stop, &mut tell).await?;
        if terminal {
            eprint!("\r\x1b[K");
        }
        if !self.load.json {
            let (summary, chart) = (
                benches_load::summary(&measured),
                benches_load::histogram(&measured),
            );
            print(&format!("== {name}\n{summary}\n{chart}"))?;
        }
        self.done.push((name, measured));
        Ok(())
    }

    /// Prints and writes what is still to be. Fails if a run had no success.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        if self.load.json {
            let runs: Vec<Value> = self.done.iter().map(of_run).collect();
            print(&json!({"bench": self.title, "runs": runs}).to_string())?;
        }
        if let Some(page) = &self.load.html {
            let title = format!("devflow bench {}", self.title);
            fs::write(page, benches_load::page(&title, &self.done))
                .with_context(|| format!("write the page {}", page.display()))?;
        }
        for (name, measured) in &self.done {
            let first = measured.errors.keys().next();
            ensure!(
                measured.operations > 0 || first.is_none(),
                "{name}: nothing succeeded: {}",
                first.map_or("", String::as_str)
            );
        }
        Ok(())
    }
}

/// Prints a line. Nobody may be reading any more: what was made is still to be
/// removed then.
fn print(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{text}").context("print the figures")
}

fn of_run((name, measured): &(String, Measured)) -> Value {
    let mut json = measured.to_json();
    json["name"] = json!(name);
    json
}

fn line(progress: &Progress) -> String {
    let (elapsed, total) = (progress.elapsed.as_secs(), progress.total.as_secs());
    if progress.warming_up {
        return format!("{elapsed} of {total} s, warming up");
    }
    format!(
        "{elapsed} of {total} s, {:.0}/s, {}/s, p50 {}, p99 {}, {} errors",
        progress.per_second,
        benches_load::bytes(progress.bytes_per_second),
        benches_load::duration(progress.latencies.p50),
        benches_load::duration(progress.latencies.p99),
        progress.failed
    )
}

/// An error in one line, as it is counted.
pub(super) fn kind(error: &anyhow::Error) -> String {
    format!("{error:#}")
}
