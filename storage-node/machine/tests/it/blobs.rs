use std::ops::ControlFlow;

use chunking::{ChunkRef, Manifest};
use storage_node_api::blob::StoredBlob;
use storage_node_api::content::{Certificate, Run};
use storage_node_api::limits::MANIFEST_PART_CHUNKS;
use storage_node_api::order::{Answer, Command, Query, Refusal};
use storage_node_api::{BlobOwner, DedupDomain, OwnerId, Slot, UploadId};
use storage_node_machine::live_chunks;

use crate::group::{DOMAIN, Group, SLOT, blob, chunk, command, pack, push, receipt, repository};

pub(crate) fn owner(number: u8) -> BlobOwner {
    BlobOwner::Named(OwnerId([number; 16]))
}

pub(crate) fn put(blob: StoredBlob, owner: BlobOwner) -> Command {
    Command::PutBlob {
        slot: SLOT,
        blob,
        owner,
        domain: DOMAIN,
    }
}

pub(crate) fn remove(seed: &str, owner: BlobOwner) -> Command {
    Command::RemoveOwner {
        slot: SLOT,
        blob: blob(seed).id,
        owner,
    }
}

#[test]
fn a_blob_lives_as_long_as_an_owner() {
    let mut group = Group::data();
    let id = blob("b").id;
    group.done(put(blob("b"), owner(1)));
    group.done(put(blob("b"), owner(1)));
    // Present by its digest: no certificate is needed for a further owner.
    let mut bare = blob("b");
    bare.certificate = Certificate::default();
    group.done(put(bare, owner(2)));
    let mut contradiction = blob("b");
    contradiction.length += 1;
    let refusal = group.refused(put(contradiction, owner(3)));
    assert_eq!(refusal, Refusal::BadManifest(id));
    group.done(remove("b", owner(1)));
    group.done(remove("b", owner(1)));
    group.done(remove("b", owner(3)));
    assert!(group.has_blob(SLOT, DOMAIN, id));
    assert!(!group.has_blob(Slot(4), DOMAIN, id));
    assert!(!group.has_blob(SLOT, DedupDomain(2), id));
    group.done(remove("b", owner(2)));
    assert!(!group.has_blob(SLOT, DOMAIN, id));
    for family in [0x20, 0x21, 0x22] {
        assert_eq!(group.count(family), 0);
    }
    group.check_hash();
}

#[test]
fn pack_lists_own_their_blobs_themselves() {
    let mut group = Group::data();
    let id = repository(1);
    group.create(id);
    let mut first = push(id, vec![command("refs/heads/a", 0, 1)]);
    first.pack = Some(pack(1));
    group.pushed(first);
    let reserved = BlobOwner::Repository(id);
    let refusal = Refusal::ReservedOwner(id);
    assert_eq!(group.refused(remove("pack 1", reserved)), refusal);
    assert_eq!(group.refused(put(blob("b"), reserved)), refusal);
    // A further owner keeps what the repository lets go.
    group.done(put(blob("pack 1"), owner(1)));
    group.done(Command::SealRepository(id));
    group.done(Command::DeleteRepository(id));
    assert!(group.has_blob(SLOT, DOMAIN, blob("pack 1").id));
    assert!(!group.has_blob(SLOT, DOMAIN, blob("index 1").id));
    group.check_hash();
}

#[test]
fn domains_keep_blobs_apart() {
    let mut group = Group::data();
    let id = blob("b").id;
    let other = DedupDomain(2);
    let put_other = |owner| {
        let mut blob = blob("b");
        for receipt in &mut blob.certificate.receipts {
            receipt.domain = other;
        }
        Command::PutBlob {
            slot: SLOT,
            blob,
            owner,
            domain: other,
        }
    };
    group.done(put(blob("b"), owner(1)));
    let mut foreign = put_other(owner(2));
    if let Command::PutBlob { blob: foreign, .. } = &mut foreign {
        *foreign = blob("b");
    }
    assert_eq!(group.refused(foreign), Refusal::SessionExpired);
    group.done(put_other(owner(2)));
    assert!(group.has_blob(SLOT, DOMAIN, id) && group.has_blob(SLOT, other, id));
    group.done(put_other(owner(1)));
    assert!(!group.has_blob(SLOT, DOMAIN, id), "its owner has moved");
    group.done(remove("b", owner(1)));
    assert!(group.has_blob(SLOT, other, id));
    group.done(remove("b", owner(2)));
    assert_eq!(group.count(0x20), 0);
    group.check_hash();
}

#[test]
fn manifests_that_contradict_themselves_are_refused() {
    let mut group = Group::data();
    let mut long = blob("b");
    long.length = 11;
    let refusal = Refusal::BadManifest(long.id);
    assert_eq!(group.refused(put(long, owner(1))), refusal);
    for slot in [Slot(1024), Slot(u16::MAX)] {
        let elsewhere = Command::PutBlob {
            slot,
            blob: blob("b"),
            owner: owner(1),
            domain: DOMAIN,
        };
        assert_eq!(group.refused(elsewhere), Refusal::WrongGroup);
    }
}

/// A manifest of this many chunks, and a certificate with alternating holders.
pub(crate) fn long(chunks: usize) -> (Manifest, Certificate) {
    let sizes = chunking::Profile::GitPackV1.sizes();
    let chunks: Vec<ChunkRef> = (0..chunks)
        .map(|number| chunk(&number.to_be_bytes(), sizes.min))
        .collect();
    let certificate = Certificate {
        receipts: vec![receipt(1), receipt(2), receipt(3)],
        runs: (0..chunks.len())
            .map(|number| Run {
                chunks: 1,
                holders: if number % 2 == 0 {
                    vec![0, 1]
                } else {
                    vec![1, 2]
                },
            })
            .collect(),
    };
    let manifest = Manifest {
        profile: chunking::Profile::GitPackV1,
        blob: blob("long").id,
        length: chunks.len() as u64 * u64::from(sizes.min),
        chunks,
    };
    (manifest, certificate)
}

#[test]
fn long_manifests_are_staged_listed_and_read_back() {
    let mut group = Group::data();
    let (manifest, certificate) = long(MANIFEST_PART_CHUNKS * 2 + 1);
    let upload = UploadId([7; 16]);
    let (stored, stages) = StoredBlob::staged(manifest.clone(), certificate, upload, 0);
    assert_eq!(stages.len(), 3);
    stages.into_iter().for_each(|stage| group.done(stage));
    group.done(put(stored, owner(1)));
    group.done(put(blob("short"), owner(1)));
    assert_eq!(group.count(0x0c), 0, "the parts are consumed");
    let question = Query::Manifest {
        slot: SLOT,
        domain: DOMAIN,
        blob: manifest.blob,
    };
    let answer = group.ask(&question);
    assert_eq!(answer, Answer::Manifest(Some(manifest.clone())));

    // Listed list by list, each time from where the last one broke off.
    let (mut cursor, mut listed, mut lists) = (Vec::new(), Vec::new(), 0);
    while let Some(next) = live_chunks(&group.state, &cursor, &mut |domain, chunks| {
        assert_eq!(domain, DOMAIN);
        listed.extend(chunks.to_vec());
        lists += 1;
        ControlFlow::Break(())
    })
    .unwrap()
    {
        cursor = next;
    }
    assert_eq!(lists, 4);
    assert_eq!(listed.len(), manifest.chunks.len() + 1);
    assert!(manifest.chunks.iter().all(|chunk| listed.contains(chunk)));
    group.check_hash();
}
