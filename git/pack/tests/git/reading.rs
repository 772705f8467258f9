use git_id::HashKind;
use git_pack::{Kind, Objects, ReadError};

use crate::fixture::{Repository, directory, git_bytes};

#[test]
fn every_object_reads_as_git_reads_it() {
    for hash in [HashKind::Sha1, HashKind::Sha256] {
        let repository = Repository::with_history(hash);
        let loose = git_bytes(
            repository.path(),
            &["hash-object", "-w", "--stdin"],
            b"loose content",
        );
        let loose = String::from_utf8(loose)
            .unwrap()
            .trim_end()
            .parse()
            .unwrap();
        let objects = repository.objects();
        assert_eq!(
            objects.read(&loose).unwrap().unwrap().data,
            b"loose content"
        );
        let batch = ["cat-file", "--batch-all-objects", "--batch"];
        let all = git_bytes(repository.path(), &batch, b"");
        let mut rest = &all[..];
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap();
            let line = std::str::from_utf8(&rest[..end]).unwrap();
            let words: Vec<&str> = line.split(' ').collect();
            let size: usize = words[2].parse().unwrap();
            let id = words[0].parse().unwrap();
            let object = objects.read(&id).unwrap().unwrap();
            assert_eq!(object.kind.name(), words[1]);
            assert!(object.data == rest[end + 1..][..size], "{id}");
            let header = objects.header(&id).unwrap().unwrap();
            assert_eq!((header.kind, header.size), (object.kind, size as u64));
            assert!(objects.contains(&id));
            rest = &rest[end + size + 2..];
        }
        assert!(
            objects
                .read(&git_id::ObjectId::null(hash))
                .unwrap()
                .is_none()
        );
    }
}

#[test]
fn alternates_are_followed() {
    let repository = Repository::with_history(HashKind::Sha1);
    let borrower = Repository::empty(HashKind::Sha1);
    let alternates = format!(
        "# comment\n{}\n/nowhere\n",
        repository.path().join("objects").display()
    );
    std::fs::write(borrower.path().join("objects/info/alternates"), alternates).unwrap();
    assert!(borrower.objects().contains(&repository.id("main")));
    std::fs::write(
        repository.path().join("objects/info/alternates"),
        "../objects/../objects\n",
    )
    .unwrap();
    assert!(
        borrower.objects().contains(&repository.id("main")),
        "a circle has an end"
    );
}

#[test]
fn commits_trees_and_paths_are_decoded() {
    let repository = Repository::with_history(HashKind::Sha1);
    let objects = repository.packed();
    let main = repository.id("main");
    let commit = objects.commit(&main).unwrap().unwrap();
    assert_eq!(commit.tree, repository.id("main^{tree}"));
    assert_eq!(commit.message, b"commit 60\n");
    assert_eq!(
        (
            commit.author.offset_minutes,
            commit.committer.offset_minutes
        ),
        (120, -210)
    );
    assert_eq!(commit.committer.time, 1_600_060_000);
    let merge = objects.commit(&repository.id("main~1")).unwrap().unwrap();
    assert_eq!(
        merge.parents,
        [repository.id("main~1^1"), repository.id("main~1^2")]
    );

    let names: Vec<_> = objects.tree(&commit.tree).unwrap().unwrap();
    let names: Vec<_> = names
        .iter()
        .map(|entry| (entry.mode, String::from_utf8_lossy(&entry.name)))
        .collect();
    assert!(
        names.contains(&(0o40000, "dir".into())) && names.contains(&(0o160000, "module".into()))
    );
    let file = objects
        .entry_at_path(&commit.tree, b"dir/sub0/file60")
        .unwrap()
        .unwrap();
    assert_eq!(
        (file.mode, file.id),
        (0o100644, repository.id("main:dir/sub0/file60"))
    );
    for absent in ["dir/sub0/file61", "large/x", "none/none"] {
        assert_eq!(
            objects
                .entry_at_path(&commit.tree, absent.as_bytes())
                .unwrap(),
            None,
            "{absent}"
        );
    }
    assert!(matches!(
        objects.commit(&commit.tree),
        Err(ReadError::WrongKind {
            actual: Kind::Tree,
            expected: Kind::Commit,
            ..
        })
    ));
    assert_eq!(
        objects.peel(&repository.id("v2-signed")).unwrap(),
        Some(main)
    );
    assert_eq!(objects.peel(&main).unwrap(), None);
}

#[test]
fn damaged_entries_are_errors_not_panics() {
    let repository = Repository::with_history(HashKind::Sha1);
    let pack = repository.objects().packs().remove(0);
    let bytes = std::fs::read(&pack).unwrap();
    let ids = repository.all_objects();
    let directory = directory();
    let copy = directory.path().join("x.pack");
    std::fs::copy(pack.with_extension("idx"), copy.with_extension("idx")).unwrap();
    let mut errors = 0;
    for at in (12..bytes.len() - 20).step_by(bytes.len() / 25) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        std::fs::write(&copy, &damaged).unwrap();
        let objects = Objects::open_packs(HashKind::Sha1, std::slice::from_ref(&copy)).unwrap();
        for id in &ids {
            errors += usize::from(objects.read(id).is_err());
            let _ = objects.header(id);
        }
    }
    assert!(errors > 0);
    std::fs::write(&copy, &bytes[..bytes.len() - 1]).unwrap();
    assert!(
        Objects::open_packs(HashKind::Sha1, &[copy]).is_err(),
        "an index of another pack"
    );
}
