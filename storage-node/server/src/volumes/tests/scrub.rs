use std::sync::Arc;

use chunking::Chunk;
use runtime::{Files, Survives};
use storage_node_api::Timestamp;
use storage_node_api::scrub::Faults;

use super::world::{DOMAIN, NOW, World, all, chunk, run, served};
use crate::volumes::record::{BLOCK, HEADER_BYTES};
use crate::volumes::{Belongs, ChunkStore, Scrub};

const HEADER: u64 = HEADER_BYTES as u64;
const CHUNKS: u64 = 10;
/// The volumes' first, and the one that takes records.
const FIRST: &str = "vol-0000000000000001";

/// One pass: what it found, and how many chunks the index did not know.
async fn pass(store: &ChunkStore) -> (Faults, u64) {
    let belongs: Arc<Belongs> = Arc::new(|_, _| true);
    let mut scrub = Scrub::load(store.clone()).await.unwrap();
    scrub.begin(Timestamp(1)).await.unwrap();
    let mut faults = Faults::default();
    for _ in 0..1000 {
        let step = scrub.step(&belongs, Timestamp(2)).await.unwrap();
        faults.add(&step.faults);
        if step.ended {
            return (faults, scrub.unindexed());
        }
    }
    panic!("the pass does not end");
}

/// A store with ten chunks in two volumes, the last one sealed by the second.
async fn filled(world: &World) -> (ChunkStore, Vec<Chunk>) {
    let store = world.open().await;
    let chunks: Vec<Chunk> = (0..CHUNKS).map(|number| chunk(number, 900_000)).collect();
    for chunk in &chunks {
        store.put(NOW, DOMAIN, vec![chunk.clone()]).await.unwrap();
    }
    assert_eq!(store.stats().unwrap().last_volume, 2);
    (store, chunks)
}

fn expected(lost: &[usize]) -> Vec<bool> {
    (0..10).map(|number| !lost.contains(&number)).collect()
}

#[test]
fn what_is_intact_has_no_faults() {
    run(async {
        let world = World::new();
        assert_eq!(pass(&world.open().await).await, (Faults::default(), 0));
        let (store, chunks) = filled(&world).await;
        assert_eq!(pass(&store).await, (Faults::default(), 0));
        // Put again: the older record is not the chunk's any more.
        let (volume, offset) = world.find(&chunks[0]);
        world.flip(&volume, offset);
        assert_eq!(served(&store, &chunks).await, expected(&[0]));
        let put = store.put(NOW, DOMAIN, vec![chunks[0].clone()]);
        put.await.unwrap();
        assert_eq!(pass(&store).await, (Faults::default(), 0));
        assert_eq!(served(&store, &chunks).await, [true; 10]);
    });
}

/// Every part of every record: the scrub quarantines exactly that chunk, before
/// any read does, and once only.
#[test]
fn a_flipped_bit_anywhere_is_found_and_the_chunk_quarantined() {
    run(async {
        let world = World::new();
        drop(filled(&world).await);
        let chunks: Vec<Chunk> = (0..CHUNKS).map(|number| chunk(number, 900_000)).collect();
        for (number, at) in [
            (0, 0),
            (0, -96),
            (0, -1),
            (2, 450_000),
            (3, -80),
            (4, 899_999),
            (5, -20),
            (9, 899_999),
            (9, -96),
            (9, -4),
        ] {
            let world = world.crash(Survives::Everything);
            let store = world.open().await;
            let (volume, offset) = world.find(&chunks[number]);
            world.flip(&volume, offset.checked_add_signed(at).unwrap());
            let (faults, _) = pass(&store).await;
            let case = format!("chunk {number}, byte {at}: {faults:?}");
            if at < 0 {
                assert_eq!((faults.stretches, faults.entries), (1, 1), "{case}");
                assert_eq!(faults.records, 0, "{case}");
                assert_eq!(store.stats().unwrap().damage.len(), 1, "{case}");
            } else {
                assert_eq!((faults.records, faults.total()), (1, 1), "{case}");
            }
            assert_eq!(store.stats().unwrap().corrupt, 1, "{case}");
            let known = store.quarantined().await.unwrap();
            assert_eq!(known.len(), 1, "{case}");
            assert_eq!(known[0].id, chunks[number].id, "{case}");
            assert_eq!(served(&store, &chunks).await, expected(&[number]), "{case}");
            assert_eq!(pass(&store).await.0, Faults::default(), "{case}");
            drop(store);

            // A restart knows of it, and a new record ends it.
            let store = world.open().await;
            assert_eq!(store.quarantined().await.unwrap(), known, "{case}");
            let put = store.put(NOW, DOMAIN, vec![chunks[number].clone()]);
            put.await.unwrap();
            assert_eq!(store.quarantined().await.unwrap(), [], "{case}");
            assert_eq!(served(&store, &chunks).await, [true; 10], "{case}");
            assert_eq!(pass(&store).await.0, Faults::default(), "{case}");
        }
    });
}

#[test]
fn wiped_records_and_lost_volumes_are_found_through_the_index() {
    run(async {
        let world = World::new();
        let (store, chunks) = filled(&world).await;
        let of_first = (0..10).filter(|number| world.find(&chunks[*number]).0 == FIRST);
        let of_first: Vec<usize> = of_first.collect();
        assert!(of_first.len() >= 4 && of_first.contains(&2));
        let (volume, offset) = world.find(&chunks[2]);
        let file = world.files.open(&volume).unwrap();
        file.write_at(&vec![0; 8192], offset - HEADER).unwrap();
        let (faults, _) = pass(&store).await;
        // What is left of the payload is seen as well.
        assert_eq!((faults.entries, faults.stretches), (1, 1));
        assert_eq!(served(&store, &chunks).await, expected(&[2]));

        world.files.remove(FIRST).unwrap();
        let (faults, _) = pass(&store).await;
        assert_eq!(faults.entries, of_first.len() as u64 - 1);
        let known = store.quarantined().await.unwrap();
        assert_eq!(known.len(), of_first.len());
        assert_eq!(served(&store, &chunks).await, expected(&of_first));
    });
}

#[test]
fn a_lost_first_block_is_written_again() {
    run(async {
        let world = World::new();
        let (store, chunks) = filled(&world).await;
        let mut before = vec![0; usize::try_from(BLOCK).unwrap()];
        let file = world.files.open(FIRST).unwrap();
        file.read_at(&mut before, 0).unwrap();
        world.flip(FIRST, 50);
        let (faults, _) = pass(&store).await;
        assert_eq!((faults.first_blocks, faults.total()), (1, 1));
        let mut after = vec![0; before.len()];
        file.read_at(&mut after, 0).unwrap();
        assert_eq!(before, after);
        assert_eq!(pass(&store).await.0, Faults::default());
        drop(store);
        let store = world.without_index().open().await;
        assert_eq!(served(&store, &chunks).await, [true; 10]);
        assert_eq!(store.stats().unwrap().damage, []);
    });
}

#[test]
fn damage_is_known_to_a_later_start() {
    run(async {
        let world = World::new();
        let (store, chunks) = filled(&world).await;
        let (volume, offset) = world.find(&chunks[1]);
        world.flip(&volume, offset - HEADER + 20);
        pass(&store).await;
        let damage = store.stats().unwrap().damage;
        assert_eq!(damage.len(), 1);
        assert_eq!(damage[0].from, offset - HEADER);
        drop(store);
        let store = world.open().await;
        assert_eq!(store.stats().unwrap().damage, damage);
        assert_eq!(pass(&store).await.0, Faults::default());
        let known = all(&store);
        assert_eq!(known.iter().filter(|stored| !stored.intact).count(), 1);
    });
}

#[test]
fn chunks_that_the_index_does_not_know_are_counted() {
    run(async {
        let world = World::new();
        let (store, _) = filled(&world).await;
        drop(store);
        let mut entries = kv::Batch::new();
        let key = |end: u8| vec![b'c', end];
        entries.delete_range(crate::volumes::INDEX_FAMILY, key(0), key(0xff));
        let index: &dyn kv::KeyValue = &world.index;
        index.write(entries, kv::Durability::Buffered).unwrap();
        let store = world.open().await;
        assert_eq!(pass(&store).await, (Faults::default(), CHUNKS));
    });
}
