use std::sync::Arc;

use backup::{Silent, TakeError};
use storage_node_api::order::{Command, Refusal, Reply};
use storage_node_api::{BlobOwner, Slot, Storage};

use crate::stalling::Stalling;
use crate::world::{Place, World};

/// Starts a backup and gives it so many calls; what it holds it goes on holding.
async fn begun(world: &World, place: &Place, calls: u64) {
    let stalling = Stalling::after(Arc::clone(&world.storage), calls);
    let storage = Arc::clone(&stalling) as Arc<dyn Storage>;
    let runtime = world.runtime.clone();
    let take = backup::take(storage, runtime, place.open(), world.rate(), &Silent);
    tokio::select! {
        _ = take => panic!("it has more calls to make"),
        () = stalling.stalled() => {}
    }
}

#[tokio::test]
async fn while_a_backup_reads_no_blob_loses_an_owner_and_pushes_go_on() {
    let (world, place) = (World::full().await, Place::new());
    let id = world.create(Slot(5)).await;
    let sealed = world.create(Slot(5)).await;
    let seal = Command::SealRepository(sealed);
    assert_eq!(world.propose(Slot(5), seal).await, Reply::Done);
    let owned = world.named_blob(Slot(5), 100).await;
    begun(&world, &place, 6).await;
    let remove = Command::RemoveOwner {
        slot: owned.slot,
        blob: owned.blob,
        owner: BlobOwner::Named(owned.owner),
    };
    let losses = [
        Command::SealRepository(id),
        Command::DeleteRepository(sealed),
        remove,
    ];
    for command in &losses {
        let reply = world.propose(Slot(5), command.clone()).await;
        let held = matches!(reply, Reply::Refused(Refusal::Held { .. }));
        assert!(held, "{command:?}: {reply:?}");
    }
    world.push(id, 1, 1000).await;
    world.clock.advance(backup::limits::HOLD);
    for command in losses {
        let reply = world.propose(Slot(5), command.clone()).await;
        assert_eq!(reply, Reply::Done, "{command:?} once the hold has ended");
    }
}

#[tokio::test]
async fn every_push_from_before_is_in_a_backup_beside_pushes() {
    let (world, place) = (World::full().await, Place::new());
    let mut ids = Vec::new();
    for slot in [3, 3, 400, 900] {
        let id = world.create(Slot(slot)).await;
        world.push(id, 1, 2000).await;
        ids.push(id);
    }
    let before = world.everything().await;
    let pushing = async {
        for number in 2..40 {
            for id in &ids {
                world.push(*id, number, 1500).await;
                tokio::task::yield_now().await;
            }
            world.create(Slot(3)).await;
        }
    };
    let (taken, ()) = tokio::join!(world.take(&place), pushing);
    let other = World::empty();
    other.restore(&place, None).await.unwrap();
    let restored = other.everything().await;
    restored.contains(&before);
    restored.is_consistent();
    assert!(taken.totals.repositories >= 11);
}

#[tokio::test]
async fn a_hold_that_ended_in_between_spoils_the_backup() {
    let (world, place) = (World::full().await, Place::new());
    let stalling = Stalling::after(Arc::clone(&world.storage), 8);
    let storage = Arc::clone(&stalling) as Arc<dyn Storage>;
    let runtime = world.runtime.clone();
    let take = backup::take(storage, runtime, place.open(), world.rate(), &Silent);
    let racing = async {
        stalling.stalled().await;
        world.clock.advance(backup::limits::HOLD * 2);
        for slot in [0, 300, 600, 900] {
            world.create(Slot(slot)).await;
        }
        stalling.resume();
    };
    let (taken, ()) = tokio::join!(take, racing);
    assert!(matches!(taken, Err(TakeError::HoldLost)), "{taken:?}");
    assert_eq!(place.ids().await, []);
    world.take(&place).await;
}
