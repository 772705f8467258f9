use std::collections::BTreeSet;
use std::fs;
use std::future::{Future, poll_fn};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use backup::{BackupId, Keep, Progress, PruneError, Pruned, Pruning, Silent, TakeError};
use storage_node_api::{Slot, Storage};

use crate::stalling::Stalling;
use crate::world::{Place, World};

const DAY: Duration = Duration::from_secs(86_400);

fn last(last: u32) -> Pruning {
    let keep = Keep {
        last,
        ..Keep::default()
    };
    Pruning {
        keep,
        ..Pruning::default()
    }
}

async fn prune(world: &World, place: &Place, pruning: &Pruning) -> Result<Pruned, PruneError> {
    backup::prune(&place.open(), &world.runtime, pruning, &Silent).await
}

/// Three backups, each with content that no other has.
async fn three(world: &World, place: &Place) -> Vec<BackupId> {
    let mut taken = Vec::new();
    for number in 1..=3_u8 {
        let id = world.create(Slot(50)).await;
        world.push(id, 100 + number, 400 << 10).await;
        taken.push(world.take(place).await.id);
        world
            .propose(
                Slot(50),
                storage_node_api::order::Command::SealRepository(id),
            )
            .await;
        world
            .propose(
                Slot(50),
                storage_node_api::order::Command::DeleteRepository(id),
            )
            .await;
        world.clock.advance(DAY);
    }
    taken
}

async fn is_whole(world: &World, place: &Place, id: BackupId) {
    let source = place.open();
    let verified = backup::verify(&source, world.rate(), Some(id), &Silent).await;
    verified.unwrap();
}

/// Polls a future so often at most; nothing if it was not ready by then.
async fn polled<T>(times: usize, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut left) = (pin!(future), times);
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[tokio::test]
async fn what_is_kept_stays_whole_and_what_only_others_needed_goes() {
    let (world, place) = (World::full().await, Place::in_a_directory());
    let before = world.everything().await;
    let taken = three(&world, &place).await;
    let objects = place.objects().len();
    let dry = Pruning {
        dry_run: true,
        ..last(1)
    };
    let planned = prune(&world, &place, &dry).await.unwrap();
    assert_eq!(place.objects().len(), objects);
    let pruned = prune(&world, &place, &last(1)).await.unwrap();
    assert_eq!(pruned, planned);
    assert_eq!(
        (pruned.kept, pruned.removed),
        (taken[2..].to_vec(), taken[..2].to_vec())
    );
    assert!(
        pruned.packs > 0 && pruned.bytes > 400 << 10,
        "{} packs",
        pruned.packs
    );
    assert_eq!(place.ids().await, taken[2..]);
    is_whole(&world, &place, taken[2]).await;
    let other = World::empty();
    other.restore(&place, None).await.unwrap();
    other.everything().await.contains(&before);
    // Nothing is left that nothing names, and the next backup relies on what is there.
    let again = prune(&world, &place, &last(1)).await.unwrap();
    assert_eq!((again.packs, again.removed), (0, vec![]));
    let next = world.take(&place).await.id;
    is_whole(&world, &place, next).await;
}

#[tokio::test]
async fn without_a_rule_nothing_goes_and_a_damaged_backup_keeps_all_packs() {
    let (world, place) = (World::full().await, Place::in_a_directory());
    let taken = three(&world, &place).await;
    let nothing = prune(&world, &place, &Pruning::default()).await;
    assert!(
        matches!(nothing, Err(PruneError::KeepsNothing)),
        "{nothing:?}"
    );
    let manifest = place.path().join("backups").join(taken[0].to_string());
    fs::write(&manifest, b"something else").unwrap();
    let refused = prune(&world, &place, &last(1)).await.unwrap_err();
    assert!(
        refused.to_string().contains(&taken[0].to_string()),
        "{refused}"
    );
    assert_eq!(place.ids().await, taken);
    let pruning = Pruning {
        damaged: true,
        ..last(2)
    };
    let pruned = prune(&world, &place, &pruning).await.unwrap();
    assert_eq!(pruned.removed, taken[..1]);
    for id in &taken[1..] {
        is_whole(&world, &place, *id).await;
    }
}

#[tokio::test]
async fn a_prune_gives_way_to_a_backup_and_a_killed_backup_is_cleared_up_by_the_next() {
    let (world, place) = (World::full().await, Place::in_a_directory());
    let taken = three(&world, &place).await;
    let stalling = Stalling::after(Arc::clone(&world.storage), 2);
    let storage = Arc::clone(&stalling) as Arc<dyn Storage>;
    let take = backup::take(
        storage,
        world.runtime.clone(),
        place.open(),
        world.rate(),
        &Silent,
    );
    tokio::select! {
        _ = take => panic!("it has more than two calls to make"),
        () = stalling.stalled() => {}
    }
    let refused = prune(&world, &place, &last(1)).await;
    assert!(
        matches!(refused, Err(PruneError::Taking(id)) if !taken.contains(&id)),
        "{refused:?}"
    );
    assert_eq!(place.ids().await, taken);
    world.clock.advance(backup::limits::HOLD);
    let next = world.take(&place).await.id;
    let pruned = prune(&world, &place, &last(1)).await.unwrap();
    assert_eq!(pruned.kept, [next]);
    is_whole(&world, &place, next).await;
}

/// Takes the mark of the backup away, as a prune does that was told that it is abandoned.
struct Abandon(PathBuf);

impl Progress for Abandon {
    fn say(&self, _line: &str) {
        for mark in fs::read_dir(&self.0).into_iter().flatten() {
            fs::remove_file(mark.unwrap().path()).unwrap();
        }
    }
}

#[tokio::test]
async fn a_backup_that_was_taken_for_dead_leaves_none() {
    let (world, place) = (World::full().await, Place::in_a_directory());
    let (storage, runtime) = (Arc::clone(&world.storage), world.runtime.clone());
    let abandon = Abandon(place.path().join("taking"));
    let taken = backup::take(storage, runtime, place.open(), world.rate(), &abandon).await;
    assert!(matches!(taken, Err(TakeError::Abandoned)), "{taken:?}");
    assert_eq!(place.ids().await, []);
    world.take(&place).await;
}

#[test]
fn a_prune_killed_at_any_step_harms_no_kept_backup_and_is_finished_by_the_next() {
    // With one thread for files, what a killed run had begun is over before the next step.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(prune_killed_at_any_step());
}

async fn prune_killed_at_any_step() {
    let (world, place) = (World::full().await, Place::in_a_directory());
    let taken = three(&world, &place).await;
    let sound: Vec<(PathBuf, Vec<u8>)> = place
        .objects()
        .into_iter()
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    let mut finished: Option<BTreeSet<PathBuf>> = None;
    let mut steps = 1;
    loop {
        for (path, bytes) in &sound {
            fs::write(path, bytes).unwrap();
        }
        let pruning = last(1);
        let pruned = polled(steps, prune(&world, &place, &pruning)).await;
        place.ids().await;
        is_whole(&world, &place, taken[2]).await;
        let marks = fs::read_dir(place.path().join("pruning"));
        let marks = marks.into_iter().flatten();
        let marks = marks.map(|mark| mark.unwrap().file_name().into_string().unwrap());
        let abandoned: Vec<BackupId> = marks.filter_map(|mark| mark.parse().ok()).collect();
        if pruned.is_none() && !abandoned.is_empty() {
            let refused = world.try_take(&place).await;
            assert!(matches!(refused, Err(TakeError::Pruning(_))), "{refused:?}");
            let refused = prune(&world, &place, &pruning).await;
            assert!(
                matches!(refused, Err(PruneError::Pruning(_))),
                "{refused:?}"
            );
        }
        let again = Pruning {
            abandoned,
            ..pruning
        };
        prune(&world, &place, &again).await.unwrap();
        let left: BTreeSet<PathBuf> = place.objects().into_iter().collect();
        assert_eq!(
            &left,
            finished.get_or_insert_with(|| left.clone()),
            "{steps}"
        );
        is_whole(&world, &place, taken[2]).await;
        if pruned.is_some() {
            assert!(steps > 3, "there is something to interrupt");
            return;
        }
        steps += 1;
    }
}
