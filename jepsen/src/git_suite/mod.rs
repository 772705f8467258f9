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
use self::tree::{Servers, Tree};
use crate::harness::free_address;

/// What to run.
///
/// Fails if a test fails that is not excepted, or if a script does not come to
/// its end. A script in which something failed is run again with C git's own
/// servers, and what fails there too does not count: some scripts are not meant
/// for every protocol version. Excepted tests count neither as passed nor as
/// failed; each is listed with its reason. Needs Apache (`apache2`) for the HTTP
/// tests. As root the scripts run as `nobody`, since they refuse root.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// A built git source tree (`make` has run in it). It is copied, not changed.
    pub tree: PathBuf,
    /// The scripts.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "t5500,t5510,t5516,t5541,t5551,t5561,t5700,t5701,t5702,t5703,t5704,t5705"
    )]
    pub scripts: Vec<String>,
    /// Protocol versions that git's clients ask for unless a test says
    /// otherwise. Each script runs once for each.
    #[arg(long, value_delimiter = ',', default_value = "2,1,0", value_parser = ["0", "1", "2"])]
    pub protocols: Vec<String>,
    /// Hash functions of the repositories. Each script runs once for each.
    #[arg(long, value_delimiter = ',', default_value = "sha1,sha256", value_parser = ["sha1", "sha256"])]
    pub hashes: Vec<String>,
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

/// One run of one script.
#[derive(Clone, Copy)]
struct Run<'a> {
    script: &'a str,
    protocol: &'a str,
    hash: &'a str,
}

/// Runs the scripts and prints a table of passed, failed and excepted.
pub fn run(options: &Options) -> anyhow::Result<()> {
    if let Some(logs) = &options.logs {
        fs::create_dir_all(logs)?;
    }
    let ours = Tree::copy(&options.tree, Servers::Devflow)?;
    let theirs = Tree::copy(&options.tree, Servers::Git)?;
    let mut failures = 0;
    let mut notes = Vec::new();
    println!(
        "| script | protocol | hash | passed | failed | fails with C git too | excepted | skipped | server runs |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for run in runs(options) {
        let before = ours.server_runs()?;
        let mut outcome = run_script(&ours, run, options)?;
        if !outcome.failed.is_empty() {
            let with_git = run_script(&theirs, run, options)?;
            outcome.excuse(&with_git);
        }
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            run.script,
            run.protocol,
            run.hash,
            outcome.passed.len(),
            outcome.failed.len(),
            outcome.fails_with_git.len(),
            outcome.excepted.len(),
            outcome.skipped.len(),
            ours.server_runs()? - before,
        );
        failures += outcome.failed.len();
        notes.extend(explain(run, &outcome));
    }
    println!("\n{}\n", notes.join("\n"));
    println!("{failures} failed beyond the exceptions");
    if failures > 0 && !options.allow_failures {
        bail!("{failures} tests of git's suite failed");
    }
    Ok(())
}

/// Every script with every version and hash function.
fn runs(options: &Options) -> impl Iterator<Item = Run<'_>> {
    options.scripts.iter().flat_map(move |script| {
        options.hashes.iter().flat_map(move |hash| {
            options.protocols.iter().map(move |protocol| Run {
                script,
                protocol,
                hash,
            })
        })
    })
}

/// A list of the tests that did not pass.
fn explain(run: Run<'_>, outcome: &Outcome) -> Vec<String> {
    let Run {
        script,
        protocol,
        hash,
    } = run;
    let line = |what: &str, name: &str, why: &str| {
        format!("- {what}: {script}, protocol {protocol}, {hash}, {name}{why}")
    };
    let plain = |what: &'static str, names: &[String]| -> Vec<String> {
        names.iter().map(|name| line(what, name, "")).collect()
    };
    let mut lines = plain("FAILED", &outcome.failed);
    lines.extend(plain("fails with C git too", &outcome.fails_with_git));
    let excepted = outcome.excepted.iter();
    lines.extend(excepted.map(|(name, why)| line("excepted", name, &format!(": {why}"))));
    lines.extend(plain("skipped", &outcome.skipped));
    lines
}

fn run_script(tree: &Tree, run: Run<'_>, options: &Options) -> anyhow::Result<Outcome> {
    let script = run.script;
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
        .env("GIT_TEST_PROTOCOL_VERSION", run.protocol)
        .env("GIT_TEST_DEFAULT_HASH", run.hash)
        .env("LIB_HTTPD_PORT", free_address()?.port().to_string())
        .env("LIB_GIT_DAEMON_PORT", free_address()?.port().to_string())
        .envs(options.expensive.then_some(("GIT_TEST_LONG", "1")))
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if let Some(logs) = logs {
        let from = directory
            .join("test-results")
            .join(file.replace(".sh", ".out"));
        let servers = tree.servers().name();
        let kept = format!("{script}-v{}-{}-{servers}.log", run.protocol, run.hash);
        fs::copy(&from, logs.join(kept)).with_context(|| format!("keep {}", from.display()))?;
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
