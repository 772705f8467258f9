use std::time::Duration;

use git_id::HashKind;

use super::{
    CreateRepositoryError, DeleteRepositoryError, Edit, EditRepositoryError, Filter,
    ForkRepositoryError, NewRepository, Reconciled, Repository, RepositoryNameError, Sort,
};
use crate::accounts::User;
use crate::testing::{faulty_forge, forge, user};
use crate::{Failure, Forge, Slice, Viewer};

const FIRST: Slice = Slice {
    limit: 10,
    offset: 0,
};

fn new(name: &str, is_private: bool) -> NewRepository<'_> {
    NewRepository {
        name,
        description: "",
        is_private,
        default_branch: None,
        hash: HashKind::Sha1,
    }
}

async fn create(forge: &Forge, owner: &User, name: &str, is_private: bool) -> Repository {
    forge
        .repositories
        .create(owner.into(), new(name, is_private))
        .await
        .unwrap()
}

async fn names(forge: &Forge, viewer: &Viewer, filter: Filter<'_>) -> Vec<String> {
    let page = forge
        .repositories
        .list(viewer, &filter, FIRST)
        .await
        .unwrap();
    assert_eq!(page.total, page.items.len() as u64);
    page.items.iter().map(Repository::full_name).collect()
}

#[tokio::test]
async fn a_repository_is_made_found_and_deleted() {
    let forge = forge().await;
    let alice = user(&forge, "alice").await;
    let made = create(&forge, &alice, "Project", false).await;
    let found = forge
        .repositories
        .find("ALICE", "project")
        .await
        .unwrap()
        .unwrap();
    assert_eq!((found.key, found.name.as_str()), (made.key, "Project"));
    let record = forge.repositories.record(&found).await.unwrap();
    assert_eq!(record.head.as_branch(), Some("main"));
    assert_eq!(forge.repositories.refs(&found).await.unwrap().refs, []);
    forge.repositories.delete(&found).await.unwrap();
    assert_eq!(
        forge.repositories.find("alice", "project").await.unwrap(),
        None
    );
    assert!(forge.repositories.record(&found).await.is_err());
    let again = forge.repositories.delete(&found).await;
    assert_eq!(again, Err(DeleteRepositoryError::NotFound));
    create(&forge, &alice, "project", false).await;
}

#[tokio::test]
async fn names_are_unique_for_their_owner_whatever_their_case() {
    let forge = forge().await;
    let (alice, bob) = (user(&forge, "alice").await, user(&forge, "bob").await);
    create(&forge, &alice, "project", false).await;
    create(&forge, &bob, "project", false).await;
    let taken = forge
        .repositories
        .create((&alice).into(), new("PROJECT", false))
        .await;
    assert_eq!(
        taken,
        Err(CreateRepositoryError::NameTaken("PROJECT".to_owned()))
    );
    assert_eq!(taken.unwrap_err().failure(), Failure::Conflict);
    let bad = forge
        .repositories
        .create((&alice).into(), new("a..b", false))
        .await;
    assert_eq!(
        bad,
        Err(CreateRepositoryError::Name(RepositoryNameError::Dots))
    );
}

#[tokio::test]
async fn settings_change() {
    let forge = forge().await;
    let alice = user(&forge, "alice").await;
    let made = create(&forge, &alice, "old", false).await;
    create(&forge, &alice, "other", false).await;
    let edit = Edit {
        name: Some("new"),
        description: Some("what it is"),
        is_private: Some(true),
        default_branch: Some("trunk"),
    };
    forge.repositories.edit(&made, edit).await.unwrap();
    let found = forge
        .repositories
        .find("alice", "new")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.is_private, found.description.as_str()),
        (true, "what it is")
    );
    let record = forge.repositories.record(&found).await.unwrap();
    assert_eq!(record.head.as_branch(), Some("trunk"));
    assert_eq!(forge.repositories.find("alice", "old").await.unwrap(), None);
    let taken = Edit {
        name: Some("OTHER"),
        ..Edit::default()
    };
    let taken = forge.repositories.edit(&found, taken).await;
    assert_eq!(
        taken,
        Err(EditRepositoryError::NameTaken("OTHER".to_owned()))
    );
    let renamed = Edit {
        name: Some("NEW"),
        ..Edit::default()
    };
    assert_eq!(
        forge.repositories.edit(&found, renamed).await.unwrap().name,
        "NEW"
    );
}

#[tokio::test]
async fn a_fork_shares_its_originals_slot_and_privacy() {
    let forge = forge().await;
    let (alice, bob) = (user(&forge, "alice").await, user(&forge, "bob").await);
    let made = create(&forge, &alice, "project", true).await;
    let fork = forge
        .repositories
        .fork(&made, (&bob).into(), None)
        .await
        .unwrap();
    assert_eq!(fork.slot(), made.slot());
    assert_eq!((fork.is_private, fork.fork_of), (true, Some(made.key)));
    let again = forge.repositories.fork(&made, (&bob).into(), None).await;
    assert_eq!(
        again,
        Err(ForkRepositoryError::NameTaken("project".to_owned()))
    );
    forge.repositories.delete(&made).await.unwrap();
    let found = forge
        .repositories
        .find("bob", "project")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.fork_of, None);
    assert!(forge.repositories.record(&found).await.is_ok());
    let gone = forge
        .repositories
        .fork(&made, (&bob).into(), Some("other"))
        .await
        .unwrap_err();
    assert_eq!(gone.failure(), Failure::NotFound);
}

#[tokio::test]
async fn listings_show_what_the_viewer_may_know_of() {
    let forge = forge().await;
    let (alice, bob) = (user(&forge, "alice").await, user(&forge, "bob").await);
    create(&forge, &alice, "open", false).await;
    create(&forge, &alice, "secret", true).await;
    create(&forge, &bob, "open_source", false).await;
    let all = Filter::default;
    let as_alice = Viewer::with_password(alice.clone());
    let as_bob = Viewer::with_password(bob.clone());
    let as_admin = Viewer::with_password(User {
        is_admin: true,
        ..bob.clone()
    });
    let public = ["alice/open", "bob/open_source"];
    let every = ["alice/open", "bob/open_source", "alice/secret"];
    assert_eq!(names(&forge, &Viewer::Anonymous, all()).await, public);
    assert_eq!(names(&forge, &as_bob, all()).await, public);
    assert_eq!(names(&forge, &as_alice, all()).await, every);
    assert_eq!(names(&forge, &as_admin, all()).await, every);
    let own = Filter {
        owner: Some(alice.id),
        descending: true,
        ..all()
    };
    assert_eq!(
        names(&forge, &as_alice, own).await,
        ["alice/secret", "alice/open"]
    );
    let text = Filter {
        text: Some("N_S"),
        ..all()
    };
    assert_eq!(names(&forge, &as_alice, text).await, ["bob/open_source"]);
    let text = Filter {
        text: Some("%"),
        in_description: true,
        ..all()
    };
    assert_eq!(names(&forge, &as_alice, text).await, [""; 0]);
    let private = Filter {
        is_private: Some(true),
        sort: Sort::Id,
        ..all()
    };
    assert_eq!(names(&forge, &as_alice, private).await, ["alice/secret"]);
}

#[tokio::test]
async fn whatever_write_of_a_creation_fails_the_reconciler_leaves_no_half() {
    for allowed in 0..3 {
        let (forge, clock, faulty) = faulty_forge().await;
        let alice = user(&forge, "alice").await;
        faulty.allow_writes(allowed);
        let failed = forge
            .repositories
            .create((&alice).into(), new("project", true))
            .await;
        assert_eq!(
            failed.unwrap_err().failure(),
            Failure::Full,
            "{allowed} writes"
        );
        assert_eq!(
            forge.repositories.find("alice", "project").await.unwrap(),
            None
        );
        faulty.allow_writes(i64::MAX);
        assert_eq!(
            forge.repositories.reconcile().await.unwrap(),
            Reconciled::default()
        );
        clock.advance(Duration::from_secs(60));
        let reconciled = forge.repositories.reconcile().await.unwrap();
        let found = forge.repositories.find("alice", "project").await.unwrap();
        assert_eq!(found.is_some(), allowed > 0, "{allowed} writes");
        assert_eq!(reconciled.finished, u32::from(allowed > 0));
        if let Some(found) = found {
            assert!(forge.repositories.record(&found).await.is_ok());
        }
    }
}

#[tokio::test]
async fn a_second_try_finishes_a_failed_creation() {
    for allowed in 0..3 {
        let (forge, _clock, faulty) = faulty_forge().await;
        let alice = user(&forge, "alice").await;
        faulty.allow_writes(allowed);
        assert!(
            forge
                .repositories
                .create((&alice).into(), new("project", true))
                .await
                .is_err()
        );
        faulty.allow_writes(i64::MAX);
        create(&forge, &alice, "project", false).await;
        let found = forge
            .repositories
            .find("alice", "project")
            .await
            .unwrap()
            .unwrap();
        assert!(!found.is_private);
        assert!(forge.repositories.record(&found).await.is_ok());
    }
}

/// Found by `./dev chaos`: both were told that they had made it, and one lost
/// its settings, be it that the repository was to be private.
#[tokio::test]
async fn of_two_creations_of_one_name_at_one_time_one_wins() {
    let (forge, _clock, faulty) = faulty_forge().await;
    let alice = user(&forge, "alice").await;
    // The first has written its row and no more when the second comes.
    faulty.allow_writes(1);
    let first = forge
        .repositories
        .create((&alice).into(), new("project", true));
    assert!(first.await.is_err());
    faulty.allow_writes(i64::MAX);
    let second = create(&forge, &alice, "project", false).await;
    let mut first = second.clone();
    first.is_private = true;
    let late = forge.repositories.activate_as(&first).await;
    assert_eq!(late.unwrap_err().failure(), Failure::Conflict);
    // A retry of the second whose answer was lost is no conflict.
    forge.repositories.activate_as(&second).await.unwrap();
}

#[tokio::test]
async fn whatever_write_of_a_deletion_fails_the_reconciler_finishes_it() {
    for allowed in 0..4 {
        let (forge, clock, faulty) = faulty_forge().await;
        let alice = user(&forge, "alice").await;
        let made = create(&forge, &alice, "project", false).await;
        faulty.allow_writes(allowed);
        let deleted = forge.repositories.delete(&made).await;
        assert_eq!(deleted.is_ok(), allowed > 0);
        let found = forge.repositories.find("alice", "project").await.unwrap();
        assert_eq!(found.is_none(), deleted.is_ok());
        faulty.allow_writes(i64::MAX);
        clock.advance(Duration::from_secs(60));
        let reconciled = forge.repositories.reconcile().await.unwrap();
        assert_eq!(reconciled.finished, u32::from(allowed > 0));
        assert_eq!(forge.repositories.record(&made).await.is_ok(), allowed == 0);
        if allowed > 0 {
            create(&forge, &alice, "project", false).await;
        }
    }
}

#[tokio::test]
async fn a_failed_fork_is_finished_or_undone() {
    for (allowed, original_is_deleted) in [(1, false), (2, false), (1, true), (2, true)] {
        let (forge, clock, faulty) = faulty_forge().await;
        let alice = user(&forge, "alice").await;
        let made = create(&forge, &alice, "project", false).await;
        faulty.allow_writes(allowed);
        let failed = forge
            .repositories
            .fork(&made, (&alice).into(), Some("fork"))
            .await;
        assert!(failed.is_err());
        faulty.allow_writes(i64::MAX);
        if original_is_deleted {
            forge.repositories.delete(&made).await.unwrap();
        }
        clock.advance(Duration::from_secs(60));
        let reconciled = forge.repositories.reconcile().await.unwrap();
        let is_finished = allowed == 2 || !original_is_deleted;
        assert_eq!(reconciled.finished, u32::from(is_finished));
        assert_eq!(reconciled.undone, u32::from(!is_finished));
        let found = forge.repositories.find("alice", "fork").await.unwrap();
        assert_eq!(found.is_some(), is_finished);
    }
}
