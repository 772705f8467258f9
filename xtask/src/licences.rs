//! The licences of all dependencies, against a list of those that fit ours.

use std::process::Command;

/// Licences that Apache-2.0 software may be built from.
const ACCEPTED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates that must not come in, and why.
const REFUSED: &[(&str, &str)] = &[
    ("openssl", "TLS is rustls with ring"),
    ("native-tls", "TLS is rustls with ring"),
    (
        "async-std",
        "the runtime is tokio, behind the runtime crate",
    ),
];

/// Fails with the list of crates that are refused or whose licence expression cannot be met.
pub(crate) fn check() -> Result<(), String> {
    let tree = Command::new("cargo")
        .args([
            "tree",
            "--locked",
            "--workspace",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
            "--format",
            "{p}\t{l}",
        ])
        .output()
        .map_err(|error| format!("run cargo tree: {error}"))?;
    if !tree.status.success() {
        return Err(format!(
            "cargo tree: {}",
            String::from_utf8_lossy(&tree.stderr)
        ));
    }
    let listing = String::from_utf8_lossy(&tree.stdout).into_owned();
    let mut lines: Vec<&str> = listing.lines().filter(|line| !line.is_empty()).collect();
    lines.sort_unstable();
    lines.dedup();
    let mut faults: Vec<String> = Vec::new();
    for line in &lines {
        let (package, licence) = line.split_once('\t').unwrap_or((line, ""));
        if !accepted(licence.trim_end_matches(" (*)")) {
            faults.push(format!("{package}: {licence:?}"));
        }
        let name = package.split(' ').next().unwrap_or(package);
        if let Some((_, reason)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
            faults.push(format!("{name} is refused: {reason}"));
        }
    }
    if faults.is_empty() {
        println!("licences: {} crates, all accepted", lines.len());
        return Ok(());
    }
    Err(format!(
        "dependencies that are not accepted:\n  {}",
        faults.join("\n  ")
    ))
}

/// Whether an SPDX expression of AND, OR and brackets can be met.
fn accepted(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let expression = expression.trim();
    let inner = expression
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'));
    if let Some(inner) = inner.filter(|inner| balanced(inner)) {
        return accepted(inner);
    }
    if let Some((left, right)) = split(expression, " AND ") {
        return accepted(left) && accepted(right);
    }
    if let Some((left, right)) = split(expression, " OR ") {
        return accepted(left) || accepted(right);
    }
    ACCEPTED.contains(&expression)
}

fn balanced(text: &str) -> bool {
    let mut depth = 0i32;
    text.chars().all(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth >= 0
    }) && depth == 0
}

fn split<'a>(expression: &'a str, operator: &str) -> Option<(&'a str, &'a str)> {
    expression
        .match_indices(operator)
        .map(|(at, _)| (&expression[..at], &expression[at + operator.len()..]))
        .find(|(left, _)| balanced(left))
}

#[cfg(test)]
mod tests {
    use super::accepted;

    #[test]
    fn expressions_are_met_by_what_is_accepted() {
        for (expression, expected) in [
            ("MIT", true),
            ("MIT OR GPL-3.0", true),
            ("MIT/Apache-2.0", true),
            ("GPL-3.0", false),
            ("MIT AND GPL-3.0", false),
            ("(MIT OR GPL-3.0) AND Unicode-3.0", true),
            ("(MIT AND GPL-3.0) OR (ISC)", true),
            ("", false),
        ] {
            assert_eq!(accepted(expression), expected, "{expression:?}");
        }
    }
}
