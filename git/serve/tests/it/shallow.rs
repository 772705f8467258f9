//! Shallow clones, and how they become deeper.

use std::path::{Path, PathBuf};

use crate::sandbox::{FETCH_WAYS, Sandbox};

fn depth(sandbox: &Sandbox, repository: &Path, revision: &str) -> usize {
    sandbox
        .at(repository, &["rev-list", "--count", revision])
        .trim()
        .parse()
        .unwrap()
}

#[test]
fn a_shallow_clone_deepens_to_the_whole() {
    let sandbox = Sandbox::new();
    let served = sandbox.history("served.git", 40);
    let options = ["--depth=1", "--no-single-branch"];
    // Before git 2.55 "--deepen" counted from each shallow commit: what it comes to now is
    // asked of git as a depth.
    let steps = ["--depth=3", "--deepen=4", "--depth=2", "--unshallow"];
    let same = ["--depth=3", "--depth=7", "--depth=2", "--unshallow"];
    let twin = clone_by_git(&sandbox, &served, "twin", options[0]);
    let expected = same.map(|step| {
        sandbox.at(&twin, &["fetch", "-q", step]);
        shallow_file(&twin)
    });
    for way in FETCH_WAYS {
        let label = format!("{way:?}");
        let copy = sandbox.clone(way, "served.git", &label, &options);
        assert_eq!(depth(&sandbox, &copy, "origin/main"), 1, "{label}");
        for (step, expected) in steps.iter().zip(&expected) {
            sandbox.at(&copy, &["fetch", "-q", step]);
            assert_eq!(&shallow_file(&copy), expected, "{label} {step}");
            sandbox.at(&copy, &["fsck", "--strict"]);
        }
        assert_eq!(
            depth(&sandbox, &copy, "origin/main"),
            depth(&sandbox, &served, "main")
        );
        assert_eq!(
            sandbox.id(&copy, "origin/main"),
            sandbox.id(&served, "main")
        );
    }
}

#[test]
fn depth_by_time_and_by_ref_agree_with_git() {
    let sandbox = Sandbox::new();
    let served = sandbox.history("served.git", 40);
    let since = format!("--shallow-since=@{}", 1_600_000_000 + 30 * 1000 - 500);
    for (n, option) in [since.as_str(), "--shallow-exclude=v19"].iter().enumerate() {
        let expected = shallow_file(&clone_by_git(
            &sandbox,
            &served,
            &format!("twin {n}"),
            option,
        ));
        for way in FETCH_WAYS {
            let label = format!("{way:?} {n}");
            let copy = sandbox.clone(way, "served.git", &label, &[option, "--no-single-branch"]);
            assert_eq!(shallow_file(&copy), expected, "{label}");
            sandbox.at(&copy, &["fsck", "--strict"]);
        }
    }
    let way = (crate::sandbox::Over::Pipes, 2);
    let copy = sandbox.clone(way, "served.git", "none", &["--depth=1"]);
    let printed = sandbox.git_in(&copy, &["fetch", "--shallow-since=@1900000000"], b"");
    assert!(
        printed
            .err
            .contains("no commits selected for shallow requests"),
        "{printed:?}"
    );
}

#[test]
fn a_shallow_clone_fetches_on() {
    let sandbox = Sandbox::new();
    let served = sandbox.history("served.git", 20);
    let copies =
        FETCH_WAYS.map(|way| sandbox.clone(way, "served.git", &format!("{way:?}"), &["--depth=2"]));
    sandbox.import(&served, 20..24);
    for copy in &copies {
        let before = shallow_file(copy);
        sandbox.at(copy, &["fetch", "-q"]);
        assert_eq!(sandbox.id(copy, "origin/main"), sandbox.id(&served, "main"));
        assert_eq!(shallow_file(copy), before);
        sandbox.at(copy, &["fsck", "--strict"]);
    }
}

#[test]
fn an_unknown_ref_to_exclude_is_an_error() {
    let sandbox = Sandbox::new();
    sandbox.history("served.git", 5);
    for way in FETCH_WAYS {
        let copy = sandbox.clone(way, "served.git", &format!("{way:?}"), &["--depth=1"]);
        let printed = sandbox.git_in(&copy, &["fetch", "--shallow-exclude=nothing"], b"");
        assert!(!printed.success);
        assert!(
            printed.err.contains("deepen-not is not a ref: nothing"),
            "{way:?} {printed:?}"
        );
    }
}

fn shallow_file(repository: &Path) -> Vec<String> {
    let path = [".git/shallow", "shallow"].map(|name| repository.join(name));
    let text = path
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok())
        .unwrap_or_default();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// A clone that git's own server made.
fn clone_by_git(sandbox: &Sandbox, served: &Path, name: &str, option: &str) -> PathBuf {
    let target = sandbox.path(name);
    let url = format!("file://{}", served.display());
    let to = target.to_str().unwrap();
    sandbox.ok(&["clone", "-q", "--no-single-branch", option, &url, to]);
    target
}
