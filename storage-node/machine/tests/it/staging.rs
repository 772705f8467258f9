use chunking::Manifest;
use storage_node_api::blob::{Chunks, StoredBlob};
use storage_node_api::content::Certificate;
use storage_node_api::limits::{MANIFEST_PART_CHUNKS, MAX_STAGED_PARTS, MAX_STAGED_UPLOADS};
use storage_node_api::order::{Command, Refusal, Staged};
use storage_node_api::repository::Commands;
use storage_node_api::{BlobOwner, OwnerId, UploadId};

use crate::blobs::long;
use crate::group::{DOMAIN, Group, SLOT, command, push, repository};

const UPLOAD: UploadId = UploadId([7; 16]);

fn commands(upload: UploadId, part: u32) -> Command {
    let full = format!("refs/heads/b{part}");
    Command::Stage {
        upload,
        part,
        content: Staged::Commands(vec![command(&full, 0, 1)]),
    }
}

fn staged_push(upload: UploadId, parts: u32) -> Command {
    let mut staged = push(repository(1), Vec::new());
    staged.commands = Commands::Staged { upload, parts };
    Command::Push(staged)
}

fn put(blob: StoredBlob) -> Command {
    Command::PutBlob {
        slot: SLOT,
        blob,
        owner: BlobOwner::Named(OwnerId([1; 16])),
        domain: DOMAIN,
    }
}

fn missing(upload: UploadId, part: u32) -> Refusal {
    Refusal::NotStaged { upload, part }
}

#[test]
fn parts_wait_for_their_entry_and_are_forgotten_after_it() {
    let mut group = Group::data();
    group.create(repository(1));
    group.done(commands(UPLOAD, 0));
    group.done(commands(UPLOAD, 2));
    group.done(commands(UPLOAD, 2));
    let other = UploadId([8; 16]);
    group.done(commands(other, 0));
    assert_eq!(group.refused(staged_push(UPLOAD, 3)), missing(UPLOAD, 1));
    group.done(commands(UPLOAD, 1));
    group.run(staged_push(UPLOAD, 3));
    assert_eq!(group.refs(repository(1)).len(), 3);
    assert_eq!(group.refused(staged_push(UPLOAD, 1)), missing(UPLOAD, 0));
    group.done(Command::Unstage(other));
    group.done(Command::Unstage(other));
    assert_eq!(group.refused(staged_push(other, 1)), missing(other, 0));
    for family in [0x0a, 0x0b, 0x0c] {
        assert_eq!(group.count(family), 0);
    }
    group.check_hash();
}

#[test]
fn parts_have_the_right_kind_and_number() {
    let mut group = Group::data();
    group.create(repository(1));
    let (manifest, certificate) = long(MANIFEST_PART_CHUNKS + 1);
    let staged = |manifest: &Manifest, certificate: &Certificate| {
        StoredBlob::staged(manifest.clone(), certificate.clone(), UPLOAD, 0)
    };
    let (stored, stages) = staged(&manifest, &certificate);
    stages.into_iter().for_each(|stage| group.done(stage));
    // Chunks are no commands, and the reverse.
    assert_eq!(group.refused(staged_push(UPLOAD, 1)), missing(UPLOAD, 0));
    let mut miscounted = stored.clone();
    if let Chunks::Staged { chunks, .. } = &mut miscounted.chunks {
        *chunks += 1;
    }
    let bad = Refusal::BadManifest(manifest.blob);
    assert_eq!(group.refused(put(miscounted)), bad);
    let mut beyond = stored.clone();
    if let Chunks::Staged { parts, .. } = &mut beyond.chunks {
        *parts = u32::MAX;
    }
    assert_eq!(group.refused(put(beyond)), Refusal::TooManyParts);
    group.done(commands(UPLOAD, 1));
    assert_eq!(group.refused(put(stored.clone())), missing(UPLOAD, 1));

    // Runs that cover less than their part.
    let mut short = certificate.clone();
    short.runs.pop();
    let (_, stages) = staged(&manifest, &short);
    stages.into_iter().for_each(|stage| group.done(stage));
    assert_eq!(group.refused(put(stored.clone())), bad);

    let (_, stages) = staged(&manifest, &certificate);
    stages.into_iter().for_each(|stage| group.done(stage));
    group.done(put(stored));
    group.check_hash();
}

#[test]
fn uploads_are_bounded_in_parts_and_in_number() {
    let mut group = Group::data();
    group.create(repository(1));
    let last = commands(UPLOAD, MAX_STAGED_PARTS - 1);
    group.done(last);
    let beyond = commands(UPLOAD, MAX_STAGED_PARTS);
    assert_eq!(group.refused(beyond), Refusal::TooManyParts);
    let many = |number: u64| UploadId((u128::from(number) + 1_000).to_be_bytes());
    for number in 1..MAX_STAGED_UPLOADS {
        group.done(commands(many(number), 0));
    }
    assert_eq!(group.count(0x0c) as u64, MAX_STAGED_UPLOADS);
    group.done(commands(many(0), 0));
    assert_eq!(group.count(0x0c) as u64, MAX_STAGED_UPLOADS);
    // The oldest made room; further parts of those there take none.
    group.done(commands(many(1), 1));
    assert_eq!(group.refused(staged_push(UPLOAD, 1)), missing(UPLOAD, 0));
    group.run(staged_push(many(1), 2));
    assert_eq!(group.refs(repository(1)).len(), 2);
    group.check_hash();
}
