//! Partial clones.

use std::collections::BTreeSet;
use std::path::Path;

use crate::sandbox::{FETCH_WAYS, Over, Sandbox};

const FILTERS: [&str; 13] = [
    "blob:none",
    "blob:limit=1",
    "blob:limit=2880",
    "blob:limit=1m",
    "tree:0",
    "tree:1",
    "tree:2",
    "object:type=blob",
    "object:type=tree",
    "object:type=commit",
    "object:type=tag",
    "combine:tree:2+blob:limit=2880",
    "combine:object:type=tree+tree:1",
];

fn offering(sandbox: &Sandbox, name: &str, commits: usize) -> std::path::PathBuf {
    let served = sandbox.history(name, commits);
    sandbox.at(&served, &["config", "uploadpack.allowFilter", "true"]);
    served
}

fn objects(sandbox: &Sandbox, repository: &Path) -> BTreeSet<String> {
    let here = [
        "cat-file",
        "--batch-all-objects",
        "--batch-check=%(objectname)",
    ];
    sandbox
        .at(repository, &here)
        .lines()
        .map(str::to_owned)
        .collect()
}

/// What git says that the filter leaves of everything, all refs being wanted by name. Combined
/// filters leave what each of them leaves; git itself loses blobs that it meets at two depths.
fn expected(sandbox: &Sandbox, served: &Path, filter: &str) -> BTreeSet<String> {
    let single = |filter: &str| {
        let filter = format!("--filter={filter}");
        let list = [
            "rev-list",
            "--objects",
            "--no-object-names",
            "--all",
            &filter,
        ];
        let lines = sandbox.at(served, &list);
        lines.lines().map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let parts = filter.trim_start_matches("combine:").split('+');
    let left = parts.map(single).reduce(|all, part| &all & &part);
    left.unwrap()
}

#[test]
fn every_filter_leaves_what_git_leaves() {
    let sandbox = Sandbox::new();
    let served = offering(&sandbox, "served.git", 40);
    // A directory at two depths, one tag of a tag and one of a blob.
    let tree = sandbox.id(&served, "main:dir1");
    let blob = sandbox.id(&served, "main:same");
    let nested = format!("040000 tree {tree}\tdir1\n040000 tree {tree}\tother\n");
    let nested = sandbox
        .git_in(&served, &["mktree"], nested.as_bytes())
        .expect_ok();
    let deep = format!(
        "040000 tree {}\tbelow\n040000 tree {tree}\tdir1\n",
        nested.trim()
    );
    let deep = sandbox
        .git_in(&served, &["mktree"], deep.as_bytes())
        .expect_ok();
    let commit = sandbox.at(
        &served,
        &["commit-tree", "-p", "main", "-m", "deep", deep.trim()],
    );
    sandbox.at(&served, &["branch", "deep", commit.trim()]);
    sandbox.at(&served, &["tag", "-a", "-m", "tag of a tag", "tt", "v9"]);
    sandbox.at(&served, &["tag", "-a", "-m", "tag of a blob", "tb", &blob]);
    for state in ["loose and packs", "one pack", "garbage beside"] {
        match state {
            "one pack" => sandbox.at(&served, &["repack", "-adq"]),
            "garbage beside" => sandbox.at(&served, &["update-ref", "-d", "refs/heads/deep"]),
            _ => String::new(),
        };
        for filter in FILTERS {
            let expected = expected(&sandbox, &served, filter);
            for way in FETCH_WAYS {
                let to = format!("{state} {filter} {way:?}").replace([':', '='], "-");
                let option = format!("--filter={filter}");
                let copy = sandbox.clone(way, "served.git", &to, &["--mirror", &option]);
                let came = objects(&sandbox, &copy);
                let more: Vec<_> = came.difference(&expected).collect();
                let fewer: Vec<_> = expected.difference(&came).collect();
                assert!(
                    more.is_empty() && fewer.is_empty(),
                    "{to}: {more:?} too much, {fewer:?} missing"
                );
            }
        }
    }
}

#[test]
fn files_of_a_partial_clone_come_when_they_are_needed() {
    let sandbox = Sandbox::new();
    let served = offering(&sandbox, "served.git", 30);
    let whole = sandbox.clone(FETCH_WAYS[0], "served.git", "whole", &["-b", "main"]);
    for way in FETCH_WAYS {
        for filter in ["blob:none", "tree:0", "blob:limit=2880"] {
            // Protocols 0 and 1 let nobody want what no ref names.
            if way.1 != 2 {
                sandbox.at(
                    &served,
                    &["config", "uploadpack.allowAnySHA1InWant", "true"],
                );
            }
            let to = format!("{filter} {way:?}").replace(':', "-");
            let option = format!("--filter={filter}");
            let copy = sandbox.clone(way, "served.git", &to, &["-b", "main", &option]);
            assert_eq!(sandbox.at(&copy, &["status", "--porcelain"]), "");
            let lacking = ["rev-list", "--objects", "--missing=print", "--all"];
            assert!(
                sandbox.at(&copy, &lacking).contains("\n?"),
                "{to}: all came"
            );
            let read = |path: &Path| sandbox.at(path, &["log", "-p", "--no-color", "main"]);
            assert_eq!(read(&copy), read(&whole), "{to}");
        }
    }
}

#[test]
fn a_partial_clone_fetches_on() {
    let sandbox = Sandbox::new();
    let served = offering(&sandbox, "served.git", 20);
    let copies = FETCH_WAYS.map(|way| {
        let to = format!("{way:?}");
        sandbox.clone(way, "served.git", &to, &["--mirror", "--filter=blob:none"])
    });
    sandbox.import(&served, 20..45);
    sandbox.at(
        &served,
        &["config", "uploadpack.allowAnySHA1InWant", "true"],
    );
    for copy in &copies {
        sandbox.at(copy, &["fetch", "-q", "origin"]);
        assert_eq!(sandbox.refs(copy), sandbox.refs(&served));
        let expected = expected(&sandbox, &served, "blob:none");
        assert_eq!(objects(&sandbox, copy), expected, "{}", copy.display());
    }
}

#[test]
fn filters_are_refused_as_the_owner_says() {
    let sandbox = Sandbox::new();
    let served = sandbox.history("served.git", 3);
    let refused = |version: u8, filter: &str| {
        let to = sandbox.path("refused");
        let protocol = format!("protocol.version={version}");
        let option = format!("--filter={filter}");
        let url = sandbox.url(Over::Http, "served.git");
        let settings = ["-c", &protocol, "clone", "-q", "--mirror"];
        let what = [&option, &url, to.to_str().unwrap()];
        let printed = sandbox.run(&[&settings[..], &what[..]].concat());
        let _gone = std::fs::remove_dir_all(&to);
        printed
    };
    // Not offered: git warns, and clones all.
    let printed = refused(2, "blob:none");
    assert!(
        printed.success && printed.err.contains("filtering not recognized"),
        "{printed:?}"
    );
    sandbox.at(&served, &["config", "uploadpack.allowFilter", "true"]);
    for (setting, value, filter, message) in [
        (
            "uploadpackfilter.tree.allow",
            "false",
            "tree:1",
            "filter 'tree' not supported",
        ),
        (
            "uploadpackfilter.blob:none.allow",
            "false",
            "blob:none",
            "filter 'blob:none' not supported",
        ),
        (
            "uploadpackfilter.combine.allow",
            "false",
            "combine:blob:limit=1+tree:0",
            "filter 'combine' not supported",
        ),
        (
            "uploadpackfilter.tree.allow",
            "true",
            "sparse:oid=main:x",
            "filter 'sparse:oid' not supported",
        ),
        (
            "uploadpackfilter.tree.maxDepth",
            "3",
            "tree:4",
            "tree filter allows max depth 3, but got 4",
        ),
        (
            "uploadpackfilter.allow",
            "false",
            "blob:limit=9",
            "filter 'blob:limit' not supported",
        ),
    ] {
        sandbox.at(&served, &["config", setting, value]);
        for version in [0, 2] {
            let printed = refused(version, filter);
            assert!(
                !printed.success && printed.err.contains(message),
                "{filter}: {printed:?}"
            );
        }
    }
}
