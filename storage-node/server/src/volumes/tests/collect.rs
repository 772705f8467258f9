use chunking::{Chunk, ChunkId};
use runtime::{Files, Survives};
use storage_node_api::Generation;

use super::world::{DOMAIN, NOW, World, all, chunk, run, served};
use crate::volumes::{ChunkStore, Compacted, Dropped, Pace, StoreError};

/// The generation whose sweep drops what was touched at [`NOW`].
const NEXT: Generation = Generation(2);
const CHUNK_BYTES: usize = 900_000;
const PACE: Pace = Pace {
    dead_percent: 50,
    bytes_per_second: None,
};

fn ids(chunks: &[Chunk]) -> Vec<ChunkId> {
    chunks.iter().map(|chunk| chunk.id).collect()
}

fn volumes(world: &World) -> usize {
    world.files.list("").unwrap().len()
}

/// A store with many volumes, and its chunks: every sixth is to stay, and was
/// touched in the next generation from the last volume.
async fn filled(world: &World, count: u64) -> (ChunkStore, Vec<Chunk>, Vec<Chunk>) {
    let store = world.open().await;
    let chunks: Vec<Chunk> = (0..count).map(|n| chunk(n, CHUNK_BYTES)).collect();
    for chunk in &chunks {
        store.put(NOW, DOMAIN, vec![chunk.clone()]).await.unwrap();
    }
    let (live, dead): (Vec<_>, Vec<_>) = (0..).zip(chunks).partition(|(n, _)| n % 6 == 0);
    let strip = |chunks: Vec<(u64, Chunk)>| chunks.into_iter().map(|(_, chunk)| chunk).collect();
    let (live, dead): (Vec<Chunk>, Vec<Chunk>) = (strip(live), strip(dead));
    let held = store.presence(NEXT, DOMAIN, &ids(&live)).await.unwrap();
    assert!(held.into_iter().all(|held| held));
    (store, live, dead)
}

/// Drops everything that was not touched, and compacts until nothing is left to.
async fn collect(store: &ChunkStore) -> Result<(Dropped, Compacted), StoreError> {
    let every = all(store).into_iter().map(|stored| stored.chunk.id);
    let dropped = store.drop_untouched(NEXT, DOMAIN, every.collect()).await?;
    let mut sum = Compacted::default();
    for _ in 0..10 {
        let pass = store.compact(PACE).await?;
        if pass.volumes == 0 {
            return Ok((dropped, sum));
        }
        sum.volumes += pass.volumes;
        sum.freed_bytes += pass.freed_bytes;
        sum.moved_bytes += pass.moved_bytes;
    }
    panic!("compaction does not end");
}

#[test]
fn what_is_not_touched_goes_and_its_bytes_are_freed() {
    run(async {
        let world = World::new();
        let (store, live, dead) = filled(&world, 40).await;
        let before = volumes(&world);
        let (dropped, compacted) = collect(&store).await.unwrap();
        let bytes = (dead.len() * CHUNK_BYTES) as u64;
        let chunks = dead.len() as u64;
        assert_eq!(dropped, Dropped { chunks, bytes });
        assert!(compacted.freed_bytes > bytes * 9 / 10, "{compacted:?}");
        assert!(volumes(&world) <= 4 && before >= 8, "{before} volumes");
        let stats = store.stats().unwrap();
        assert_eq!(stats.chunks, live.len() as u64);
        drop(store);
        // The same by the index as it is and by one made anew, touches included.
        let copy = || world.crash(Survives::Everything);
        for world in [copy(), copy().without_index()] {
            let store = world.open().await;
            assert_eq!(served(&store, &live).await, vec![true; live.len()]);
            assert_eq!(served(&store, &dead).await, vec![false; dead.len()]);
            let touched = all(&store).into_iter().map(|stored| stored.touched);
            assert!(touched.into_iter().all(|touched| touched == NEXT));
            // What was dropped can be put again, and stays.
            store.put(NEXT, DOMAIN, dead[..1].to_vec()).await.unwrap();
            collect(&store).await.unwrap();
            assert_eq!(served(&store, &dead[..2]).await, [true, false]);
        }
    });
}

#[test]
fn a_failure_anywhere_loses_nothing_that_is_live() {
    run(async {
        let mut finished = 0;
        for calls in 0..400 {
            let world = World::new();
            let (store, live, dead) = filled(&world, 13).await;
            if calls % 2 == 0 {
                world.files.faults().fail_after(calls / 2);
            } else {
                world.files.faults().fail_all_after(calls / 2);
            }
            let collected = collect(&store).await;
            drop(store);
            world.files.faults().heal();
            // Two calls in a row fail in the two ways at the same point.
            let ways = [
                Survives::Nothing,
                Survives::Everything,
                Survives::Random(calls),
            ];
            for survives in ways
                .into_iter()
                .skip(usize::try_from(calls / 2 % 3).unwrap())
                .take(1)
            {
                let crashed = world.crash(survives);
                for world in [crashed.clone(), crashed.without_index()] {
                    let store = world.open().await;
                    let all_served = vec![true; live.len()];
                    assert_eq!(served(&store, &live).await, all_served, "call {calls}");
                    // What was begun is finished by the next cycle.
                    collect(&store).await.unwrap();
                    assert_eq!(served(&store, &live).await, all_served, "call {calls}");
                    assert_eq!(served(&store, &dead).await, vec![false; dead.len()]);
                    assert!(volumes(&world) <= 2, "call {calls}");
                }
            }
            finished += u32::from(collected.is_ok());
            if finished > 2 {
                break;
            }
        }
        assert!(finished > 2, "collection takes more calls than were tried");
    });
}

#[test]
fn a_presence_answer_and_a_drop_have_an_order() {
    run(async {
        let world = World::new();
        let store = world.open().await;
        let (mut kept, mut gone) = (0, 0);
        for number in 0..40 {
            let chunk = chunk(number, 1000);
            let put = store.put(NOW, DOMAIN, vec![chunk.clone()]);
            put.await.unwrap();
            let ids = vec![chunk.id];
            let presence = store.presence(NEXT, DOMAIN, &ids);
            let drop = async {
                for _ in 0..number {
                    tokio::task::yield_now().await;
                }
                store.drop_untouched(NEXT, DOMAIN, ids.clone()).await
            };
            let (held, dropped) = if number % 2 == 0 {
                tokio::join!(presence, drop)
            } else {
                let (dropped, held) = tokio::join!(drop, presence);
                (held, dropped)
            };
            let (held, dropped) = (held.unwrap()[0], dropped.unwrap().chunks == 1);
            assert_ne!(held, dropped, "said to be held, and dropped");
            assert_eq!(served(&store, &[chunk]).await, [held]);
            kept += u32::from(held);
            gone += u32::from(dropped);
        }
        assert!(kept > 0, "no presence answer came first");
        assert!(gone > 0, "no drop came first");
    });
}

#[test]
fn reads_go_on_while_volumes_go() {
    run(async {
        let world = World::new();
        let (store, live, _) = filled(&world, 40).await;
        let reads = async {
            for _ in 0..200 {
                assert_eq!(served(&store, &live).await, vec![true; live.len()]);
                tokio::task::yield_now().await;
            }
        };
        let (collected, ()) = tokio::join!(collect(&store), reads);
        assert!(collected.unwrap().1.volumes > 4);
    });
}

#[test]
fn a_volume_with_a_corrupt_chunk_waits_for_repair() {
    run(async {
        let world = World::new();
        let (store, live, _) = filled(&world, 13).await;
        let (volume, offset) = world.find(&live[0]);
        world.flip(&volume, offset);
        collect(&store).await.unwrap();
        assert!(world.files.list("").unwrap().contains(&volume));
        let mut expected = vec![true; live.len()];
        expected[0] = false;
        assert_eq!(served(&store, &live).await, expected);
        store.put(NEXT, DOMAIN, live[..1].to_vec()).await.unwrap();
        collect(&store).await.unwrap();
        assert!(!world.files.list("").unwrap().contains(&volume));
        assert_eq!(served(&store, &live).await, vec![true; live.len()]);
    });
}
