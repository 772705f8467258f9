use git_services::blame;

use crate::fixture::{NEVER, Repository};
use crate::histories::random;

/// The commit, line there and path of each line.
fn ours(repository: &Repository, revision: &str, path: &str) -> Vec<String> {
    let commit = repository.id(revision);
    let found = blame(
        &repository.objects(),
        &commit,
        path.as_bytes(),
        None,
        &NEVER,
    )
    .unwrap();
    let lines = found.iter().flat_map(|found| {
        let name = String::from_utf8_lossy(&found.path).into_owned();
        let there = (found.line_there..).take(found.lines.len());
        there.map(move |line| format!("{} {} {name}", found.commit, line + 1))
    });
    lines.collect()
}

fn gits(repository: &Repository, revision: &str, path: &str) -> Vec<String> {
    let output = repository.git(&["blame", "--line-porcelain", revision, "--", path]);
    let (mut lines, mut head) = (Vec::new(), String::new());
    for line in output.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if words[0].len() == 40 && words.len() >= 3 && !line.starts_with('\t') {
            head = format!("{} {}", words[0], words[1]);
        } else if let Some(name) = line.strip_prefix("filename ") {
            lines.push(format!("{head} {name}"));
        }
    }
    lines
}

#[test]
fn lines_are_from_where_git_says() {
    for seed in 30..=32 {
        let repository = random(seed, 80);
        for with_filters in [false, true] {
            if with_filters {
                repository.git(&["commit-graph", "write", "--reachable", "--changed-paths"]);
            }
            let files = repository.git(&["ls-tree", "-r", "--name-only", "branch0"]);
            assert!(files.lines().count() > 5);
            for path in files.lines() {
                let (ours, theirs) = (
                    ours(&repository, "branch0", path),
                    gits(&repository, "branch0", path),
                );
                assert_eq!(ours, theirs, "{seed} {path}");
            }
        }
    }
}

#[test]
fn a_renamed_file_is_followed_and_a_range_is_enough() {
    let repository = Repository::new();
    let text: String = (0..30).map(|at| format!("line {at}\n")).collect();
    repository.write("old/name", &text);
    let first = repository.commit("first");
    std::fs::remove_file(repository.path().join("old/name")).unwrap();
    repository.write("new", text.replace("line 7\n", "changed\nadded\n"));
    let second = repository.commit("second");
    assert_eq!(
        ours(&repository, "HEAD", "new"),
        gits(&repository, "HEAD", "new")
    );
    let objects = repository.objects();
    let found = blame(&objects, &second, b"new", Some(6..10), &NEVER).unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|found| (found.lines.clone(), found.commit, found.line_there))
        .collect();
    assert_eq!(
        found,
        [(6..7, first, 6), (7..9, second, 7), (9..10, first, 8)]
    );
    assert!(blame(&objects, &second, b"old", None, &NEVER).is_err());
}
