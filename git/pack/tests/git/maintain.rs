use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use git_id::{HashKind, ObjectId};
use git_pack::{Consolidate, Islands, NoBitmaps, PackOptions, Selection};

use crate::clone::{PLAIN, objects_of, planned, written};
use crate::fixture::{Repository, git_bytes, listing, maintain};
use crate::histories::{Dice, random};

const ALL: Consolidate = Consolidate::All {
    expire_before: None,
};

fn packs(repository: &Repository) -> Vec<PathBuf> {
    with_extension(&repository.path().join("objects/pack"), "pack")
}

fn with_extension(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let files = listing(directory).into_iter();
    files
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect()
}

/// Has git check all that it can check.
fn verify(repository: &Repository) {
    repository.git(&["fsck", "--full", "--no-dangling"]);
    repository.git(&["commit-graph", "verify"]);
    if repository
        .path()
        .join("objects/pack/multi-pack-index")
        .exists()
    {
        repository.git(&["multi-pack-index", "verify"]);
    }
    for tip in ["branch0", "branch1", "branch2", "branch0~3"] {
        repository.git(&["rev-list", "--test-bitmap", tip]);
    }
    for (wanted, excluded) in [
        (&["--all"][..], &[][..]),
        (&["branch1"], &["branch0~5"]),
        (&["branch2~2", "v1"], &["branch1~9"]),
    ] {
        // Without bitmaps git lists some objects too many.
        let reached = |revisions: &[&str]| match revisions {
            [] => BTreeSet::new(),
            _ => repository.rev_list(revisions),
        };
        let expected: BTreeSet<_> = &reached(wanted) - &reached(excluded);
        let arguments = [&["--use-bitmap-index"], wanted, &["--not"], excluded].concat();
        assert_eq!(
            repository.rev_list(&arguments),
            expected,
            "{wanted:?} {excluded:?}"
        );
    }
}

#[test]
fn git_agrees_with_what_is_made_of_many_packs() {
    for (hash, seed) in [(HashKind::Sha1, 1), (HashKind::Sha256, 2)] {
        let repository = random(hash, seed, 120, 12);
        let objects = repository.all_objects();
        let before = packs(&repository).len();
        let done = maintain(&repository, |_| ());
        assert!(packs(&repository).len() < before);
        assert!(done.bitmaps.unwrap().exists());
        assert_eq!(repository.all_objects(), objects);
        assert_eq!(done.pruned, 2, "the tags were loose");
        verify(&repository);
    }
}

#[test]
fn git_agrees_with_a_multi_pack_index_and_its_bitmaps() {
    for hash in [HashKind::Sha1, HashKind::Sha256] {
        let repository = random(hash, 3, 80, 6);
        repository.git(&["repack", "-q"]);
        let done = maintain(&repository, |options| {
            options.consolidate = Consolidate::Nothing
        });
        assert!(done.repacked.is_none() && packs(&repository).len() > 4);
        let bitmaps = done.bitmaps.unwrap();
        assert!(
            bitmaps
                .file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("multi-pack-index-")
        );
        verify(&repository);
        // What was made for other packs goes.
        let more = repository.git(&[
            "commit-tree",
            "-m",
            "more",
            "-p",
            "branch0",
            "branch1^{tree}",
        ]);
        repository.git(&["update-ref", "refs/heads/branch0", &more]);
        let done = maintain(&repository, |_| ());
        assert!(!bitmaps.exists() && done.bitmaps.is_some());
        verify(&repository);
    }
}

#[test]
fn all_packs_become_one_with_bitmaps_and_a_reverse_index() {
    let repository = random(HashKind::Sha1, 4, 150, 10);
    let objects = repository.all_objects();
    let done = maintain(&repository, |options| options.consolidate = ALL);
    assert_eq!(repository.all_objects(), objects);
    let [pack] = &packs(&repository)[..] else {
        panic!("one pack is left");
    };
    assert_eq!(
        Some(pack),
        done.repacked.as_ref().map(|repacked| &repacked.pack)
    );
    let reverse = fs::read(pack.with_extension("rev")).unwrap();
    verify(&repository);
    git_bytes(
        repository.path(),
        &["verify-pack", &pack.display().to_string()],
        b"",
    );
    // Git makes the same reverse index.
    let scratch = Repository::empty(HashKind::Sha1);
    let copy = scratch.path().join("copy.pack");
    fs::copy(pack, &copy).unwrap();
    scratch.git(&["index-pack", "--rev-index", "copy.pack"]);
    assert!(fs::read(copy.with_extension("rev")).unwrap() == reverse);
    assert!(
        fs::read(copy.with_extension("idx")).unwrap()
            == fs::read(pack.with_extension("idx")).unwrap()
    );
    let again = maintain(&repository, |options| options.consolidate = ALL);
    assert!(again.repacked.is_none(), "there is nothing left to do");
}

#[test]
fn a_pack_made_of_many_is_about_as_small_as_gits() {
    let ours = random(HashKind::Sha1, 5, 200, 40);
    let theirs = Repository::empty(HashKind::Sha1);
    for pack in packs(&ours) {
        theirs.index(&fs::read(pack).unwrap());
    }
    theirs.git(&[
        "fetch",
        "-q",
        &ours.path().display().to_string(),
        "+refs/*:refs/*",
    ]);
    theirs.git(&["repack", "-q", "-d", "--geometric=2"]);
    maintain(&ours, |_| ());
    let bytes = |repository: &Repository| -> u64 {
        packs(repository)
            .iter()
            .map(|pack| pack.metadata().unwrap().len())
            .sum()
    };
    let (ours, theirs) = (bytes(&ours), bytes(&theirs));
    assert!(ours * 100 <= theirs * 105, "{ours}, git {theirs}");
}

#[test]
fn packs_that_are_to_stay_stay() {
    let repository = random(HashKind::Sha1, 6, 60, 6);
    let kept = packs(&repository)[0].clone();
    fs::write(kept.with_extension("keep"), "").unwrap();
    let done = maintain(&repository, |options| options.consolidate = ALL);
    assert!(kept.exists() && !done.replaced.contains(&kept));
    assert_eq!(packs(&repository).len(), 2);
    verify(&repository);
}

#[test]
fn a_repository_that_borrows_gets_a_commit_graph_only() {
    let lender = random(HashKind::Sha1, 7, 40, 4);
    let borrower = lender.borrower();
    borrower.git(&[
        "fetch",
        "-q",
        &lender.path().display().to_string(),
        "+refs/*:refs/*",
    ]);
    let done = maintain(&borrower, |_| ());
    assert!(done.repacked.is_none() && done.bitmaps.is_none() && done.commit_graph.is_some());
    borrower.git(&["commit-graph", "verify"]);
}

#[test]
fn what_is_loose_has_no_bit() {
    let repository = random(HashKind::Sha1, 8, 30, 2);
    let blob = git_bytes(
        repository.path(),
        &["hash-object", "-w", "--stdin"],
        b"loose",
    );
    let line = format!(
        "100644 blob {}\tloose\n",
        String::from_utf8(blob).unwrap().trim()
    );
    let tree = git_bytes(repository.path(), &["mktree"], line.as_bytes());
    let tree = String::from_utf8(tree).unwrap();
    let commit = repository.git(&["commit-tree", "-m", "loose", "-p", "branch0", tree.trim()]);
    repository.git(&["update-ref", "refs/heads/branch0", &commit]);
    let done = maintain(&repository, |options| {
        options.consolidate = Consolidate::Nothing
    });
    assert!(matches!(
        done.no_bitmaps,
        Some(NoBitmaps::NotCovered { .. })
    ));
    repository.git(&["multi-pack-index", "verify"]);
    let done = maintain(&repository, |_| ());
    assert!(done.bitmaps.is_some() && done.pruned > 2);
    verify(&repository);
}

/// What our answer holds, and git's: everything that the wants reach and the haves do not.
fn answers(
    repository: &Repository,
    wants: &[ObjectId],
    haves: &[ObjectId],
) -> [BTreeSet<ObjectId>; 2] {
    let text = |ids: &[ObjectId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    let reached = |ids: &[ObjectId]| match ids {
        [] => BTreeSet::new(),
        ids => repository.rev_list(&text(ids).iter().map(String::as_str).collect::<Vec<_>>()),
    };
    let expected = &reached(wants) - &reached(haves);
    [answer(repository, wants, haves), expected]
}

/// What our answer holds.
fn answer(repository: &Repository, wants: &[ObjectId], haves: &[ObjectId]) -> BTreeSet<ObjectId> {
    let selection = Selection {
        wants: wants.to_vec(),
        haves: haves.to_vec(),
        ..Selection::default()
    };
    let options = PackOptions {
        thin: false,
        ..PLAIN
    };
    let bytes = written(&planned(&repository.objects(), &selection, options));
    objects_of(&bytes, repository.hash)
}

/// Random wants and haves.
fn fetches(
    repository: &Repository,
    seed: u64,
    count: usize,
) -> Vec<(Vec<ObjectId>, Vec<ObjectId>)> {
    let mut dice = Dice(seed);
    let commits = crate::fixture::ids(&repository.git(&["rev-list", "--all"]));
    let mut pick = |most: u64, least: u64| {
        let count = least + dice.roll(most + 1 - least);
        (0..count)
            .map(|_| commits[dice.roll(commits.len() as u64) as usize])
            .collect::<Vec<_>>()
    };
    (0..count)
        .map(|at| (pick(2, 1), pick(if at % 2 == 0 { 0 } else { 2 }, 0)))
        .collect()
}

#[test]
fn answers_hold_the_same_objects_with_artefacts_and_without() {
    for seed in 10..13 {
        let repository = random(HashKind::Sha1, seed, 70, 5);
        let fetches = fetches(&repository, seed, 8);
        let answers = || -> Vec<_> {
            let answer = |(wants, haves): &(Vec<ObjectId>, Vec<ObjectId>)| {
                let [ours, expected] = answers(&repository, wants, haves);
                assert!(
                    ours.is_superset(&expected),
                    "seed {seed}: {wants:?} {haves:?}"
                );
                assert!(
                    !haves.is_empty() || ours == expected,
                    "seed {seed}: {wants:?}"
                );
                ours
            };
            fetches.iter().map(answer).collect()
        };
        let without = answers();
        maintain(&repository, |options| {
            options.consolidate = Consolidate::Nothing
        });
        assert!(answers() == without, "seed {seed}: multi-pack-index");
        maintain(&repository, |options| options.consolidate = ALL);
        assert!(answers() == without, "seed {seed}: one pack");
    }
}

#[test]
fn what_is_newer_than_the_bitmaps_is_walked_over() {
    let repository = random(HashKind::Sha1, 20, 60, 3);
    maintain(&repository, |options| options.consolidate = ALL);
    let mut parent = repository.id("branch0").to_string();
    for (number, tree) in ["branch1", "branch2", "branch1~3"].iter().enumerate() {
        let tree = format!("{tree}^{{tree}}");
        parent = repository.git(&[
            "commit-tree",
            "-m",
            &number.to_string(),
            "-p",
            &parent,
            &tree,
        ]);
    }
    repository.git(&["update-ref", "refs/heads/branch0", &parent]);
    for pack_it in [false, true] {
        if pack_it {
            repository.git(&["repack", "-q", "-d"]);
        }
        for (wants, haves) in [
            (&["branch0"][..], &[][..]),
            (&["branch0", "branch1~2"], &["branch2~9"]),
        ] {
            let ids = |names: &[&str]| {
                names
                    .iter()
                    .map(|name| repository.id(name))
                    .collect::<Vec<_>>()
            };
            let [ours, expected] = answers(&repository, &ids(wants), &ids(haves));
            assert!(ours.is_superset(&expected), "{wants:?} {haves:?}");
            assert!(!haves.is_empty() || ours == expected, "{wants:?} {haves:?}");
        }
    }
}

#[test]
fn a_fetch_of_much_is_exactly_what_git_sends() {
    let repository = random(HashKind::Sha1, 30, 900, 3);
    maintain(&repository, |options| options.consolidate = ALL);
    let commits = repository.git(&["rev-list", "--topo-order", "--all"]);
    let commits: Vec<&str> = commits.lines().collect();
    for have in [commits[commits.len() - 200], commits[commits.len() - 60]] {
        let wants = ["branch0", "branch1", "branch2"].map(|branch| repository.id(branch));
        let [ours, expected] = answers(&repository, &wants, &[have.parse().unwrap()]);
        assert!(
            ours == expected,
            "{have}: {} objects, git {}",
            ours.len(),
            expected.len()
        );
    }
}

#[test]
fn no_damage_changes_an_answer() {
    let repository = random(HashKind::Sha1, 40, 60, 4);
    // Something that nothing reaches, so that a clone cannot go out as it is stored.
    let stray = repository.git(&["commit-tree", "-m", "stray", "branch0~5^{tree}"]);
    repository.git(&["update-ref", "refs/heads/stray", &stray]);
    repository.git(&["repack", "-q", "-d"]);
    repository.git(&["update-ref", "-d", "refs/heads/stray"]);
    let tips = repository.tips();
    let [_, expected] = answers(&repository, &tips, &[]);
    for consolidate in [Consolidate::Nothing, ALL] {
        let done = maintain(&repository, |options| options.consolidate = consolidate);
        let directory = repository.path().join("objects/pack");
        let mut files = with_extension(&directory, "rev");
        files.push(done.bitmaps.unwrap());
        files.extend(Some(directory.join("multi-pack-index")).filter(|path| path.exists()));
        for file in files {
            let whole = fs::read(&file).unwrap();
            let replace = |bytes: &[u8]| {
                fs::remove_file(&file).unwrap();
                fs::write(&file, bytes).unwrap();
            };
            for at in (0..whole.len()).step_by(whole.len() / 12).chain(0..3) {
                let mut damaged = whole.clone();
                damaged[at] ^= 0x41;
                for bytes in [&damaged[..], &whole[..at]] {
                    replace(bytes);
                    let ours = answer(&repository, &tips, &[]);
                    assert!(ours == expected, "{} at {at}", file.display());
                }
            }
            replace(&whole);
        }
    }
}

#[test]
fn what_nothing_reaches_goes_into_a_cruft_pack_until_it_expires() {
    let repository = random(HashKind::Sha1, 50, 60, 5);
    let reached = repository.rev_list(&["--all"]);
    let stray = repository.git(&[
        "commit-tree",
        "-m",
        "stray",
        "-p",
        "branch0~2",
        "branch1^{tree}",
    ]);
    let stray: ObjectId = stray.parse().unwrap();
    let blob = git_bytes(
        repository.path(),
        &["hash-object", "-w", "--stdin"],
        b"stray too",
    );
    let blob: ObjectId = String::from_utf8(blob).unwrap().trim().parse().unwrap();
    let kept = |time: Option<u32>| {
        let consolidate = Consolidate::All {
            expire_before: time,
        };
        let done = maintain(&repository, |options| options.consolidate = consolidate);
        verify(&repository);
        (done, repository.all_objects())
    };
    let strays = BTreeSet::from([stray, blob]);
    let (done, objects) = kept(None);
    assert_eq!(objects, &reached | &strays);
    let cruft = done.cruft.unwrap();
    assert_eq!((cruft.objects, done.dropped), (2, 0));
    assert!(cruft.pack.with_extension("mtimes").exists());
    // Git keeps what is young by the times that the pack gives.
    repository.git(&[
        "repack",
        "-q",
        "-d",
        "--cruft",
        "--cruft-expiration=1.day.ago",
    ]);
    assert_eq!(repository.all_objects(), &reached | &strays);
    let (_, objects) = kept(Some(1));
    assert_eq!(objects, &reached | &strays, "all are younger");
    let (done, objects) = kept(Some(u32::MAX));
    assert_eq!((objects, done.dropped, done.cruft), (reached, 2, None));
}

#[test]
fn no_object_builds_on_one_that_is_not_in_all_of_its_islands() {
    let repository = random(HashKind::Sha1, 60, 90, 8);
    let branches = ["branch0", "branch1", "branch2"].map(|branch| repository.rev_list(&[branch]));
    let islands_of = |id: &ObjectId| -> Vec<u32> {
        let within = (0..3u32).zip(&branches);
        within
            .filter(|(_, objects)| objects.contains(id))
            .map(|(island, _)| island)
            .collect()
    };
    let objects = repository.all_objects();
    let breaks = || {
        let [pack] = &packs(&repository)[..] else {
            panic!("one pack is left");
        };
        let listed = repository.git(&["verify-pack", "-v", &pack.display().to_string()]);
        let deltas = listed
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        let deltas: Vec<[ObjectId; 2]> = deltas
            .filter(|words| words.len() == 7 && words[0].len() == 40)
            .map(|words| [words[0].parse().unwrap(), words[6].parse().unwrap()])
            .collect();
        assert!(deltas.len() > 50);
        let breaks = |[target, base]: &&[ObjectId; 2]| {
            let base = islands_of(base);
            !islands_of(target)
                .iter()
                .all(|island| base.contains(island))
        };
        deltas.iter().filter(breaks).count()
    };
    maintain(&repository, |options| options.consolidate = ALL);
    assert!(breaks() > 0, "without islands anything goes");
    let kept = packs(&repository)[0].clone();
    let islands = Islands::new(objects.iter().map(|id| (*id, islands_of(id))));
    maintain(&repository, |options| {
        // With an expiry, one pack is looked through too.
        options.consolidate = Consolidate::All {
            expire_before: Some(0),
        };
        options.islands = islands;
    });
    assert!(!kept.exists() && repository.all_objects() == objects);
    assert_eq!(breaks(), 0);
    verify(&repository);
}
