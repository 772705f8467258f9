//! Running cargo and what it builds.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{earlier, licences, setup, tidy};

/// `./dev serve`: builds and becomes `devflow serve`.
pub(crate) fn serve(arguments: &[String]) -> Result<(), String> {
    setup::all()?;
    cargo(&["build", "--locked", "--package", "devflow"])?;
    program("devflow", &[&["serve".to_owned()], arguments].concat())
}

/// `./dev test`: everything that CI asks for.
pub(crate) fn test(arguments: &[String]) -> Result<(), String> {
    setup::all()?;
    checks()?;
    if has("rustfmt") {
        cargo(&["fmt", "--all", "--check"])?;
    }
    if has("clippy-driver") {
        let workspace = [
            "clippy",
            "--locked",
            "--workspace",
            "--all-targets",
            "--quiet",
        ];
        cargo(&[&workspace[..], &["--", "--deny", "warnings"]].concat())?;
    }
    // What the tests of processes start.
    cargo(&["build", "--locked", "--workspace", "--bins", "--examples"])?;
    let mut test = vec![
        "test",
        "--locked",
        "--workspace",
        "--lib",
        "--bins",
        "--tests",
    ];
    test.extend(arguments.iter().map(String::as_str));
    let (passed, failed) = count_tests(&test)?;
    println!("{passed} passed, {failed} failed");
    if passed == 0 || failed > 0 {
        return Err("not all tests passed".to_owned());
    }
    Ok(())
}

/// Runs tests, shows what they print, and adds up their results.
fn count_tests(arguments: &[&str]) -> Result<(u64, u64), String> {
    println!("dev: cargo {}", arguments.join(" "));
    let mut child = Command::new("cargo")
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("run cargo: {error}"))?;
    let output = child.stdout.take().ok_or("cargo has no standard output")?;
    let (mut passed, mut failed) = (0, 0);
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        println!("{line}");
        if let Some(result) = line.strip_prefix("test result: ") {
            let words: Vec<&str> = result.split([' ', ';']).collect();
            let before = |word| {
                let at = words.iter().position(|other| *other == word)?;
                words.get(at.checked_sub(1)?)?.parse::<u64>().ok()
            };
            passed += before("passed").unwrap_or(0);
            failed += before("failed").unwrap_or(0);
        }
    }
    let status = child
        .wait()
        .map_err(|error| format!("wait for cargo: {error}"))?;
    if !status.success() {
        failed = failed.max(1);
    }
    Ok((passed, failed))
}

/// `./dev tidy`: what needs no build.
pub(crate) fn checks() -> Result<(), String> {
    tidy::check()?;
    licences::check()
}

/// Advisories about what is not done here, and why it is not.
const HARMLESS: &[(&str, &str)] = &[(
    "RUSTSEC-2023-0071",
    "the time of RSA's private operations: here its public ones alone are used, to check signatures",
)];

/// `./dev advisories [DATABASE]`: holds Cargo.lock against the RustSec database, fetched or
/// a directory with a copy of it.
pub(crate) fn advisories(arguments: &[String]) -> Result<(), String> {
    if !has("cargo-audit") {
        cargo(&["install", "--locked", "cargo-audit"])?;
    }
    let mut audit = vec!["audit", "--file", "Cargo.lock", "--deny", "unsound"];
    for (advisory, _reason) in HARMLESS {
        audit.extend(["--ignore", advisory]);
    }
    match arguments {
        [] => {}
        [database] => audit.extend(["--no-fetch", "--stale", "--db", database]),
        _ => return Err("give nothing, or one directory with the database".to_owned()),
    }
    cargo(&audit)
}

/// `./dev clients`.
pub(crate) fn clients(arguments: &[String]) -> Result<(), String> {
    black_box("clients", arguments)
}

/// `./dev chaos`.
pub(crate) fn chaos(arguments: &[String]) -> Result<(), String> {
    black_box("chaos", arguments)
}

/// `./dev failover`.
pub(crate) fn failover(arguments: &[String]) -> Result<(), String> {
    black_box("failover", arguments)
}

/// `./dev upgrade [--from REV|PATH]`: from a binary, or from what a revision builds; by
/// default from the last one before the machine version rose.
pub(crate) fn upgrade(arguments: &[String]) -> Result<(), String> {
    let mut rest = arguments.to_vec();
    let at = rest.iter().position(|argument| argument == "--from");
    let from = match at {
        Some(at) if at + 1 < rest.len() => rest.drain(at..=at + 1).next_back(),
        Some(_) => return Err("--from takes a revision or the path of a binary".to_owned()),
        None => None,
    };
    let old = match from.as_deref().map(Path::new) {
        Some(path) if path.is_file() => path.to_owned(),
        _ => earlier::build(from.as_deref())?,
    };
    let old = old.to_str().ok_or("the path is not UTF-8")?.to_owned();
    black_box("upgrade", &[&["--old".to_owned(), old], &rest[..]].concat())
}

/// `./dev simulate --seed N`.
pub(crate) fn simulate(arguments: &[String]) -> Result<(), String> {
    setup::all()?;
    cargo(&["build", "--locked", "--package", "jepsen-simulation"])?;
    program("jepsen-simulation", arguments)
}

/// `./dev model SCENARIO DEEPER`.
pub(crate) fn model(arguments: &[String]) -> Result<(), String> {
    setup::all()?;
    let mut run = vec!["run", "--locked", "--package", "jepsen-collection-model"];
    run.extend(["--example", "check", "--"]);
    run.extend(arguments.iter().map(String::as_str));
    cargo(&run)
}

/// `./dev git-suite PATH`.
pub(crate) fn git_suite(arguments: &[String]) -> Result<(), String> {
    black_box("git-suite", arguments)
}

/// `./dev bench`.
pub(crate) fn bench(arguments: &[String]) -> Result<(), String> {
    setup::all()?;
    cargo(&[
        "build",
        "--locked",
        "--package",
        "devflow",
        "--package",
        "benches",
    ])?;
    program("benches", &[&["git".to_owned()], arguments].concat())
}

/// `./dev figures`: with the release profile, since processor time is compared with others'.
pub(crate) fn figures(arguments: &[String]) -> Result<(), String> {
    setup::all()?;
    cargo(&[
        "build",
        "--locked",
        "--release",
        "--package",
        "devflow",
        "--package",
        "benches",
    ])?;
    built(
        "release",
        "benches",
        &[&["figures".to_owned()], arguments].concat(),
    )
}

fn black_box(name: &str, arguments: &[String]) -> Result<(), String> {
    setup::all()?;
    cargo(&[
        "build",
        "--locked",
        "--package",
        "devflow",
        "--package",
        "jepsen",
    ])?;
    program("jepsen", &[&[name.to_owned()], arguments].concat())
}

pub(crate) fn cargo(arguments: &[&str]) -> Result<(), String> {
    println!("dev: cargo {}", arguments.join(" "));
    let status = Command::new("cargo").args(arguments).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!(
            "`cargo {}` ended with {status}",
            arguments.join(" ")
        )),
        Err(error) => Err(format!("run cargo: {error}")),
    }
}

/// Replaces this process, so that signals reach the program.
fn program(name: &str, arguments: &[String]) -> Result<(), String> {
    built("debug", name, arguments)
}

fn built(profile: &str, name: &str, arguments: &[String]) -> Result<(), String> {
    use std::os::unix::process::CommandExt;

    let path = target()?.join(profile).join(name);
    let error = Command::new(&path).args(arguments).exec();
    Err(format!("run {}: {error}", path.display()))
}

/// Where cargo builds.
pub(crate) fn target() -> Result<PathBuf, String> {
    std::env::var_os("CARGO_TARGET_DIR")
        .map(PathBuf::from)
        .ok_or("CARGO_TARGET_DIR is not set: run this through ./dev".to_owned())
}

fn has(tool: &str) -> bool {
    Command::new(tool)
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
}
