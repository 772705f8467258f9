use std::sync::Arc;
use std::time::Duration;

use chunking::{BlobId, DigestSet, Profile};
use git_id::HashKind;
use storage_node_api::blob::{Download, Finished, Upload};
use storage_node_api::{Content, DedupDomain};

use super::{LockError, LockFilter, NewLock, StoreError, UnlockError};
use crate::accounts::User;
use crate::limits::LFS_GIVEN_UP_AFTER;
use crate::repositories::NewRepository;
use crate::testing::{faulty_forge, forge, user};
use crate::{Forge, Repository};

const BYTES: &[u8] = b"a large file, so to speak";

async fn create(forge: &Forge, owner: &User, name: &str) -> Repository {
    let new = NewRepository {
        name,
        description: "",
        is_private: true,
        default_branch: None,
        hash: HashKind::Sha1,
    };
    forge.repositories.create(owner.into(), new).await.unwrap()
}

/// Makes the bytes durable, as whoever takes an upload does.
async fn upload(forge: &Forge, repository: &Repository, bytes: &'static [u8]) -> Finished {
    let lfs = &forge.lfs;
    let domain = lfs.domain(repository).await.unwrap();
    let session = lfs.storage.begin(domain).await.unwrap();
    let content: Arc<dyn Content> = lfs.storage.clone();
    let runtime = lfs.facts.runtime.clone();
    let profile = Profile::GenericV1;
    let mut upload = Upload::new(content, session, runtime, profile, DigestSet::NONE, 1);
    upload.push(bytes.into()).await.unwrap();
    upload.finish().await.unwrap()
}

async fn store(forge: &Forge, repository: &Repository) {
    let content = upload(forge, repository, BYTES).await;
    let object = forge.lfs.store(repository, content).await.unwrap();
    assert_eq!(object.id, BlobId::of(BYTES));
    assert_eq!(object.size, BYTES.len() as u64);
}

async fn has(forge: &Forge, repository: &Repository) -> bool {
    let found = forge.lfs.find(repository.key, &[BlobId::of(BYTES)]).await;
    !found.unwrap().is_empty()
}

/// Whether the blob is still named in the slot.
async fn is_kept(forge: &Forge, repository: &Repository) -> bool {
    let manifest = forge.lfs.manifest(repository, BlobId::of(BYTES)).await;
    manifest.is_ok()
}

async fn rows(forge: &Forge, table: &str) -> usize {
    let sql = format!("SELECT 1 FROM {table}");
    forge.lfs.facts.query(&sql, []).await.unwrap().len()
}

#[tokio::test]
async fn what_one_repository_has_another_has_not() {
    let forge = forge().await;
    let alice = user(&forge, "alice").await;
    let one = create(&forge, &alice, "one").await;
    let other = create(&forge, &alice, "other").await;
    store(&forge, &one).await;
    assert!(has(&forge, &one).await);
    assert!(!has(&forge, &other).await);
    let (domain, manifest) = forge.lfs.manifest(&one, BlobId::of(BYTES)).await.unwrap();
    assert_eq!(domain, DedupDomain(domain.0));
    let content: Arc<dyn Content> = forge.lfs.storage.clone();
    let runtime = forge.lfs.facts.runtime.clone();
    let range = 2..manifest.length;
    let mut download = Download::new(content, runtime, domain, &manifest, range);
    let read = download.next().await.unwrap().unwrap();
    assert_eq!(read, BYTES[2..]);
    assert_eq!(
        forge.lfs.size(one.key).await.unwrap(),
        (1, BYTES.len() as u64)
    );
}

#[tokio::test]
async fn what_is_sent_twice_is_there_once_and_leaves_no_stray_owner() {
    let forge = forge().await;
    let alice = user(&forge, "alice").await;
    let one = create(&forge, &alice, "one").await;
    store(&forge, &one).await;
    store(&forge, &one).await;
    assert_eq!(forge.lfs.reconcile().await.unwrap(), 1);
    assert_eq!(rows(&forge, "lfs_owners").await, 0);
    assert!(has(&forge, &one).await && is_kept(&forge, &one).await);
}

#[tokio::test]
async fn a_fork_keeps_what_its_origin_had_when_that_is_gone_for_good() {
    let forge = forge().await;
    let alice = user(&forge, "alice").await;
    let origin = create(&forge, &alice, "origin").await;
    store(&forge, &origin).await;
    let owner = (&alice).into();
    let fork = forge.repositories.fork(&origin, owner, Some("fork")).await;
    let fork = fork.unwrap();
    assert!(has(&forge, &fork).await);
    let window = Duration::from_secs(60);
    forge.repositories.remove(&origin, window).await.unwrap();
    let removed = forge.repositories.removed(origin.key).await.unwrap();
    forge.repositories.purge(&removed.unwrap()).await.unwrap();
    assert_eq!(forge.lfs.reconcile().await.unwrap(), 0);
    assert!(has(&forge, &fork).await && is_kept(&forge, &fork).await);
    forge.repositories.delete(&fork).await.unwrap();
    assert_eq!(forge.lfs.reconcile().await.unwrap(), 1);
    assert_eq!(rows(&forge, "lfs_owners").await, 0);
    assert_eq!(rows(&forge, "lfs_objects").await, 0);
}

#[tokio::test]
async fn a_removed_repository_that_comes_back_has_its_files() {
    let forge = forge().await;
    let alice = user(&forge, "alice").await;
    let one = create(&forge, &alice, "one").await;
    store(&forge, &one).await;
    let window = Duration::from_secs(60);
    forge.repositories.remove(&one, window).await.unwrap();
    assert_eq!(forge.lfs.reconcile().await.unwrap(), 0);
    let removed = forge.repositories.removed(one.key).await.unwrap().unwrap();
    forge.repositories.restore(&removed, None).await.unwrap();
    assert!(has(&forge, &one).await && is_kept(&forge, &one).await);
}

#[tokio::test]
async fn a_crash_anywhere_leaves_the_object_or_nothing() {
    // An owner's row, the blob's record, the object's row.
    for writes in 0..=3 {
        let (forge, clock, faulty) = faulty_forge().await;
        let alice = user(&forge, "alice").await;
        let one = create(&forge, &alice, "one").await;
        let content = upload(&forge, &one, BYTES).await;
        faulty.allow_writes(writes);
        let stored = forge.lfs.store(&one, content).await;
        faulty.allow_writes(i64::MAX);
        assert_eq!(stored.is_ok(), writes == 3, "{stored:?}");
        assert_eq!(has(&forge, &one).await, writes == 3);
        assert_eq!(forge.lfs.reconcile().await.unwrap(), 0, "it may go on");
        clock.advance(LFS_GIVEN_UP_AFTER);
        let strays = u32::from((1..3).contains(&writes));
        assert_eq!(forge.lfs.reconcile().await.unwrap(), strays);
        assert_eq!(rows(&forge, "lfs_owners").await, 0);
        assert_eq!(is_kept(&forge, &one).await, writes == 3);
    }
}

#[tokio::test]
async fn a_repository_that_goes_meanwhile_gets_nothing() {
    let forge = forge().await;
    let alice = user(&forge, "alice").await;
    let one = create(&forge, &alice, "one").await;
    let content = upload(&forge, &one, BYTES).await;
    let window = Duration::from_secs(60);
    forge.repositories.remove(&one, window).await.unwrap();
    let late = forge.lfs.store(&one, content).await;
    assert_eq!(late, Err(StoreError::Gone));
    assert_eq!(forge.lfs.reconcile().await.unwrap(), 1);
    assert_eq!(rows(&forge, "lfs_owners").await, 0);
}

#[tokio::test]
async fn a_path_is_locked_once_and_unlocked_by_whoever_may() {
    let forge = forge().await;
    let alice = user(&forge, "alice").await;
    let bob = user(&forge, "bob").await;
    let one = create(&forge, &alice, "one").await;
    let new = |path, owner: &User| NewLock {
        repository: one.key,
        path,
        owner: owner.id,
    };
    let lock = forge.lfs.lock(new("a/b.bin", &alice)).await.unwrap();
    assert_eq!(
        (lock.path.as_str(), lock.owner_name.as_str()),
        ("a/b.bin", "alice")
    );
    let taken = forge.lfs.lock(new("a/b.bin", &bob)).await;
    assert_eq!(taken, Err(LockError::Taken(Box::new(lock.clone()))));
    for path in ["", "/a", "a\nb"] {
        let bad = forge.lfs.lock(new(path, &bob)).await;
        assert_eq!(bad, Err(LockError::Path), "{path:?}");
    }
    let more = forge.lfs.lock(new("c", &bob)).await.unwrap();
    let all = LockFilter::default();
    let mut ids = [lock.id, more.id];
    ids.sort();
    let first = forge.lfs.locks(one.key, &all, 1).await.unwrap();
    assert_eq!(first[0].id, ids[0]);
    let after = LockFilter {
        after: Some(ids[0]),
        ..LockFilter::default()
    };
    let rest = forge.lfs.locks(one.key, &after, 9).await.unwrap();
    assert_eq!(
        rest.iter().map(|lock| lock.id).collect::<Vec<_>>(),
        ids[1..]
    );
    let foreign = forge.lfs.unlock(one.key, lock.id, bob.id, false).await;
    assert_eq!(foreign, Err(UnlockError::Foreign("alice".to_owned())));
    forge
        .lfs
        .unlock(one.key, lock.id, bob.id, true)
        .await
        .unwrap();
    let again = forge.lfs.unlock(one.key, lock.id, bob.id, true).await;
    assert_eq!(again, Err(UnlockError::NotFound));
}
