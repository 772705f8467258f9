use std::sync::Arc;

use chunking::{Chunk, ChunkId};
use futures_util::future::join_all;
use runtime::{HookedFiles, Random, SeededRandom, Survives};
use storage_node_api::Generation;

use super::watched::Watch;
use super::world::{DOMAIN, World, chunk, config, run, served};
use crate::volumes::{ChunkStore, StoreError};

/// Puts at random, some of them at a time; returns what was acknowledged.
async fn work(store: &ChunkStore, random: &SeededRandom, rounds: u64) -> Vec<Chunk> {
    let mut acknowledged = Vec::new();
    for _ in 0..rounds {
        let puts = (0..=random.below(4)).map(|_| {
            let chunks: Vec<Chunk> = (0..=random.below(4))
                .map(|_| {
                    let length = match random.below(8) {
                        0 => 1 + random.below(1 << 20),
                        1..4 => 1 + random.below(100_000),
                        _ => 1 + random.below(300),
                    };
                    chunk(random.below(1000), usize::try_from(length).unwrap())
                })
                .collect();
            let generation = Generation(random.below(3));
            async move {
                let put = store.put(generation, DOMAIN, chunks.clone()).await;
                put.map(|()| chunks)
            }
        });
        for put in join_all(puts.collect::<Vec<_>>()).await {
            acknowledged.extend(put.unwrap_or_default());
        }
        let some: Vec<ChunkId> = acknowledged
            .iter()
            .map(|chunk| chunk.id)
            .filter(|_| random.below(3) == 0)
            .collect();
        // It fails on a failing store.
        let _ = store
            .presence(Generation(random.below(5)), DOMAIN, &some)
            .await;
    }
    acknowledged
}

/// Works, crashes, and counts what was acknowledged and is lost, many times over
/// the same disk.
fn lost(seed: u64, lies: bool) -> usize {
    run(async {
        let random = SeededRandom::new(seed);
        let mut world = World::new();
        let mut acknowledged = Vec::new();
        let mut lost = 0;
        for _ in 0..4 {
            let watch = Watch {
                lies,
                ..Watch::default()
            };
            let files = Arc::new(world.files.clone());
            let files = Arc::new(HookedFiles::new(files, Arc::new(watch)));
            let Ok(store) = world.open_on(files, config()).await else {
                return lost + acknowledged.len();
            };
            acknowledged.extend(work(&store, &random, 3).await);
            world = world.crash(match random.below(4) {
                0 => Survives::Nothing,
                1 => Survives::Everything,
                _ => Survives::Random(random.u64()),
            });
            if random.below(4) == 0 {
                world = world.without_index();
            }
            let Ok(store) = world.try_open().await else {
                return lost + acknowledged.len();
            };
            let served = served(&store, &acknowledged).await;
            lost += served.iter().filter(|served| !**served).count();
            if !lies {
                let stats = store.stats().unwrap();
                assert_eq!(
                    (stats.corrupt, stats.damage),
                    (0, Vec::new()),
                    "seed {seed}"
                );
            }
        }
        assert!(acknowledged.len() > 20 || lies);
        lost
    })
}

#[test]
fn acknowledged_chunks_survive_any_crash() {
    for seed in 0..12 {
        assert_eq!(lost(seed, false), 0, "seed {seed}");
    }
}

#[test]
fn the_test_above_notices_when_nothing_is_synced() {
    let losing = (0..6).filter(|seed| lost(*seed, true) > 0).count();
    assert!(losing >= 4, "{losing} of 6 runs lost something");
}

#[test]
fn what_a_killed_process_left_in_the_cache_is_made_durable_before_it_counts() {
    run(async {
        let world = World::new();
        let watch = Watch {
            lies: true,
            ..Watch::default()
        };
        let files = Arc::new(world.files.clone());
        let files = Arc::new(HookedFiles::new(files, Arc::new(watch)));
        // The first volume exists; its records are only in the cache.
        let store = world.open().await;
        let first = chunk(0, 10);
        store
            .put(Generation(1), DOMAIN, vec![first.clone()])
            .await
            .unwrap();
        drop(store);
        let store = world.open_on(files, config()).await.unwrap();
        let unsynced = chunk(1, 1000);
        store
            .put(Generation(1), DOMAIN, vec![unsynced.clone()])
            .await
            .unwrap();
        drop(store);

        let store = world.open().await;
        assert_eq!(
            served(&store, std::slice::from_ref(&unsynced)).await,
            [true]
        );
        let store = world.crash(Survives::Nothing).open().await;
        assert_eq!(served(&store, &[first, unsynced]).await, [true, true]);
    });
}

/// Runs with the n-th call of the files or the index failing, for every n there
/// is, then opens the store again, with and without a crash in between.
fn fail_each(prepare: impl Fn(&World, u64), calls: impl Fn(&World) -> u64) {
    let mut n = 0;
    loop {
        let survives = [Survives::Nothing, Survives::Everything, Survives::Random(n)];
        let all_calls = run(async {
            // The same work each time, so that every call gets its turn.
            let random = SeededRandom::new(5);
            let world = World::new();
            prepare(&world, n);
            let mut acknowledged = Vec::new();
            if let Ok(store) = world.try_open().await {
                acknowledged = work(&store, &random, 3).await;
                if store.stats().is_ok_and(|stats| stats.failing) {
                    let more = store.put(Generation(1), DOMAIN, vec![chunk(5000, 50)]);
                    assert!(matches!(more.await, Err(StoreError::Failing)));
                }
            }
            let all_calls = calls(&world);
            world.files.faults().heal();
            world.index.faults().heal();
            // The process restarts; later the power fails.
            let restarted = World {
                files: world.files.clone(),
                index: world.index.crash(Survives::Everything),
            };
            let store = restarted.open().await;
            assert!(
                !served(&store, &acknowledged).await.contains(&false),
                "call {n}"
            );
            let more = work(&store, &random, 1).await;
            acknowledged.extend(more);
            for survives in survives {
                let store = restarted.crash(survives).open().await;
                let served = served(&store, &acknowledged).await;
                assert!(!served.contains(&false), "call {n}, {survives:?}");
                assert_eq!(store.stats().unwrap().damage, [], "call {n}, {survives:?}");
            }
            all_calls
        });
        n += 1;
        if n > all_calls {
            assert!(n > 20, "only {n} calls were made");
            return;
        }
    }
}

#[test]
fn whichever_call_to_the_files_fails_acknowledged_chunks_are_there() {
    fail_each(
        |world, n| world.files.faults().fail_after(n),
        |world| world.files.faults().calls(),
    );
}

#[test]
fn from_whichever_call_on_the_files_fail_acknowledged_chunks_are_there() {
    fail_each(
        |world, n| world.files.faults().fail_all_after(n),
        |world| world.files.faults().calls(),
    );
}

#[test]
fn whichever_call_to_the_index_fails_acknowledged_chunks_are_there() {
    fail_each(
        |world, n| world.index.faults().fail_after(n),
        |world| world.index.faults().calls(),
    );
}
