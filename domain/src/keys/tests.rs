use std::time::Duration;

use storage_node_api::ReadPoint;

use crate::facts::FactsError;
use crate::keys::{AddKeyError, Holder, KeyOwner, NewKey, RemoveKeyError};
use crate::permissions::{Access, Action, Reason, authorize};
use crate::repositories::NewRepository;
use crate::testing::{forge, forge_and_clock, user};
use crate::{Forge, Repository, Slice, User, Viewer};

const FIRST: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE+6kNUGukKm0Gt2b0QHoKXWAqW4N2kLZ9Iy+HAeUkIF alice@host";
const FINGERPRINT: &str = "SHA256:dEZddv73f2rw4qBfzjLQS9/sBEUh04uxErSHBOIk8JM";
const SECOND: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE+6kNUGukKm0Gt2b0QHoKXWAqW4N2kLZ9Iy+HAeUkIG";
const SLICE: Slice = Slice {
    limit: 10,
    offset: 0,
};

fn new<'a>(title: &'a str, text: &'a str) -> NewKey<'a> {
    NewKey {
        title,
        text,
        read_only: true,
    }
}

async fn present(forge: &Forge, viewer: &Viewer) -> Viewer {
    let present = forge.present(viewer, ReadPoint::Linearizable).await;
    present.unwrap()
}

async fn private_repository(forge: &Forge, owner: &User, name: &str) -> Repository {
    let new = NewRepository {
        name,
        description: "",
        is_private: true,
        default_branch: None,
        hash: git_id::HashKind::Sha1,
    };
    forge.repositories.create(owner.into(), new).await.unwrap()
}

#[tokio::test]
async fn a_key_stands_for_its_account_until_it_is_removed() {
    let forge = forge().await;
    let alice = user(&forge, "alice").await;
    let owner = KeyOwner::Account(alice.id);
    let key = forge.keys.add(owner, new("", FIRST)).await.unwrap();
    assert_eq!(
        (key.title.as_str(), key.fingerprint.as_str()),
        ("alice@host", FINGERPRINT)
    );
    assert!(!key.read_only, "an account's key does what the account may");
    let holder = forge.keys.holder(FINGERPRINT).await.unwrap().unwrap();
    let Holder::Account { user, key: found } = holder else {
        panic!("{holder:?}");
    };
    assert_eq!((&user, &found), (&alice, &key));
    let viewer = Viewer::with_key(user, key.id);
    assert_eq!(present(&forge, &viewer).await, viewer);
    forge.keys.remove(owner, key.id).await.unwrap();
    assert_eq!(present(&forge, &viewer).await, Viewer::Anonymous);
    assert_eq!(forge.keys.holder(FINGERPRINT).await.unwrap(), None);
    let again = forge.keys.remove(owner, key.id).await;
    assert_eq!(again, Err(RemoveKeyError::NotFound));
}

#[tokio::test]
async fn a_key_stands_for_one_thing_in_the_forge() {
    let forge = forge().await;
    let (alice, bob) = (user(&forge, "alice").await, user(&forge, "bob").await);
    let repository = private_repository(&forge, &alice, "r").await;
    let of_repository = KeyOwner::Repository {
        repository: repository.key,
        by: alice.id,
    };
    let of_alice = KeyOwner::Account(alice.id);
    forge.keys.add(of_alice, new("one", FIRST)).await.unwrap();
    for owner in [of_alice, KeyOwner::Account(bob.id), of_repository] {
        let again = forge.keys.add(owner, new("two", FIRST)).await;
        assert_eq!(again, Err(AddKeyError::InUse));
    }
    let taken = forge.keys.add(of_alice, new("one", SECOND)).await;
    assert_eq!(taken, Err(AddKeyError::TitleTaken("one".to_owned())));
    forge
        .keys
        .add(of_repository, new("one", SECOND))
        .await
        .unwrap();
    for owner in [of_alice, of_repository] {
        assert_eq!(forge.keys.list(owner, SLICE).await.unwrap().total, 1);
    }
    let found = forge.keys.find(of_alice, FINGERPRINT).await.unwrap();
    assert!(found.is_some());
    assert_eq!(forge.keys.find(of_repository, FINGERPRINT).await, Ok(None));
    let untitled = forge.keys.add(of_alice, new(" ", "ssh-ed25519 AAAA")).await;
    assert!(
        matches!(untitled, Err(AddKeyError::Text(_))),
        "{untitled:?}"
    );
}

#[tokio::test]
async fn a_deploy_key_is_let_into_its_repository_alone() {
    let forge = forge().await;
    let alice = user(&forge, "alice").await;
    let mine = private_repository(&forge, &alice, "mine").await;
    let other = private_repository(&forge, &alice, "other").await;
    let owner = KeyOwner::Repository {
        repository: mine.key,
        by: alice.id,
    };
    let reading = forge.keys.add(owner, new("reads", FIRST)).await.unwrap();
    let writes = NewKey {
        read_only: false,
        ..new("writes", SECOND)
    };
    let writing = forge.keys.add(owner, writes).await.unwrap();
    for (key, push) in [
        (&reading, Access::Forbidden(Reason::ReadOnlyKey)),
        (&writing, Access::Granted),
    ] {
        let holder = forge.keys.holder(&key.fingerprint).await.unwrap();
        let Some(Holder::Repository(deploy)) = holder else {
            panic!("{holder:?}");
        };
        let viewer = Viewer::DeployKey(deploy);
        assert_eq!(
            authorize(&viewer, Action::Read, Some(&mine)),
            Access::Granted
        );
        assert_eq!(authorize(&viewer, Action::Write, Some(&mine)), push);
        let administer = authorize(&viewer, Action::Administer, Some(&mine));
        assert_eq!(administer, Access::Forbidden(Reason::NotPermitted));
        for stranger in [Some(&other), None] {
            assert_eq!(authorize(&viewer, Action::Read, stranger), Access::Hidden);
        }
        assert_eq!(present(&forge, &viewer).await, viewer);
        forge.keys.remove(owner, key.id).await.unwrap();
        assert_eq!(present(&forge, &viewer).await, Viewer::Anonymous);
    }
}

#[tokio::test]
async fn a_removed_repository_brings_its_keys_back_and_a_purged_one_does_not() {
    let forge = forge().await;
    let alice = user(&forge, "alice").await;
    let repository = private_repository(&forge, &alice, "r").await;
    let owner = KeyOwner::Repository {
        repository: repository.key,
        by: alice.id,
    };
    forge.keys.add(owner, new("ci", FIRST)).await.unwrap();
    let (window, repositories) = (Duration::from_secs(60), &forge.repositories);
    let has_key = async || forge.keys.holder(FINGERPRINT).await.unwrap().is_some();
    repositories.remove(&repository, window).await.unwrap();
    let removed = repositories.removed(repository.key).await.unwrap().unwrap();
    repositories.restore(&removed, None).await.unwrap();
    assert!(has_key().await);
    repositories.remove(&repository, window).await.unwrap();
    let removed = repositories.removed(repository.key).await.unwrap().unwrap();
    repositories.purge(&removed).await.unwrap();
    assert!(!has_key().await, "a purged repository keeps its key");
}

#[tokio::test]
async fn use_of_keys_is_written_in_batches() {
    let (forge, clock) = forge_and_clock().await;
    let alice = user(&forge, "alice").await;
    let owner = KeyOwner::Account(alice.id);
    forge.keys.add(owner, new("", FIRST)).await.unwrap();
    clock.advance(Duration::from_secs(5));
    forge.keys.holder(FINGERPRINT).await.unwrap();
    let used = async || forge.keys.list(owner, SLICE).await.unwrap().items[0].last_used;
    assert_eq!(used().await, None, "a read wrote a fact");
    forge.keys.flush_last_used().await.unwrap();
    assert_eq!(used().await, Some(forge.keys.facts.now()));
}

#[tokio::test]
async fn a_certificate_is_good_until_its_end() {
    let (forge, clock) = forge_and_clock().await;
    let alice = user(&forge, "alice").await;
    let end = forge.keys.facts.now().plus(Duration::from_secs(60));
    let viewer = Viewer::with_certificate(alice.clone(), Some(end));
    assert_eq!(present(&forge, &viewer).await, viewer);
    clock.advance(Duration::from_secs(60));
    assert_eq!(present(&forge, &viewer).await, Viewer::Anonymous);
    let endless = Viewer::with_certificate(alice, None);
    assert_eq!(present(&forge, &endless).await, endless);
}

#[tokio::test]
async fn whoever_is_first_makes_the_host_key_for_all() {
    let forge = forge().await;
    let make = |text: &'static str| move || Ok::<_, FactsError>(text.to_owned());
    let (first, second) = tokio::join!(
        forge.keys.host_key("ssh-ed25519", make("one")),
        forge.keys.host_key("ssh-ed25519", make("two")),
    );
    let kept = first.unwrap();
    assert_eq!(second.unwrap(), kept);
    let never = || -> Result<String, FactsError> { panic!("there is one") };
    assert_eq!(
        forge.keys.host_key("ssh-ed25519", never).await.unwrap(),
        kept
    );
    let other = forge.keys.host_key("other", make("three")).await.unwrap();
    assert_eq!(other, "three");
}
