use std::sync::Arc;

use backup::{RestoreError, Silent, TakeError};
use storage_node_api::{Slot, Storage};

use crate::stalling::Stalling;
use crate::world::{Place, World, migrations};

#[tokio::test]
async fn a_backup_killed_at_any_call_leaves_none_or_a_whole_one_and_the_next_succeeds() {
    let world = World::full().await;
    let mut calls = 0;
    loop {
        let place = Place::new();
        let stalling = Stalling::after(Arc::clone(&world.storage), calls);
        let storage = Arc::clone(&stalling) as Arc<dyn Storage>;
        let runtime = world.runtime.clone();
        let take = backup::take(storage, runtime, place.open(), world.rate(), &Silent);
        tokio::select! {
            taken = take => {
                taken.unwrap();
                assert!(calls > 10, "there is something to interrupt");
                return;
            }
            () = stalling.stalled() => {}
        }
        // Once its manifest is there, it is a backup, whatever becomes of who took it.
        if !place.ids().await.is_empty() {
            let verified = backup::verify(&place.open(), world.rate(), None, &Silent).await;
            verified.unwrap_or_else(|error| panic!("killed after {calls} calls: {error}"));
        }
        // What the dead one holds ends by itself.
        world.clock.advance(backup::limits::HOLD);
        world.take(&place).await;
        calls += 1;
    }
}

#[tokio::test]
async fn a_restore_killed_at_any_call_goes_on_where_it_was() {
    let (world, place) = (World::full().await, Place::new());
    let before = world.everything().await;
    world.take(&place).await;
    let mut calls = 0;
    loop {
        let other = World::empty();
        let stalling = Stalling::after(Arc::clone(&other.storage), calls);
        let (source, schema) = (place.open(), migrations());
        let restore = backup::restore(
            Arc::clone(&stalling) as Arc<dyn Storage>,
            other.runtime.clone(),
            &source,
            other.rate(),
            None,
            &schema,
            &Silent,
        );
        let is_done = tokio::select! {
            restored = restore => { restored.unwrap(); true }
            () = stalling.stalled() => false,
        };
        if is_done {
            assert!(calls > 50, "there is something to interrupt");
            return;
        }
        other.restore(&place, None).await.unwrap();
        assert_eq!(
            other.everything().await,
            before,
            "killed after {calls} calls"
        );
        calls += 1;
    }
}

#[tokio::test]
async fn what_another_restore_began_is_left_alone() {
    let (world, place) = (World::full().await, Place::new());
    let first = world.take(&place).await;
    world.clock.advance(std::time::Duration::from_secs(1));
    world.create(Slot(9)).await;
    world.take(&place).await;
    let other = World::empty();
    let stalling = Stalling::after(Arc::clone(&other.storage), 10);
    let (source, schema) = (place.open(), migrations());
    let restore = backup::restore(
        Arc::clone(&stalling) as Arc<dyn Storage>,
        other.runtime.clone(),
        &source,
        other.rate(),
        Some(first.id),
        &schema,
        &Silent,
    );
    tokio::select! {
        _ = restore => panic!("it has more than ten calls to make"),
        () = stalling.stalled() => {}
    }
    let error = other.restore(&place, None).await.unwrap_err();
    assert!(matches!(error, RestoreError::NotEmpty(_)), "{error}");
    other.restore(&place, Some(first.id)).await.unwrap();
}

#[tokio::test]
async fn two_backups_at_once_are_one_too_many() {
    let (world, place) = (World::full().await, Place::new());
    let stalling = Stalling::after(Arc::clone(&world.storage), 8);
    let storage = Arc::clone(&stalling) as Arc<dyn Storage>;
    let runtime = world.runtime.clone();
    let take = backup::take(storage, runtime, place.open(), world.rate(), &Silent);
    tokio::select! {
        _ = take => panic!("it has more than eight calls to make"),
        () = stalling.stalled() => {}
    }
    let error = world.try_take(&place).await.unwrap_err();
    assert!(matches!(error, TakeError::Held { .. }), "{error}");
}
