//! Which crate may depend on which: the architecture, checked.

use std::fs;

use crate::tidy::Member;

/// Crates of this workspace and the workspace crates that each may use.
/// `devflow`, the benches and the black-box tests put everything together.
const ALLOWED: &[(&str, &[&str])] = &[
    (
        "backup",
        &["chunking", "objects", "runtime", "storage-node-api"],
    ),
    ("benches", &["*"]),
    ("benches-load", &["runtime"]),
    ("chunking", &[]),
    ("devflow", &["*"]),
    (
        "domain",
        &["chunking", "git-id", "runtime", "storage-node-api"],
    ),
    (
        "frontend",
        &[
            "chunking",
            "domain",
            "frontend-ssh",
            "git-id",
            "git-pack",
            "git-serve",
            "git-services",
            "git-wire",
            "runtime",
            "storage-node-api",
        ],
    ),
    ("frontend-ssh", &["runtime"]),
    ("git-id", &[]),
    ("git-pack", &["git-id"]),
    ("git-serve", &["git-id", "git-pack", "git-wire"]),
    ("git-services", &["git-id", "git-pack"]),
    ("git-wire", &["git-id"]),
    ("jepsen", &["*"]),
    ("jepsen-collection-model", &[]),
    ("jepsen-simulation", &["*"]),
    ("kv", &["runtime"]),
    ("objects", &["runtime"]),
    ("raft", &["kv", "rpc", "runtime"]),
    ("rpc", &["runtime"]),
    ("runtime", &[]),
    ("storage-node-api", &["chunking", "git-id", "runtime"]),
    (
        "storage-node-client",
        &["chunking", "rpc", "runtime", "storage-node-api"],
    ),
    (
        "storage-node-machine",
        &["chunking", "git-id", "storage-node-api"],
    ),
    (
        "storage-node-memory",
        &[
            "chunking",
            "runtime",
            "storage-node-api",
            "storage-node-machine",
            "storage-node-metadata",
        ],
    ),
    ("storage-node-metadata", &["runtime", "storage-node-api"]),
    (
        "storage-node-server",
        &[
            "chunking",
            "kv",
            "objects",
            "raft",
            "rpc",
            "runtime",
            "storage-node-api",
            "storage-node-client",
            "storage-node-machine",
            "storage-node-metadata",
        ],
    ),
    ("xtask", &[]),
];

/// Outside crates that stay behind one wall (a prefix, and who may use them).
const WALLS: &[(&str, &[&str])] = &[
    ("gix", &["git-pack"]),
    ("object_store", &["backup", "objects"]),
    ("openraft", &["raft"]),
    ("rocksdb", &["kv"]),
    ("rusqlite", &["storage-node-metadata"]),
    (
        "tonic",
        &[
            // As a client of etcd, to measure beside it.
            "benches",
            "raft",
            "rpc",
            "storage-node-client",
            "storage-node-server",
        ],
    ),
    ("fastcdc", &["chunking"]),
    ("imara-diff", &["git-services"]),
    ("russh", &["frontend-ssh"]),
    ("axum", &["frontend", "devflow"]),
];

/// Adds to `faults` every dependency that the tables do not allow.
/// Dependencies of tests are free, but for the walls.
pub(crate) fn check(members: &[Member], faults: &mut Vec<String>) {
    for member in members {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == member.name) else {
            faults.push(format!(
                "{}: not in the table of edges (xtask/src/edges.rs)",
                member.name
            ));
            continue;
        };
        let manifest = fs::read_to_string(member.path.join("Cargo.toml")).unwrap_or_default();
        for (dependency, normal) in dependencies(&manifest) {
            let internal = members.iter().any(|other| other.name == dependency);
            if internal && normal && *allowed != ["*"] && !allowed.contains(&dependency) {
                faults.push(format!("{} must not depend on {dependency}", member.name));
            }
            for (wall, inside) in WALLS {
                if !internal
                    && dependency.starts_with(wall)
                    && !inside.contains(&member.name.as_str())
                {
                    faults.push(format!(
                        "{} must not depend on {dependency}: {wall} stays inside {inside:?}",
                        member.name
                    ));
                }
            }
        }
    }
}

/// The names below `[dependencies]` (true) and `[dev-dependencies]` (false).
fn dependencies(manifest: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut section = "";
    manifest.lines().filter_map(move |line| {
        if line.starts_with('[') {
            section = line;
            return None;
        }
        let normal = match section {
            "[dependencies]" => true,
            "[dev-dependencies]" => false,
            _ => return None,
        };
        let name = line.split(['.', ' ', '=']).next()?;
        (!name.is_empty() && !name.starts_with('#')).then_some((name, normal))
    })
}

#[cfg(test)]
mod tests {
    use super::dependencies;

    #[test]
    fn dependencies_are_told_from_those_of_tests() {
        let manifest = "[package]\nname = \"a\"\n[dependencies]\nb.workspace = true\nc = \"1\"\n\n[dev-dependencies]\nd = { path = \"d\" }\n";
        let found: Vec<_> = dependencies(manifest).collect();
        assert_eq!(found, [("b", true), ("c", true), ("d", false)]);
    }
}
