use std::collections::BTreeSet;

use git_id::ObjectId;
use git_services::{LogOptions, compare, count, last_changes, log, merge_bases};

use crate::fixture::{NEVER, Repository};
use crate::histories::random;

fn ids(text: &str) -> Vec<ObjectId> {
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// As pushed, and with changed-path filters.
fn with_and_without_filters(repository: &Repository, check: impl Fn(&Repository)) {
    check(repository);
    repository.git(&["commit-graph", "write", "--reachable", "--changed-paths"]);
    check(repository);
}

#[test]
fn the_last_change_of_each_entry_is_the_one_that_git_finds() {
    for seed in 1..=3 {
        let repository = random(seed, 120);
        with_and_without_filters(&repository, |repository| {
            let objects = repository.objects();
            for branch in ["branch0", "branch1", "branch2"] {
                for path in ["", "dir1", "dir2/", "dir3/sub1"] {
                    let tip = repository.id(branch);
                    let Some(listed) =
                        last_changes(&objects, &tip, path.as_bytes(), &NEVER).unwrap()
                    else {
                        let spec = format!("{branch}:{path}");
                        let there = crate::fixture::run(
                            repository.path(),
                            "git",
                            &["rev-parse", "-q", "--verify", &spec],
                            b"",
                        );
                        assert!(!there.status.success(), "{spec}");
                        continue;
                    };
                    assert!(!listed.is_empty());
                    for change in listed {
                        let name = String::from_utf8(change.entry.name).unwrap();
                        let full = [path.trim_end_matches('/'), &name].join("/");
                        let full = full.trim_start_matches('/');
                        let theirs =
                            repository.git(&["log", "-1", "--format=%H", branch, "--", full]);
                        assert_eq!(
                            change.commit.unwrap().to_string(),
                            theirs,
                            "{seed} {branch} {full}"
                        );
                    }
                }
            }
        });
    }
}

#[test]
fn a_log_lists_what_git_lists_page_by_page() {
    for seed in 4..=6 {
        let repository = random(seed, 120);
        with_and_without_filters(&repository, |repository| {
            let objects = repository.objects();
            let tip = repository.id("branch0");
            for path in ["", "dir1", "dir0/sub1/file1", "dir2/sub0", "top1", "none"] {
                let options = LogOptions {
                    path: path.into(),
                    limit: usize::MAX,
                    ..LogOptions::default()
                };
                let mut arguments = vec!["rev-list", "branch0"];
                if !path.is_empty() {
                    arguments.extend(["--", path]);
                }
                let theirs = ids(&repository.git(&arguments));
                let ours = log(&objects, &tip, &options, &NEVER).unwrap();
                assert_eq!(ours.commits, theirs, "{seed} {path}");
                assert!(!ours.more);
                assert_eq!(
                    count(&objects, &tip, &options, &NEVER).unwrap(),
                    theirs.len()
                );
                let page = LogOptions {
                    skip: 2,
                    limit: 3,
                    ..options
                };
                let page = log(&objects, &tip, &page, &NEVER).unwrap();
                let expected: Vec<_> = theirs.iter().skip(2).take(3).copied().collect();
                assert_eq!((page.commits, page.more), (expected, theirs.len() > 5));
            }
            let not = LogOptions {
                not: vec![repository.id("branch1")],
                limit: usize::MAX,
                ..LogOptions::default()
            };
            let theirs = ids(&repository.git(&["rev-list", "branch0", "^branch1"]));
            assert_eq!(log(&objects, &tip, &not, &NEVER).unwrap().commits, theirs);
        });
    }
}

#[test]
fn merge_bases_and_both_sides_are_gits() {
    for seed in 7..=10 {
        let repository = random(seed, 100);
        let objects = repository.objects();
        let all = ids(&repository.git(&["rev-list", "--all"]));
        for pair in 0..40 {
            let (one, other) = (all[pair * 7 % all.len()], all[pair * 13 % all.len()]);
            let (first, second) = (one.to_string(), other.to_string());
            let output = crate::fixture::run(
                repository.path(),
                "git",
                &["merge-base", "--all", &first, &second],
                b"",
            );
            let theirs: BTreeSet<_> = ids(std::str::from_utf8(&output.stdout).unwrap())
                .into_iter()
                .collect();
            let ours = merge_bases(&objects, &one, &other, &NEVER).unwrap();
            assert_eq!(ours.into_iter().collect::<BTreeSet<_>>(), theirs);
            let compared = compare(&objects, &one, &other, &NEVER).unwrap();
            assert_eq!(compared.base.is_some(), !theirs.is_empty());
            let range = format!("{first}...{second}");
            let counts = repository.git(&["rev-list", "--left-right", "--count", &range]);
            let ours = format!("{}\t{}", compared.behind, compared.ahead.len());
            assert_eq!(ours, counts, "{seed} {range}");
        }
    }
}
