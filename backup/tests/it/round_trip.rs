use backup::{RestoreError, Silent};

use crate::world::{Place, World};
use storage_node_api::Slot;

#[tokio::test]
async fn everything_comes_back_and_goes_on() {
    let (world, place) = (World::full().await, Place::new());
    let before = world.everything().await;
    let taken = world.take(&place).await;
    assert_eq!(world.everything().await, before, "nothing changes by it");
    let source = place.open();
    let verified = backup::verify(&source, world.rate(), None, &Silent).await;
    let verified = verified.unwrap();
    assert_eq!((verified.id, &verified.totals), (taken.id, &taken.totals));
    assert_eq!(taken.totals.repositories, 7);
    assert_eq!(taken.totals.rows(), 5000);

    let other = World::empty();
    other.restore(&place, None).await.unwrap();
    assert_eq!(other.everything().await, before);
    // It takes writes, whose events go on where those of the backup ended.
    let id = other.create(Slot(3)).await;
    other.push(id, 9, 1000).await;
    other.rows(5000..5010).await;
    let taken = other.take(&place).await;
    assert_eq!(taken.totals.repositories, 8);
}

#[tokio::test]
async fn a_second_backup_uploads_only_what_is_new() {
    let (world, place) = (World::full().await, Place::new());
    let first = world.take(&place).await;
    assert!(first.written > 3_000_000, "{}", first.written);
    let again = world.take(&place).await;
    assert!(again.written < 4096, "only a manifest: {}", again.written);
    let id = world.create(Slot(500)).await;
    world.push(id, 1, 300_000).await;
    let third = world.take(&place).await;
    // The pack, its index, and those chunks of the records that changed.
    assert!(third.written > 300_000, "{}", third.written);
    assert!(third.written < 300_000 + 300_000, "{}", third.written);
}

#[tokio::test]
async fn any_older_backup_can_be_restored() {
    let (world, place) = (World::full().await, Place::new());
    let mut states = Vec::new();
    for round in 0..3 {
        let id = world.create(Slot(round * 300)).await;
        world.push(id, 1, 20_000).await;
        let first = 10_000 + i64::from(round) * 10;
        world.rows(first..first + 10).await;
        world.clock.advance(std::time::Duration::from_secs(1));
        let taken = world.take(&place).await;
        states.push((taken.id, world.everything().await));
    }
    let ids: Vec<_> = states.iter().map(|(id, _)| *id).collect();
    assert_eq!(place.ids().await, ids);
    for (id, state) in states {
        let other = World::empty();
        other.restore(&place, Some(id)).await.unwrap();
        assert_eq!(other.everything().await, state);
    }
}

#[tokio::test]
async fn a_cluster_with_anything_in_it_is_not_restored_to() {
    let (world, place) = (World::full().await, Place::new());
    world.take(&place).await;
    let with_rows = World::empty();
    with_rows
        .storage
        .migrate(&crate::world::migrations())
        .await
        .unwrap();
    with_rows.rows(0..1).await;
    let with_repository = World::empty();
    with_repository.create(Slot(700)).await;
    let with_blob = World::empty();
    with_blob.named_blob(Slot(1), 10).await;
    for (other, what) in [
        (with_rows, "people"),
        (with_repository, "repositories"),
        (with_blob, "blobs"),
    ] {
        let before = other.everything().await;
        let error = other.restore(&place, None).await.unwrap_err();
        assert!(matches!(error, RestoreError::NotEmpty(_)), "{error}");
        assert!(error.to_string().contains(what), "{error}");
        assert_eq!(other.everything().await, before);
    }
}
