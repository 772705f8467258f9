//! Running cargo and what it builds.

use std::path::PathBuf;
use std::process::Command;

use crate::{licences, setup, tidy};

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
    cargo(&["build", "--locked", "--workspace", "--bins", "--examples"])?;
    let mut test = vec!["test", "--locked", "--workspace"];
    test.extend(arguments.iter().map(String::as_str));
    cargo(&test)?;
    if has("clippy-driver") {
        cargo(&[
            "clippy",
            "--locked",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "--deny",
            "warnings",
        ])?;
    }
    Ok(())
}

/// `./dev tidy`: what needs no build.
pub(crate) fn checks() -> Result<(), String> {
    tidy::check()?;
    licences::check()
}

/// `./dev clients`.
pub(crate) fn clients(arguments: &[String]) -> Result<(), String> {
    black_box("clients", arguments)
}

/// `./dev chaos`.
pub(crate) fn chaos(arguments: &[String]) -> Result<(), String> {
    black_box("chaos", arguments)
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
    program("benches", arguments)
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

fn cargo(arguments: &[&str]) -> Result<(), String> {
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
    use std::os::unix::process::CommandExt;

    let target = std::env::var_os("CARGO_TARGET_DIR")
        .ok_or("CARGO_TARGET_DIR is not set: run this through ./dev")?;
    let path = PathBuf::from(target).join("debug").join(name);
    let error = Command::new(&path).args(arguments).exec();
    Err(format!("run {}: {error}", path.display()))
}

fn has(tool: &str) -> bool {
    Command::new(tool)
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
}
