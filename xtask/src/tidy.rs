//! House rules that no lint knows.

use std::fs;
use std::path::{Path, PathBuf};

use crate::edges;

/// The most lines of a source file; tests in files of their own may have more.
const MAX_FILE_LINES: usize = 500;

/// A crate of the workspace.
pub(crate) struct Member {
    /// Its name.
    pub(crate) name: String,
    /// Its directory.
    pub(crate) path: PathBuf,
}

/// Checks edges and files; lists every fault.
pub(crate) fn check() -> Result<(), String> {
    let members = members()?;
    let mut faults = Vec::new();
    edges::check(&members, &mut faults);
    for member in &members {
        check_name(member, &mut faults);
        visit(&member.path, &mut |file| check_file(file, &mut faults))?;
    }
    if faults.is_empty() {
        println!("tidy: {} crates, no faults", members.len());
        return Ok(());
    }
    Err(format!(
        "{} faults:\n  {}",
        faults.len(),
        faults.join("\n  ")
    ))
}

/// The members that the root manifest lists.
pub(crate) fn members() -> Result<Vec<Member>, String> {
    let root =
        fs::read_to_string("Cargo.toml").map_err(|error| format!("read Cargo.toml: {error}"))?;
    let list = root
        .split_once("members = [")
        .and_then(|(_, rest)| rest.split_once(']'))
        .ok_or("Cargo.toml lists no members")?
        .0;
    list.split(',')
        .map(|entry| entry.trim().trim_matches('"'))
        .filter(|entry| !entry.is_empty())
        .map(|path| {
            let manifest = fs::read_to_string(Path::new(path).join("Cargo.toml"))
                .map_err(|error| format!("read {path}/Cargo.toml: {error}"))?;
            let name = manifest
                .lines()
                .find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
                .ok_or_else(|| format!("{path}/Cargo.toml has no name"))?;
            Ok(Member {
                name: name.to_owned(),
                path: path.into(),
            })
        })
        .collect()
}

fn check_name(member: &Member, faults: &mut Vec<String>) {
    let from_path = member.path.to_string_lossy().replace('/', "-");
    if from_path != member.name {
        faults.push(format!(
            "crate {} lives in {}: names follow paths",
            member.name,
            member.path.display()
        ));
    }
    let manifest = fs::read_to_string(member.path.join("Cargo.toml")).unwrap_or_default();
    if !manifest.contains("[lints]\nworkspace = true") {
        faults.push(format!(
            "{} does not take the workspace's lints",
            member.name
        ));
    }
}

fn check_file(file: &Path, faults: &mut Vec<String>) {
    let Ok(text) = fs::read_to_string(file) else {
        faults.push(format!("{} is not text", file.display()));
        return;
    };
    let shown = file.display();
    let is_test = file.components().any(|part| part.as_os_str() == "tests")
        || file.file_name().is_some_and(|name| name == "tests.rs");
    // Tests beside the code do not count.
    let lines = text
        .lines()
        .take_while(|line| *line != "#[cfg(test)]")
        .count();
    if !is_test && lines > MAX_FILE_LINES && !text.contains("// tidy: long file, because ") {
        faults.push(format!("{shown} has {lines} lines, the limit is {MAX_FILE_LINES}: split it, or say `// tidy: long file, because …`"));
    }
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    if [
        "util", "utils", "common", "helper", "helpers", "manager", "misc",
    ]
    .contains(&&*stem)
    {
        faults.push(format!("{shown}: give it a real name"));
    }
    if file.with_extension("").is_dir() {
        faults.push(format!(
            "{shown} stands beside its directory: make it mod.rs"
        ));
    }
    for mark in [
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("TO", "DO:"),
    ] {
        if text.contains(mark) {
            faults.push(format!("{shown} holds a {mark}"));
        }
    }
}

fn visit(directory: &Path, check: &mut dyn FnMut(&Path)) -> Result<(), String> {
    let entries = fs::read_dir(directory)
        .map_err(|error| format!("list {}: {error}", directory.display()))?;
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            visit(&path, check)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            check(&path);
        }
    }
    Ok(())
}
