//! git's own scripts over `devflow git …`: the bare-directory mode in the place
//! of C git's server programs.

mod exceptions;
mod tap;
mod tree;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail, ensure};
use clap::Args;

use self::tap::Outcome;
use self::tree::Tree;
use crate::harness::free_address;

/// What to run.
///
/// Fails if a test fails that is not excepted, or if a script does not come to
/// its end. Excepted tests count neither as passed nor as failed; each is listed
/// with its reason. Needs Apache (`apache2`) for the HTTP tests. As root the
/// scripts run as `nobody`, since they refuse root.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// A built git source tree (`make` has run in it). It is copied, not changed.
    pub tree: PathBuf,
    /// The scripts.
    #[arg(long, value_delimiter = ',', default_value = "t5541,t5551,t5702")]
    pub scripts: Vec<String>,
    /// Protocol versions that git's clients ask for unless a test says
    /// otherwise. Each script runs once for each, but t5702, which is about
    /// version 2, only for that: C git too fails in it with another, and in
    /// t5551 with version 1.
    #[arg(long, value_delimiter = ',', default_value = "2,0", value_parser = ["0", "2"])]
    pub protocols: Vec<String>,
    /// Run the tests too that git calls expensive. One of them leaves behind what
    /// makes t5551's "tag following always works over v0 http" fail, with C git too.
    #[arg(long)]
    pub expensive: bool,
    /// End with success even if tests fail.
    #[arg(long)]
    pub allow_failures: bool,
    /// Keep what the scripts print, commands included, in this directory.
    #[arg(long, value_name = "DIR")]
    pub logs: Option<PathBuf>,
}

/// Runs the scripts and prints a table of passed, failed and excepted.
pub fn run(options: &Options) -> anyhow::Result<()> {
    if let Some(logs) = &options.logs {
        fs::create_dir_all(logs)?;
    }
    let tree = Tree::copy(&options.tree)?;
    let mut failures = 0;
    let mut notes = Vec::new();
    println!("| script | protocol | passed | failed | excepted | skipped | server runs |");
    println!("|---|---|---|---|---|---|---|");
    for script in &options.scripts {
        let only_v2 = script == "t5702";
        let asked = options.protocols.iter();
        for protocol in asked.filter(|protocol| !only_v2 || *protocol == "2") {
            let before = tree.server_runs()?;
            let outcome = run_script(&tree, script, protocol, options)?;
            println!(
                "| {script} | {protocol} | {} | {} | {} | {} | {} |",
                outcome.passed.len(),
                outcome.failed.len(),
                outcome.excepted.len(),
                outcome.skipped.len(),
                tree.server_runs()? - before,
            );
            failures += outcome.failed.len();
            notes.extend(explain(script, protocol, &outcome));
        }
    }
    println!("\n{}\n", notes.join("\n"));
    println!("{failures} failed beyond the exceptions");
    if failures > 0 && !options.allow_failures {
        bail!("{failures} tests of git's suite failed");
    }
    Ok(())
}

/// A list of the tests that did not pass.
fn explain(script: &str, protocol: &str, outcome: &Outcome) -> Vec<String> {
    let line = |what: &str, name: &str, why: &str| {
        format!("- {what}: {script}, protocol {protocol}, {name}{why}")
    };
    let failed = outcome.failed.iter().map(|name| line("FAILED", name, ""));
    let excepted = outcome
        .excepted
        .iter()
        .map(|(name, why)| line("excepted", name, &format!(": {why}")));
    let skipped = outcome.skipped.iter().map(|name| line("skipped", name, ""));
    failed.chain(excepted).chain(skipped).collect()
}

fn run_script(
    tree: &Tree,
    script: &str,
    protocol: &str,
    options: &Options,
) -> anyhow::Result<Outcome> {
    let directory = tree.path().join("t");
    let file = fs::read_dir(&directory)?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .find(|name| {
            name.strip_prefix(script)
                .is_some_and(|rest| rest.starts_with('-') && rest.ends_with(".sh"))
        })
        .with_context(|| format!("no script {script} in {}", directory.display()))?;
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        let nobody = ["--reuid=nobody", "--regid=nogroup", "--clear-groups", "sh"];
        command.args(nobody);
        command
    } else {
        Command::new("sh")
    };
    let logs = options.logs.as_deref();
    let output = command
        .arg(format!("./{file}"))
        .arg("--no-color")
        .args(logs.map(|_| "--verbose-log"))
        .current_dir(&directory)
        .env("HOME", tree.path())
        .env("GIT_TEST_HTTPD", "1")
        .env("GIT_TEST_GIT_DAEMON", "1")
        .env("GIT_TEST_PROTOCOL_VERSION", protocol)
        .env("LIB_HTTPD_PORT", free_address()?.port().to_string())
        .env("LIB_GIT_DAEMON_PORT", free_address()?.port().to_string())
        .envs(options.expensive.then_some(("GIT_TEST_LONG", "1")))
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if let Some(logs) = logs {
        let from = file.replace(".sh", ".out");
        let from = directory.join("test-results").join(from);
        let to = logs.join(format!("{script}-protocol-{protocol}.log"));
        fs::copy(&from, &to).with_context(|| format!("keep {}", from.display()))?;
    }
    let outcome = Outcome::read(script, &text);
    ensure!(
        outcome.complete,
        "{script} did not come to its end: {} {}",
        last_lines(&text),
        last_lines(&errors)
    );
    Ok(outcome)
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
