use git_services::{SearchError, SearchOptions, search};

use crate::fixture::{NEVER, Repository};
use crate::histories::random;

fn options(pattern: &str, is_regex: bool) -> SearchOptions {
    SearchOptions {
        pattern: pattern.to_owned(),
        is_regex,
        ignore_case: false,
        path: Vec::new(),
        limit: usize::MAX,
    }
}

fn ours(repository: &Repository, options: &SearchOptions) -> Vec<String> {
    let tree = repository.id("branch0^{tree}");
    let found = search(&repository.objects(), &tree, options, &NEVER).unwrap();
    let lines = found.lines.iter().map(|found| {
        let (path, text) = (
            String::from_utf8_lossy(&found.path),
            String::from_utf8_lossy(&found.text),
        );
        format!("branch0:{path}:{}:{text}", found.line)
    });
    lines.collect()
}

#[test]
fn lines_are_found_as_git_grep_finds_them() {
    let repository = random(40, 80);
    for (pattern, is_regex, git) in [
        ("as of 1", false, vec!["-F"]),
        ("line 1[0-9] as of (2|3)", true, vec!["-E"]),
        ("4 as of 2.$", true, vec!["-E"]),
    ] {
        let mut arguments = vec!["grep", "-n"];
        arguments.extend(git);
        arguments.extend(["-e", pattern, "branch0"]);
        let theirs = repository.git(&arguments);
        assert!(theirs.lines().count() > 3);
        let ours = ours(&repository, &options(pattern, is_regex));
        assert_eq!(ours.join("\n"), theirs, "{pattern}");
    }
}

#[test]
fn a_search_ends_at_its_limits_and_refuses_what_is_no_pattern() {
    let repository = random(41, 80);
    let tree = repository.id("branch0^{tree}");
    let mut asked = options("LINE", false);
    asked.ignore_case = true;
    asked.limit = 2;
    asked.path = b"dir1".to_vec();
    let found = search(&repository.objects(), &tree, &asked, &NEVER).unwrap();
    assert_eq!((found.lines.len(), found.is_cut), (2, true));
    assert!(
        found
            .lines
            .iter()
            .all(|line| line.path.starts_with(b"dir1/"))
    );
    for pattern in ["(", "(a{1000}){1000}"] {
        let error = search(
            &repository.objects(),
            &tree,
            &options(pattern, true),
            &NEVER,
        );
        assert!(matches!(error, Err(SearchError::Pattern(_))), "{pattern}");
    }
}
