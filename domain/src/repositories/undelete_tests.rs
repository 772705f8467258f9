use std::time::Duration;

use git_id::HashKind;

use super::{NewRepository, PurgeError, Reconciled, Repository, RestoreError};
use crate::accounts::User;
use crate::testing::{faulty_forge, forge, forge_and_clock, user};
use crate::{Failure, Forge, Slice, Viewer};

const WINDOW: Duration = Duration::from_secs(3600);

const FIRST: Slice = Slice {
    limit: 10,
    offset: 0,
};

async fn create(forge: &Forge, owner: &User, name: &str) -> Repository {
    let new = NewRepository {
        name,
        description: "kept",
        is_private: true,
        default_branch: None,
        hash: HashKind::Sha1,
    };
    forge.repositories.create(owner.into(), new).await.unwrap()
}

async fn find(forge: &Forge, name: &str) -> Option<Repository> {
    forge.repositories.find("alice", name).await.unwrap()
}

#[tokio::test]
async fn a_removed_repository_is_invisible_and_comes_back_as_it_was() {
    let (forge, clock) = forge_and_clock().await;
    let alice = user(&forge, "alice").await;
    let made = create(&forge, &alice, "project").await;
    forge.repositories.remove(&made, WINDOW).await.unwrap();
    assert_eq!(find(&forge, "project").await, None);
    assert_eq!(forge.repositories.by_key(made.key).await.unwrap(), None);
    let again = forge.repositories.remove(&made, WINDOW).await;
    assert_eq!(again.unwrap_err().failure(), Failure::NotFound);
    clock.advance(WINDOW - Duration::from_secs(1));
    let reconciled = forge.repositories.reconcile().await.unwrap();
    assert_eq!(reconciled, Reconciled::default());
    let removed = forge.repositories.removed(made.key).await.unwrap().unwrap();
    forge.repositories.restore(&removed, None).await.unwrap();
    let mut back = find(&forge, "project").await.unwrap();
    assert!(forge.repositories.record(&back).await.is_ok());
    back.updated = made.updated;
    assert_eq!(back, made);
    let twice = forge.repositories.restore(&removed, None).await;
    assert_eq!(twice, Err(RestoreError::NotFound));
    let late = forge.repositories.purge(&removed).await;
    assert_eq!(late, Err(PurgeError::NotFound));
}

#[tokio::test]
async fn a_taken_name_refuses_the_restore_and_another_name_does_not() {
    let forge = forge().await;
    let alice = user(&forge, "alice").await;
    let made = create(&forge, &alice, "project").await;
    forge.repositories.remove(&made, WINDOW).await.unwrap();
    let second = create(&forge, &alice, "Project").await;
    let removed = forge.repositories.removed(made.key).await.unwrap().unwrap();
    let taken = forge.repositories.restore(&removed, None).await;
    assert_eq!(taken.unwrap_err().failure(), Failure::Conflict);
    let still = forge.repositories.removed(made.key).await.unwrap();
    assert_eq!(still.as_ref(), Some(&removed));
    let restored = forge.repositories.restore(&removed, Some("old"));
    assert_eq!(restored.await.unwrap().key, made.key);
    assert_eq!(find(&forge, "old").await.unwrap().key, made.key);
    assert_eq!(find(&forge, "project").await.unwrap().key, second.key);
}

#[tokio::test]
async fn removed_repositories_are_shown_to_owner_and_administrator_alone() {
    let forge = forge().await;
    let (alice, bob) = (user(&forge, "alice").await, user(&forge, "bob").await);
    let made = create(&forge, &alice, "project").await;
    forge.repositories.remove(&made, WINDOW).await.unwrap();
    let admin = User {
        is_admin: true,
        ..bob.clone()
    };
    let viewers = [
        (Viewer::Anonymous, 0),
        (Viewer::with_password(alice.clone()), 1),
        (Viewer::with_password(bob), 0),
        (Viewer::with_password(admin), 1),
    ];
    for (viewer, expected) in viewers {
        for owner in [None, Some(alice.id)] {
            let shown = forge.repositories.list_removed(&viewer, owner, FIRST);
            let shown = shown.await.unwrap();
            assert_eq!(
                (shown.total, shown.items.len()),
                (expected, expected as usize)
            );
        }
    }
}

#[tokio::test]
async fn whatever_write_of_a_purge_fails_the_reconciler_finishes_it_and_forks_stay() {
    for allowed in 0..5 {
        let (forge, clock, faulty) = faulty_forge().await;
        let (alice, bob) = (user(&forge, "alice").await, user(&forge, "bob").await);
        let made = create(&forge, &alice, "project").await;
        let fork = forge.repositories.fork(&made, (&bob).into(), None);
        let fork = fork.await.unwrap();
        forge.repositories.remove(&made, WINDOW).await.unwrap();
        clock.advance(WINDOW);
        faulty.allow_writes(allowed);
        let _failed_or_not = forge.repositories.reconcile().await;
        faulty.allow_writes(i64::MAX);
        assert_eq!(
            forge
                .repositories
                .removed(made.key)
                .await
                .unwrap()
                .is_some(),
            allowed == 0
        );
        forge.repositories.reconcile().await.unwrap();
        assert!(
            forge.repositories.record(&made).await.is_err(),
            "{allowed} writes"
        );
        assert_eq!(forge.repositories.storage_of(made.key).await.unwrap(), None);
        let again = forge.repositories.reconcile().await.unwrap();
        assert_eq!(again, Reconciled::default());
        let fork = forge.repositories.by_key(fork.key).await.unwrap().unwrap();
        assert_eq!(fork.fork_of, None);
        assert!(forge.repositories.record(&fork).await.is_ok());
    }
}

#[tokio::test]
async fn a_fork_begun_before_its_original_was_removed_is_finished() {
    let (forge, clock, faulty) = faulty_forge().await;
    let alice = user(&forge, "alice").await;
    let made = create(&forge, &alice, "project").await;
    faulty.allow_writes(1);
    let fork = forge
        .repositories
        .fork(&made, (&alice).into(), Some("fork"));
    assert!(fork.await.is_err());
    faulty.allow_writes(i64::MAX);
    forge.repositories.remove(&made, WINDOW).await.unwrap();
    clock.advance(Duration::from_secs(60));
    assert_eq!(forge.repositories.reconcile().await.unwrap().finished, 1);
    assert!(find(&forge, "fork").await.is_some());
}
