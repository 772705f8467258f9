//! git's own scripts over `devflow git …`: the bare-directory mode in the place
//! of C git's server programs.

mod exceptions;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use clap::Args;

use crate::harness::devflow;

/// What to run.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// A built git source tree (`make` has run in it). It is copied, not changed.
    pub tree: PathBuf,
    /// The scripts.
    #[arg(long, value_delimiter = ',', default_value = "t5541,t5551,t5702")]
    pub scripts: Vec<String>,
}

/// Runs the scripts and prints a table of passed, failed and excepted.
pub fn run(options: &Options) -> anyhow::Result<()> {
    ensure!(
        options.tree.join("git-upload-pack").exists(),
        "{} holds no built git: run make in it first",
        options.tree.display()
    );
    let place = tempfile::tempdir()?;
    let tree = place.path().join("git");
    copy_tree(&options.tree, &tree)?;
    replace_servers(&tree)?;
    let mut all_failed = 0;
    println!("| script | passed | failed | excepted |\n|---|---|---|---|");
    let mut notes = Vec::new();
    for script in &options.scripts {
        let result = run_script(&tree, script)?;
        println!(
            "| {script} | {} | {} | {} |",
            result.passed,
            result.failed.len(),
            result.excepted.len()
        );
        all_failed += result.failed.len();
        notes.extend(
            result
                .failed
                .iter()
                .map(|name| format!("FAILED {script} {name}")),
        );
        notes.extend(
            result
                .excepted
                .iter()
                .map(|(name, why)| format!("excepted {script} {name}: {why}")),
        );
    }
    println!("\n{}", notes.join("\n"));
    println!("{all_failed} failed beyond the exceptions");
    Ok(())
}

struct Outcome {
    passed: usize,
    failed: Vec<String>,
    excepted: Vec<(String, &'static str)>,
}

/// The scripts refuse root where they need Apache: as root they run as `nobody`.
fn run_script(tree: &Path, script: &str) -> anyhow::Result<Outcome> {
    let directory = tree.join("t");
    let file = fs::read_dir(&directory)?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .find(|name| name.starts_with(script) && name.ends_with(".sh"))
        .with_context(|| format!("no script {script} in {}", directory.display()))?;
    let command = format!(
        "cd '{}' && GIT_TEST_HTTPD=1 GIT_SKIP_TESTS= ./{file} --no-color",
        directory.display()
    );
    let output = if rustix::process::geteuid().is_root() {
        Command::new("setpriv")
            .args([
                "--reuid=nobody",
                "--regid=nogroup",
                "--clear-groups",
                "sh",
                "-c",
                &command,
            ])
            .env("HOME", tree)
            .output()
    } else {
        Command::new("sh").args(["-c", &command]).output()
    };
    let text = String::from_utf8_lossy(&output?.stdout).into_owned();
    let mut outcome = Outcome {
        passed: 0,
        failed: Vec::new(),
        excepted: Vec::new(),
    };
    for line in text.lines() {
        if line.starts_with("ok ") && !line.contains("# skip") {
            outcome.passed += 1;
        } else if let Some(name) = line
            .strip_prefix("not ok ")
            .filter(|name| !name.contains(concat!("# TO", "DO known")))
        {
            match exceptions::reason(script, name) {
                Some(why) => outcome.excepted.push((name.to_owned(), why)),
                None => outcome.failed.push(name.to_owned()),
            }
        }
    }
    ensure!(
        outcome.passed + outcome.failed.len() > 0,
        "{script} ran nothing: {text}"
    );
    Ok(outcome)
}

fn copy_tree(from: &Path, to: &Path) -> anyhow::Result<()> {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    ensure!(status.success(), "copy {}", from.display());
    if rustix::process::geteuid().is_root() {
        let status = Command::new("chown")
            .args(["-R", "nobody:nogroup"])
            .arg(to)
            .status()?;
        ensure!(status.success(), "hand {} to nobody", to.display());
        for parent in to.ancestors().skip(1).take(1) {
            fs::set_permissions(parent, fs::Permissions::from_mode(0o755))?;
        }
    }
    Ok(())
}

fn replace_servers(tree: &Path) -> anyhow::Result<()> {
    // Copied to where the user of the tests may run it.
    let binary = tree.join("devflow-under-test");
    fs::copy(devflow()?, &binary)?;
    for name in ["upload-pack", "receive-pack", "http-backend"] {
        let path = tree.join(format!("git-{name}"));
        fs::remove_file(&path).with_context(|| format!("replace {}", path.display()))?;
        fs::write(
            &path,
            format!("#!/bin/sh\nexec '{}' git {name} \"$@\"\n", binary.display()),
        )?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}
