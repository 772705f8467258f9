use chunking::Chunk;
use runtime::{Files, Survives};
use storage_node_api::Generation;

use super::world::{DOMAIN, NOW, World, all, chunk, run, served};
use crate::volumes::record::{BLOCK, HEADER_BYTES};

const HEADER: u64 = HEADER_BYTES as u64;

/// Ten chunks, each put on its own.
async fn ten(world: &World) -> Vec<Chunk> {
    let store = world.open().await;
    let chunks: Vec<Chunk> = (0..10).map(|number| chunk(number, 3000)).collect();
    for chunk in &chunks {
        store.put(NOW, DOMAIN, vec![chunk.clone()]).await.unwrap();
    }
    chunks
}

fn all_but(lost: usize) -> Vec<bool> {
    (0..10).map(|number| number != lost).collect()
}

#[test]
fn a_flipped_bit_is_found_on_reading_and_the_chunk_can_be_put_again() {
    run(async {
        let world = World::new();
        let chunks = ten(&world).await;
        let (volume, offset) = world.find(&chunks[4]);
        let store = world.open().await;
        world.flip(&volume, offset + 1000);
        assert_eq!(served(&store, &chunks).await, all_but(4));
        assert_eq!(store.stats().unwrap().corrupt, 1);
        assert_eq!(store.stats().unwrap().chunks, 9);
        drop(store);

        // It stays so, with the index and without.
        let store = world.open().await;
        assert_eq!(served(&store, &chunks).await, all_but(4));
        let known = all(&store);
        assert_eq!(known.iter().filter(|stored| !stored.intact).count(), 1);
        let rebuilt = world.without_index();
        let again = rebuilt.open().await;
        assert_eq!(all(&again), known);
        assert_eq!(served(&again, &chunks).await, all_but(4));
        drop((store, again));

        let store = world.open().await;
        let put = store.put(NOW, DOMAIN, vec![chunks[4].clone()]);
        put.await.unwrap();
        assert_eq!(served(&store, &chunks).await, [true; 10]);
        assert_eq!(store.stats().unwrap().corrupt, 0);
        let known = all(&store);
        assert_eq!(all(&world.without_index().open().await), known);
    });
}

#[test]
fn a_bit_that_flips_after_the_first_read_is_found_by_the_crc() {
    run(async {
        let world = World::new();
        let chunks = ten(&world).await;
        let (volume, offset) = world.find(&chunks[4]);
        let store = world.open().await;
        assert_eq!(served(&store, &chunks).await, [true; 10]);
        world.flip(&volume, offset);
        assert_eq!(served(&store, &chunks).await, all_but(4));
    });
}

#[test]
fn a_lost_header_is_damage_and_not_a_tail() {
    run(async {
        let world = World::new();
        let chunks = ten(&world).await;
        let (volume, offset) = world.find(&chunks[4]);
        world.flip(&volume, offset - HEADER + 20);
        let rebuilt = world.without_index();
        let store = rebuilt.open().await;
        assert_eq!(served(&store, &chunks).await, all_but(4));
        let damage = store.stats().unwrap().damage;
        assert_eq!(damage.len(), 1);
        assert_eq!(damage[0].from, offset - HEADER);
        assert_eq!(damage[0].to, offset - HEADER + BLOCK);

        // The damaged volume takes no more.
        store
            .put(NOW, DOMAIN, vec![chunks[4].clone()])
            .await
            .unwrap();
        assert_eq!(served(&store, &chunks).await, [true; 10]);
        assert_eq!(store.stats().unwrap().last_volume, 2);
        drop(store);
        let store = rebuilt.open().await;
        assert_eq!(served(&store, &chunks).await, [true; 10]);
        assert_eq!(store.stats().unwrap().damage, damage);
        let known = all(&store);
        let store = rebuilt.without_index().open().await;
        assert_eq!(store.stats().unwrap().damage, damage);
        assert_eq!(all(&store), known);
    });
}

#[test]
fn records_that_were_wiped_are_noticed() {
    run(async {
        let world = World::new();
        let chunks = ten(&world).await;
        let (volume, offset) = world.find(&chunks[4]);
        let file = world.files.open(&volume).unwrap();
        let blank = vec![0; usize::try_from(BLOCK).unwrap()];
        file.write_at(&blank, offset - HEADER).unwrap();
        file.sync_data().unwrap();
        let store = world.without_index().open().await;
        assert_eq!(served(&store, &chunks).await, all_but(4));
        assert_eq!(store.stats().unwrap().damage.len(), 1);
    });
}

#[test]
fn a_volume_that_lost_its_end_is_noticed_if_the_index_knows_better() {
    run(async {
        let world = World::new();
        let chunks = ten(&world).await;
        let (volume, offset) = world.find(&chunks[9]);
        let file = world.files.open(&volume).unwrap();
        let length = file.len().unwrap();
        let blank = vec![0; 3000];
        file.write_at(&blank, offset - HEADER).unwrap();
        file.sync_data().unwrap();
        assert!(length > offset + 3000);
        // The checkpoint lies behind the record: reading finds it out.
        let store = world.open().await;
        assert_eq!(served(&store, &chunks).await, all_but(9));
        assert_eq!(store.stats().unwrap().corrupt, 1);
    });
}

#[test]
fn a_lost_first_block_costs_no_records() {
    run(async {
        let world = World::new();
        let chunks = ten(&world).await;
        world.flip("vol-0000000000000001", 50);
        for world in [world.clone(), world.without_index()] {
            let store = world.open().await;
            assert_eq!(served(&store, &chunks).await, [true; 10]);
            store.put(NOW, DOMAIN, vec![chunk(77, 77)]).await.unwrap();
            assert_eq!(store.stats().unwrap().last_volume, 2);
            drop(store);
            // Again for the other index.
            world.files.remove("vol-0000000000000002").unwrap();
        }
    });
}

#[test]
fn a_chunk_that_looks_like_records_is_only_a_chunk() {
    run(async {
        let world = World::new();
        let chunks = ten(&world).await;
        // A copy of the volume's own beginning, as a chunk of the volume.
        let (volume, _) = world.find(&chunks[0]);
        let mut bytes = vec![0; 40_000];
        let file = world.files.open(&volume).unwrap();
        file.read_at(&mut bytes, 0).unwrap();
        let id = chunking::ChunkId::of(&bytes);
        let bytes = bytes.into();
        let copy = Chunk { id, bytes };
        let store = world.open().await;
        store.put(NOW, DOMAIN, vec![copy.clone()]).await.unwrap();
        store.put(NOW, DOMAIN, vec![chunk(50, 50)]).await.unwrap();
        drop(store);
        let (volume, offset) = world.find(&copy);
        world.flip(&volume, offset - HEADER);
        let store = world.without_index().open().await;
        assert_eq!(served(&store, &chunks).await, [true; 10]);
        assert_eq!(served(&store, &[copy, chunk(50, 50)]).await, [false, true]);
        let damage = store.stats().unwrap().damage;
        assert_eq!(damage.len(), 1, "{damage:?}");
    });
}

/// The last put of a volume, torn at every block: it is cut, without a report,
/// and what was acknowledged before and after stays.
#[test]
fn a_torn_tail_is_cut() {
    run(async {
        let world = World::new();
        let chunks = ten(&world).await;
        let before = World {
            files: world.files.crash(Survives::Nothing),
            index: world.index.crash(Survives::Everything),
        };
        let store = before.open().await;
        let tail: Vec<Chunk> = (100..104).map(|number| chunk(number, 9000)).collect();
        store.put(NOW, DOMAIN, tail.clone()).await.unwrap();
        drop(store);
        let (volume, offset) = before.find(&tail[0]);
        let start = offset - HEADER;
        let mut bytes = vec![0; 40_000];
        let file = before.files.open(&volume).unwrap();
        file.read_at(&mut bytes, start).unwrap();
        for torn in 0..9 {
            // Only one block of the group, or all but one, reached the disk.
            for only in [true, false] {
                let world = World {
                    files: before.files.crash(Survives::Nothing),
                    index: World::new().index,
                };
                let file = world.files.open(&volume).unwrap();
                for (block, content) in bytes.chunks(4096).enumerate() {
                    if (block == torn) != only {
                        let at = start + block as u64 * BLOCK;
                        file.write_at(&vec![0; content.len()], at).unwrap();
                    }
                }
                file.sync_data().unwrap();
                let store = world.open().await;
                assert_eq!(served(&store, &chunks).await, [true; 10]);
                let stats = store.stats().unwrap();
                assert_eq!((stats.damage, stats.corrupt), (vec![], 0), "block {torn}");
                let more = chunk(7, 9000);
                let put = store.put(Generation(2), DOMAIN, vec![more.clone()]);
                put.await.unwrap();
                drop(store);
                let store = world.without_index().open().await;
                assert_eq!(served(&store, &chunks).await, [true; 10]);
                assert_eq!(served(&store, &[more]).await, [true]);
                assert_eq!(store.stats().unwrap().damage, []);
                assert_eq!(store.stats().unwrap().last_volume, 1);
            }
        }
    });
}
