use std::collections::BTreeSet;

use git_services::{
    DiffOptions, FileChange, LineOptions, Whitespace, diff_file, diff_trees, write_patch,
};

use crate::fixture::{NEVER, Repository, directory, run};
use crate::histories::random;

fn compare(repository: &Repository, one: &str, other: &str) -> Vec<FileChange> {
    let (one, other) = (
        repository.id(&format!("{one}^{{tree}}")),
        repository.id(&format!("{other}^{{tree}}")),
    );
    let options = DiffOptions::default();
    diff_trees(
        &repository.objects(),
        Some(&one),
        Some(&other),
        &options,
        &NEVER,
    )
    .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// As `git diff --numstat -z` has it: counts and paths.
fn ours(repository: &Repository, one: &str, other: &str, lines: &LineOptions) -> BTreeSet<String> {
    let objects = repository.objects();
    let mut stats = BTreeSet::new();
    for change in compare(repository, one, other) {
        let diff = diff_file(&objects, &change, lines).unwrap();
        let counts = match diff.is_binary {
            true => "-\t-".to_owned(),
            false => format!("{}\t{}", diff.added, diff.removed),
        };
        let path = text(change.path());
        let name = match (&change.before, change.similarity) {
            (Some(before), Some(_)) => format!("{} => {path}", text(&before.path)),
            _ => path,
        };
        stats.insert(format!("{counts}\t{name}"));
    }
    stats
}

fn gits(repository: &Repository, one: &str, other: &str, options: &[&str]) -> BTreeSet<String> {
    let mut arguments = vec!["diff", "--numstat", "-z", "-M"];
    arguments.extend(options);
    arguments.extend([one, other]);
    let output = text(&repository.git_bytes(&arguments, b""));
    let mut parts = output.split('\0');
    let mut stats = BTreeSet::new();
    while let Some(part) = parts.next().filter(|part| !part.is_empty()) {
        match part.strip_suffix('\t') {
            Some(counts) => {
                let (old, new) = (parts.next().unwrap(), parts.next().unwrap());
                stats.insert(format!("{counts}\t{old} => {new}"));
            }
            None => {
                stats.insert(part.to_owned());
            }
        }
    }
    stats
}

#[test]
fn counts_and_renames_are_gits_on_random_histories() {
    for seed in 20..=23 {
        let repository = random(seed, 60);
        let all = repository.git(&["rev-list", "--all"]);
        let all: Vec<&str> = all.lines().collect();
        for pair in 0..25 {
            let (one, other) = (all[pair * 7 % all.len()], all[pair * 11 % all.len()]);
            let ours = ours(&repository, one, other, &LineOptions::default());
            let theirs = gits(&repository, one, other, &[]);
            assert_eq!(ours, theirs, "{seed} {one} {other}");
        }
    }
}

/// Two commits that differ in every way there is.
fn every_way() -> Repository {
    let repository = Repository::new();
    let long = |salt: &str| {
        (0..60)
            .map(|at| format!("{salt} line {at}\n"))
            .collect::<String>()
    };
    repository.write("same", "same\n");
    repository.write("gone", long("gone"));
    repository.write("moved/a.txt", long("moved"));
    repository.write("moved/changed.txt", long("changed"));
    repository.write("binary", b"a\0b");
    repository.write("no newline", "one\ntwo");
    repository.write("code.c", format!("int one(void)\n{{\n{}}}\n", long("\tx")));
    repository.write("mode", "#!/bin/sh\n");
    repository.write("becomes-link", "text\n");
    repository.write("becomes-directory", "text\n");
    repository.write("qu\"o\te\u{e9}", "x\n");
    repository.write("spaces", "a b\nc  d\n\ne\nf\n");
    repository.commit("before");
    let root = repository.path().to_owned();
    let remove = |path: &str| std::fs::remove_file(root.join(path)).unwrap();
    for path in [
        "gone",
        "moved/a.txt",
        "moved/changed.txt",
        "becomes-link",
        "becomes-directory",
    ] {
        remove(path);
    }
    repository.write("other/a.txt", long("moved"));
    repository.write(
        "other/changed.txt",
        long("changed").replace("line 7", "another 7"),
    );
    repository.write("new", "brand new\n");
    repository.write("binary", b"a\0c");
    repository.write("no newline", "one\ntwo\n");
    repository.write(
        "code.c",
        format!(
            "int one(void)\n{{\n{}}}\n",
            long("\tx").replace("line 40", "y")
        ),
    );
    repository.git(&["update-index", "--chmod=+x", "mode"]);
    std::os::unix::fs::symlink("same", root.join("becomes-link")).unwrap();
    repository.write("becomes-directory/file", "text\n");
    repository.write("qu\"o\te\u{e9}", "y\n");
    repository.write("spaces", "a  b \nc d\n\n\ne\nf \n");
    repository.git(&["config", "core.fileMode", "false"]);
    repository.commit("after");
    repository
}

#[test]
fn options_for_white_space_count_as_in_git() {
    let repository = every_way();
    for (whitespace, blank, arguments) in [
        (Whitespace::Exact, false, vec![]),
        (Whitespace::IgnoreAmount, false, vec!["-b"]),
        (Whitespace::IgnoreAll, false, vec!["-w"]),
        (
            Whitespace::IgnoreAll,
            true,
            vec!["-w", "--ignore-blank-lines"],
        ),
        (Whitespace::Exact, true, vec!["--ignore-blank-lines"]),
    ] {
        let options = LineOptions {
            whitespace,
            ignore_blank_lines: blank,
            ..LineOptions::default()
        };
        // Files in which nothing is left are in git's list or not, as its version likes.
        let drop = |stats: BTreeSet<String>| -> BTreeSet<String> {
            stats
                .into_iter()
                .filter(|stat| !stat.starts_with("0\t0"))
                .collect()
        };
        let ours = drop(ours(&repository, "HEAD~1", "HEAD", &options));
        assert_eq!(
            ours,
            drop(gits(&repository, "HEAD~1", "HEAD", &arguments)),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_patch_is_gits_and_leads_from_one_tree_to_the_other() {
    let repository = every_way();
    let changes = compare(&repository, "HEAD~1", "HEAD");
    let mut patch = Vec::new();
    write_patch(
        &repository.objects(),
        &changes,
        &LineOptions::default(),
        &mut patch,
    )
    .unwrap();
    let arguments = ["diff", "-M", "--full-index", "HEAD~1", "HEAD"];
    let theirs = repository.git_bytes(&arguments, b"");
    assert_eq!(text(&patch), text(&theirs));
    let index = repository.path().join("index-of-test");
    let index = index.to_str().unwrap();
    let script = "GIT_INDEX_FILE=$0; export GIT_INDEX_FILE
        git read-tree HEAD~1 && git apply --cached && git write-tree";
    let applied = run(repository.path(), "sh", &["-c", script, index], &patch);
    assert!(applied.status.success(), "{}", text(&applied.stderr));
    assert_eq!(
        text(&applied.stdout).trim(),
        repository.id("HEAD^{tree}").to_string()
    );
}

#[test]
fn patches_of_random_histories_apply() {
    for seed in 24..=25 {
        let repository = random(seed, 60);
        let all = repository.git(&["rev-list", "--all"]);
        let all: Vec<&str> = all.lines().collect();
        let scratch = directory();
        for pair in 0..12 {
            let (one, other) = (all[pair * 5 % all.len()], all[pair * 13 % all.len()]);
            let mut patch = Vec::new();
            let changes = compare(&repository, one, other);
            let options = LineOptions::default();
            write_patch(&repository.objects(), &changes, &options, &mut patch).unwrap();
            if patch.is_empty() {
                continue;
            }
            let index = scratch.path().join("index");
            let script = format!(
                "GIT_INDEX_FILE=$0; export GIT_INDEX_FILE
                git read-tree {one} && git apply --cached && git write-tree"
            );
            let index = index.to_str().unwrap();
            let applied = run(repository.path(), "sh", &["-c", &script, index], &patch);
            assert!(applied.status.success(), "{}", text(&applied.stderr));
            let tree = repository.id(&format!("{other}^{{tree}}"));
            assert_eq!(text(&applied.stdout).trim(), tree.to_string());
        }
    }
}
