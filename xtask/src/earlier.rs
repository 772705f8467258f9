//! An earlier release of this repository, built beside the present one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{cargo, target};

/// Where the machine version stands, and the line that says it.
const VERSION_FILE: &str = "storage-node/api/src/map/mod.rs";
const VERSION_LINE: &str = "^pub const MACHINE_VERSION";

/// Builds `devflow` of a revision, or of the last one before the machine version rose;
/// returns its binary. What was built before is not built again.
///
/// It has a target directory of its own, since cargo takes the crates of two checkouts in
/// one for the same; that is removed with the checkout.
pub(crate) fn build(revision: Option<&str>) -> Result<PathBuf, String> {
    let wanted = match revision {
        Some(revision) => revision.to_owned(),
        None => before_last_rise()?,
    };
    let commit = git(&["rev-parse", "--verify", &format!("{wanted}^{{commit}}")])?;
    let place = target()?.join("earlier").join(&commit);
    let binary = place.join("devflow");
    if binary.is_file() {
        return Ok(binary);
    }
    println!("dev: building devflow of {commit}");
    let checkout = place.join("checkout");
    check_out(&commit, &checkout)?;
    let manifest = checkout.join("Cargo.toml");
    let manifest = manifest.to_str().ok_or("the path is not UTF-8")?;
    let own = place.join("target");
    cargo(&[
        "build",
        "--locked",
        "--package",
        "devflow",
        "--manifest-path",
        manifest,
        "--target-dir",
        own.to_str().ok_or("the path is not UTF-8")?,
    ])?;
    let built = own.join("debug").join("devflow");
    // By another name first: a copy that was cut short is no binary.
    let aside = place.join("devflow.new");
    fs::copy(&built, &aside).map_err(|error| format!("copy {}: {error}", built.display()))?;
    fs::rename(&aside, &binary).map_err(|error| format!("keep {}: {error}", binary.display()))?;
    for done in [checkout, own] {
        let failed = |error| format!("remove {}: {error}", done.display());
        fs::remove_dir_all(&done).map_err(failed)?;
    }
    Ok(binary)
}

/// The parent of the commit that last changed the machine version.
fn before_last_rise() -> Result<String, String> {
    let pattern = format!("-G{VERSION_LINE}");
    let rise = git(&["log", "-1", "--format=%H", &pattern, "--", VERSION_FILE])?;
    if rise.is_empty() {
        return Err("the machine version has never risen: give --from a revision".to_owned());
    }
    Ok(format!("{rise}^"))
}

/// Writes the files of a commit, without touching this checkout or what git knows of it.
fn check_out(commit: &str, place: &Path) -> Result<(), String> {
    let failed = |error| format!("write the files of {commit}: {error}");
    fs::create_dir_all(place).map_err(failed)?;
    let archive = place.with_extension("tar");
    let path = |path: &Path| path.to_string_lossy().into_owned();
    git(&[
        "archive",
        "--format=tar",
        "--output",
        &path(&archive),
        commit,
    ])?;
    let status = Command::new("tar")
        .args(["-xf", &path(&archive), "-C", &path(place)])
        .status()
        .map_err(failed)?;
    fs::remove_file(&archive).map_err(failed)?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("unpack the files of {commit}: {status}")),
    }
}

fn git(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("git")
        .args(arguments)
        .output()
        .map_err(|error| format!("run git: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("git {}: {}", arguments.join(" "), said.trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
