use std::collections::BTreeSet;

use git_id::HashKind;
use git_pack::{Objects, ReceiveError};

use crate::fixture::{Repository, directory, take, try_git};
use crate::packs::{BLOB, COMMIT, Entry, TAG, TREE, id, pack};

/// Git's own strict checks on a pack: what messages it has, or that it is content.
fn judged_by_git(scratch: &Repository, bytes: &[u8]) -> Result<(), BTreeSet<String>> {
    let output = try_git(
        scratch.path(),
        &["index-pack", "--fsck-objects", "--stdin"],
        bytes,
    );
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let message = |line: &str| {
        line.strip_prefix("error: object ")?
            .split(": ")
            .nth(1)
            .map(str::to_owned)
    };
    Err(text.lines().filter_map(message).collect())
}

/// Our verdict on a pack.
fn judged_here(bytes: &[u8]) -> Result<(), &'static str> {
    let directory = directory();
    match take(bytes, directory.path(), &Objects::empty(HashKind::Sha1)) {
        Ok(_) => Ok(()),
        Err(ReceiveError::Fsck { problem, .. }) => Err(problem.id()),
        Err(error) => panic!("{error}"),
    }
}

fn compare(cases: &[(&str, Vec<u8>)]) {
    let scratch = Repository::empty(HashKind::Sha1);
    for (what, bytes) in cases {
        match (judged_here(bytes), judged_by_git(&scratch, bytes)) {
            (Ok(()), Ok(())) => {}
            (Err(ours), Err(theirs)) if theirs.is_empty() || theirs.contains(ours) => {}
            (ours, theirs) => panic!("{what}: here {ours:?}, git {theirs:?}"),
        }
    }
}

const HEX: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
const WHO: &str = "A U Thor <a@example.com> 1700000000 +0100";

#[test]
fn commits_are_judged_as_git_judges_them() {
    let plain = |author: &str| format!("tree {HEX}\nauthor {author}\ncommitter {WHO}\n\nmessage\n");
    let mut cases: Vec<(String, String)> = [
        "A <a> 1 +0000",
        "A U Thor <a@example.com> 1700000000 -1200",
        "<a> 1 +0000",
        " <a> 1 +0000",
        "A 1 +0000",
        "A> <a> 1 +0000",
        "A<a> 1 +0000",
        "A <a 1 +0000",
        "A <a<b> 1 +0000",
        "A <a>b> 1 +0000",
        "A <a>1 +0000",
        "A <a>  1 +0000",
        "A <a> \t1 +0000",
        "A <a> x +0000",
        "A <a> ",
        "A <a>",
        "A <> 0 +0000",
        "A <a> 01 +0000",
        "A <a> 1+0000",
        "A <a> 1 0000",
        "A <a> 1 +000",
        "A <a> 1 +00000",
        "A <a> 1 +0000 ",
        "A <a> 9223372036854775807 +0000",
        "A <a> 9223372036854775808 +0000",
        "A <a> 99999999999999999999999999 +0000",
        "",
    ]
    .iter()
    .map(|author| (format!("author {author:?}"), plain(author)))
    .collect();
    for text in [
        String::new(),
        format!("tree {HEX}\n"),
        format!("tree {HEX}\n\n"),
        format!("tree {HEX}"),
        format!("tree {}\nauthor {WHO}\ncommitter {WHO}\n\n", &HEX[1..]),
        format!("tree {HEX}\nparent {HEX}x\nauthor {WHO}\ncommitter {WHO}\n\n"),
        format!("tree {HEX}\nparent \nauthor {WHO}\ncommitter {WHO}\n\n"),
        format!("tree {HEX}\nauthor {WHO}\n\n"),
        format!("tree {HEX}\ncommitter {WHO}\n\n"),
        format!("tree {HEX}\ncommitter {WHO}\nauthor {WHO}\n\n"),
        format!("tree {HEX}\nauthor {WHO}\nauthor {WHO}\ncommitter {WHO}\n\n"),
        format!("tree {HEX}\nauthor {WHO}\ncommitter {WHO}"),
        format!("tree {HEX}\nauthor {WHO}\ncommitter {WHO}\n"),
        format!("tree {HEX}\nauthor {WHO}\ncommitter {WHO}\nextra header\n\nmessage"),
        format!("tree {HEX}\nauthor {WHO}\ncommitter {WHO}\n\nmess\0age"),
        format!("tree {HEX}\nauthor {WHO}\ncommitter {WHO}\nx\0y\n\nmessage"),
        format!("author {WHO}\ncommitter {WHO}\n\n"),
        format!(" tree {HEX}\nauthor {WHO}\ncommitter {WHO}\n\n"),
    ] {
        cases.push((format!("{text:?}"), text));
    }
    let cases: Vec<(&str, Vec<u8>)> = cases
        .iter()
        .map(|(what, text)| {
            (
                what.as_str(),
                pack(&[Entry::Whole(COMMIT, text.as_bytes())]),
            )
        })
        .collect();
    compare(&cases);
}

#[test]
fn tags_are_judged_as_git_judges_them() {
    let texts = [
        format!("object {HEX}\ntype tree\ntag v1\ntagger {WHO}\n\nmessage\n"),
        format!("object {HEX}\ntype tree\ntag v1\n\nmessage\n"),
        format!("object {HEX}\ntype tree\ntag v1\n"),
        format!("object {HEX}\ntype tree\ntag not a name\ntagger {WHO}\n\n"),
        format!("object {HEX}\ntype tree\ntag v1\ntagger A <a> x +0000\n\n"),
        format!("object {HEX}\ntype tree\ntag v1\ntagger {WHO}\nextra\n\n"),
        format!("object {HEX}\ntype treat\ntag v1\ntagger {WHO}\n\n"),
        format!("object {HEX}\ntag v1\ntagger {WHO}\n\n"),
        format!("object {HEX}\ntype tree\ntagger {WHO}\n\n"),
        format!("object {HEX}x\ntype tree\ntag v1\ntagger {WHO}\n\n"),
        format!("object {}\ntype tree\ntag v1\ntagger {WHO}\n\n", &HEX[..39]),
        format!("type tree\ntag v1\ntagger {WHO}\n\n"),
        format!("object {HEX}\ntype tree\ntag v1\ntagger {WHO}"),
        format!("object {HEX}\ntype tree\ntag v1\0\ntagger {WHO}\n\n"),
        String::new(),
    ];
    let cases: Vec<(&str, Vec<u8>)> = texts
        .iter()
        .map(|text| (text.as_str(), pack(&[Entry::Whole(TAG, text.as_bytes())])))
        .collect();
    compare(&cases);
}

fn tree(entries: &[(&str, &str)], id: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    for (mode, name) in entries {
        data.extend_from_slice(format!("{mode} {name}\0").as_bytes());
        data.extend_from_slice(id);
    }
    data
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn trees_are_judged_as_git_judges_them() {
    let mut names: Vec<String> = [
        "a",
        ".",
        "..",
        "a/b",
        ".git",
        ".GIT",
        "git~1",
        "GIT~1",
        "git~2",
        ".git ",
        ".git.",
        ".git. . ",
        ".git:x",
        ".gitx",
        ".g\u{200c}it",
        "\u{206f}.git\u{feff}",
        "a\\.git",
        "a\\.git\\b",
        "a\\git~1",
        ".git\\a",
        ".gitmodulesx",
        ".gitignore",
        "...",
        ".\u{200d}gitx",
        "a\\b",
        "\\.git",
        ".git/a",
        "a/.git",
    ]
    .iter()
    .map(|name| (*name).to_owned())
    .collect();
    names.push("x".repeat(4096));
    let blob = id(BLOB, b"x");
    let mut cases: Vec<(String, Vec<u8>)> = names
        .iter()
        .map(|name| (format!("name {name:?}"), tree(&[("100644", name)], &blob)))
        .collect();
    for mode in [
        "100644", "100755", "100664", "120000", "160000", "100600", "0100644", "040000", "644",
        "0", "100645", "1",
    ] {
        cases.push((format!("mode {mode}"), tree(&[(mode, "a")], &blob)));
    }
    for entries in [
        &[("100644", "b"), ("100644", "a")][..],
        &[("100644", "a"), ("100644", "a")],
        &[("100644", "a"), ("40000", "a")],
        &[("40000", "a"), ("100644", "a")],
        &[("100644", "a"), ("100644", "a.b"), ("40000", "a")],
        &[("40000", "a"), ("100644", "a.b")],
        &[("100644", "a.b"), ("40000", "a")],
        &[
            ("100644", "foo"),
            ("100644", "foo.bar"),
            ("100644", "foo.bar.baz"),
            ("40000", "foo.bar"),
            ("40000", "foo"),
        ],
        &[
            ("100644", "foo"),
            ("100644", "foo.bar"),
            ("40000", "foo-"),
            ("40000", "foo"),
        ],
        &[("120000", ".gitmodules")],
        &[("120000", ".GITMODULES ")],
        &[("120000", "gi7eba~1")],
        &[("120000", "a\\.gitmodules")],
        &[("120000", ".gitattributes")],
        &[("120000", ".mailmap")],
    ] {
        cases.push((format!("{entries:?}"), tree(entries, &blob)));
    }
    cases.push(("null".to_owned(), tree(&[("100644", "a")], &[0; 20])));
    cases.push(("nothing".to_owned(), Vec::new()));
    let whole = tree(&[("100644", "a"), ("100644", "b")], &blob);
    for length in [1, 8, 10, 27, 28, 40, whole.len() - 1] {
        cases.push((format!("cut to {length}"), whole[..length].to_vec()));
    }
    cases.push((
        "garbage behind".to_owned(),
        [&whole[..], b"garbage"].concat(),
    ));
    let cases: Vec<(&str, Vec<u8>)> = cases
        .iter()
        .map(|(what, data)| (what.as_str(), pack(&[Entry::Whole(TREE, data)])))
        .collect();
    compare(&cases);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn special_files_are_judged_as_git_judges_them() {
    let modules = [
        "[submodule \"a\"]\n\tpath = a\n\turl = https://example.com/a\n",
        "[submodule \"../a\"]\n\tpath = a\n",
        "[submodule \"a/..\"]\n\tpath = a\n",
        "[submodule \"a\"]\n\tpath = -a\n",
        "[submodule \"a\"]\n\turl = -a\n",
        "[submodule \"a\"]\n\turl = \"https://example.com/%0a\"\n",
        "[submodule \"a\"]\n\turl = http::https://example.com/%0Ax\n",
        "[submodule \"a\"]\n\turl = https:///example.com/a\n",
        "[submodule \"a\"]\n\turl = ../../:example.com\n",
        "[submodule \"a\"]\n\turl = ./a\n",
        "[submodule \"a\"]\n\turl = git://example.com/a\n",
        "[submodule \"a\"]\n\turl = git://example.com/%0a\n",
        "[submodule \"a\"]\n\tupdate = !x\n",
        "[submodule \"a\"]\n\tupdate = none\n",
        "[submodule \"a\"\n\tpath = -a\n",
        "[submodule \"a\"]\n\tpath = a\n[broken\n",
        "[SubModule \"a\"]\n\tPATH = -a\n",
        "[submodule.a]\n\tpath = -a\n",
        "[submodule]\n\tpath = -a\n",
        "; comment\n[submodule \"a\"] path = -a\n",
        "[submodule \"a\"]\n\tpath = \"-a\n",
        "[submodule \"a\"]\n\tpath\n",
        "",
    ];
    let long = "x".repeat(2048);
    let mut cases = Vec::new();
    for text in modules {
        cases.push((
            format!(".gitmodules {text:?}"),
            ".gitmodules",
            text.to_owned(),
        ));
    }
    cases.push((
        "short line".to_owned(),
        ".gitattributes",
        format!("{}\n", &long[1..]),
    ));
    cases.push((
        "long line".to_owned(),
        ".gitattributes",
        format!("a\n{long}\n"),
    ));
    cases.push((
        "long line elsewhere".to_owned(),
        "attributes",
        format!("a\n{long}\n"),
    ));
    let mut packs: Vec<(String, Vec<u8>)> = Vec::new();
    for (what, name, text) in &cases {
        let tree = tree(&[("100644", name)], &id(BLOB, text.as_bytes()));
        let entries = [
            Entry::Whole(BLOB, text.as_bytes()),
            Entry::Whole(TREE, &tree),
        ];
        packs.push((what.clone(), pack(&entries)));
        packs.push((
            format!("{what}, tree first"),
            pack(&[
                Entry::Whole(TREE, &tree),
                Entry::Whole(BLOB, text.as_bytes()),
            ]),
        ));
    }
    let other = tree(&[("100644", "a")], &id(BLOB, b""));
    let absent = tree(&[("100644", ".gitattributes")], &[7; 20]);
    packs.push(("missing".to_owned(), pack(&[Entry::Whole(TREE, &absent)])));
    for name in [".gitmodules", ".gitattributes"] {
        let directory = tree(&[("40000", name)], &id(TREE, &other));
        let entries = [Entry::Whole(TREE, &other), Entry::Whole(TREE, &directory)];
        packs.push((format!("{name} a directory"), pack(&entries)));
    }
    let cases: Vec<(&str, Vec<u8>)> = packs
        .iter()
        .map(|(what, bytes)| (what.as_str(), bytes.clone()))
        .collect();
    compare(&cases);
}

#[test]
fn checks_that_only_newer_git_makes() {
    let name = "x".repeat(4097);
    let large = pack(&[Entry::Whole(TREE, &tree(&[("100644", &name)], &[7; 20]))]);
    assert_eq!(judged_here(&large), Err("largePathname"));
    let signed = |rest: &str| {
        let text = format!("object {HEX}\ntype tree\ntag v1\ntagger {WHO}\ngpgsig {rest}");
        judged_here(&pack(&[Entry::Whole(TAG, text.as_bytes())]))
    };
    assert_eq!(signed("x\n y\n\nmessage"), Ok(()));
    assert_eq!(signed("x\n\n y"), Ok(()));
    let text = format!("tree {HEX}\nauthor A <a> -1 +0000\ncommitter {WHO}\n\n");
    assert_eq!(
        judged_here(&pack(&[Entry::Whole(COMMIT, text.as_bytes())])),
        Err("badDate")
    );
    let text = b"[submodule \"a\"]\n\turl = https://example.com:port/a\n";
    let named = tree(&[("100644", ".gitmodules")], &id(BLOB, text));
    let bytes = pack(&[Entry::Whole(TREE, &named), Entry::Whole(BLOB, text)]);
    assert_eq!(judged_here(&bytes), Err("gitmodulesUrl"));
}

/// Git only reports it, so that a second push can bring the blob unchecked.
#[test]
fn a_submodule_file_must_come_with_its_tree() {
    let absent = tree(&[("100644", ".gitmodules")], &[7; 20]);
    let bytes = pack(&[Entry::Whole(TREE, &absent)]);
    assert_eq!(judged_here(&bytes), Err("gitmodulesMissing"));
}
