use std::path::PathBuf;

use git_id::HashKind;
use git_pack::{Consolidate, PackOptions, Selection};

use crate::clone::{PLAIN, objects_of, planned, written};
use crate::fixture::{Repository, git_bytes, maintain};

/// The usual history, and on top: an octopus, clocks that go back, a file that becomes a directory,
/// more files at once than a filter has room for, names beyond ASCII, nothing at all.
fn varied(hash: HashKind) -> Repository {
    let repository = Repository::with_history(hash);
    let many = |count: u32| {
        let file = |at| format!("M 100644 inline many/{at}/file\ndata 2\n{}\n", at % 7);
        (0..count).map(file).collect::<String>()
    };
    let commit = |when: i64, from: &str, changes: &str| {
        format!(
            "commit refs/heads/more\ncommitter C <c@example.com> {when} +0000\ndata 0\n{from}{changes}\n"
        )
    };
    let far = 8_000_000_000;
    let script = [
        commit(
            far,
            "from refs/heads/main\nmerge refs/heads/main~4\nmerge refs/heads/side\nmerge refs/heads/main~9\n",
            "",
        ),
        commit(1, "", "D kept\nM 100644 inline kept/below\ndata 1\nx\n"),
        commit(2, "", &many(300)),
        commit(3, "", &many(513)),
        commit(
            far + 1,
            "",
            "M 100755 inline caf\u{e9}/\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}.txt\ndata 1\ny\n",
        ),
        commit(0, "", ""),
        commit(5, "", "D many\n"),
    ];
    let input = script.concat();
    git_bytes(
        repository.path(),
        &["fast-import", "--quiet"],
        input.as_bytes(),
    );
    repository
}

fn path(repository: &Repository) -> PathBuf {
    repository.path().join("objects/info/commit-graph")
}

fn write(repository: &Repository) {
    maintain(repository, |options| {
        options.consolidate = Consolidate::Nothing;
        options.bitmaps = false;
    });
}

#[test]
fn the_commit_graph_is_that_of_git_byte_for_byte() {
    for hash in [HashKind::Sha1, HashKind::Sha256] {
        let repository = varied(hash);
        write(&repository);
        repository.git(&["commit-graph", "verify"]);
        let ours = std::fs::read(path(&repository)).unwrap();
        std::fs::remove_file(path(&repository)).unwrap();
        repository.git(&["commit-graph", "write", "--reachable", "--changed-paths"]);
        let theirs = std::fs::read(path(&repository)).unwrap();
        assert!(ours == theirs, "{} and {} bytes", ours.len(), theirs.len());
    }
}

#[test]
fn filters_tell_of_every_path_that_changed() {
    let repository = varied(HashKind::Sha1);
    write(&repository);
    let objects = repository.objects();
    let commits = repository.git(&["rev-list", "--all"]);
    let mut unchanged = 0;
    for commit in commits.lines() {
        let id = commit.parse().unwrap();
        let parent = format!("{commit}^");
        let against = match repository
            .git(&["rev-list", "--parents", "-1", commit])
            .len()
        {
            40 => &["--root", commit][..],
            _ => &[&parent, commit],
        };
        let arguments = [
            &["diff-tree", "-r", "--name-only", "-z", "--no-commit-id"],
            against,
        ]
        .concat();
        let changed = git_bytes(repository.path(), &arguments, b"");
        for path in changed
            .split(|byte| *byte == 0)
            .filter(|path| !path.is_empty())
        {
            assert_eq!(objects.may_have_changed(&id, path), Some(true));
            let above = path
                .iter()
                .position(|byte| *byte == b'/')
                .unwrap_or(path.len());
            assert_eq!(objects.may_have_changed(&id, &path[..above]), Some(true));
        }
        unchanged += usize::from(objects.may_have_changed(&id, b"elsewhere") == Some(false));
    }
    assert!(unchanged > commits.lines().count() * 9 / 10, "{unchanged}");
}

#[test]
fn answers_are_the_same_with_a_commit_graph_without_and_with_a_damaged_one() {
    let repository = varied(HashKind::Sha1);
    let selection = Selection {
        wants: repository.tips(),
        haves: vec![repository.id("main~53")],
        ..Selection::default()
    };
    let answer = || {
        // The objects are opened anew, as the file is read once.
        let objects = repository.objects();
        written(&planned(
            &objects,
            &selection,
            PackOptions {
                thin: false,
                ..PLAIN
            },
        ))
    };
    let without = answer();
    write(&repository);
    assert!(answer() == without);
    let whole = std::fs::read(path(&repository)).unwrap();
    // Every part of the file: header, table, each chunk, checksum.
    for at in (0..whole.len()).step_by(whole.len() / 40).chain(0..8) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        for bytes in [&damaged[..], &whole[..at]] {
            std::fs::remove_file(path(&repository)).unwrap();
            std::fs::write(path(&repository), bytes).unwrap();
            assert!(answer() == without, "byte {at}");
        }
    }
    let had = repository.rev_list(&["main~53"]);
    let sent = objects_of(&without, HashKind::Sha1);
    let needed = repository.rev_list(&["--all", "^main~53"]);
    assert!(sent.is_superset(&needed) && sent.difference(&needed).all(|id| had.contains(id)));
}
