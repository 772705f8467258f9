use chunking::Chunk;
use runtime::{Files, Survives};
use storage_node_api::Generation;

use super::world::{DOMAIN, NOW, World, all, chunk, run, served};

#[test]
fn an_index_made_anew_equals_the_one_that_grew() {
    run(async {
        let world = World::new();
        let store = world.open().await;
        let mut chunks = Vec::new();
        for round in 0..12 {
            let some: Vec<Chunk> = (0..5)
                .map(|part| chunk(round * 3 + part, 40_000 * (part as usize + 1)))
                .collect();
            let generation = Generation(round % 4);
            store.put(generation, DOMAIN, some.clone()).await.unwrap();
            chunks.extend(some);
            let ids = [chunks[0].id, chunks[chunks.len() / 2].id];
            let generation = Generation(round);
            store.presence(generation, DOMAIN, &ids).await.unwrap();
        }
        let grown = all(&store);
        let stats = store.stats().unwrap();
        assert!(stats.last_volume >= 2, "{stats:?}");
        drop(store);
        let store = world.without_index().open().await;
        assert_eq!(all(&store), grown);
        assert_eq!(store.stats().unwrap().chunks, stats.chunks);
        assert_eq!(store.stats().unwrap().bytes, stats.bytes);
        assert_eq!(served(&store, &chunks).await, vec![true; chunks.len()]);
        // Opened with its index, it reads nothing twice.
        drop(store);
        assert_eq!(all(&world.open().await), grown);
    });
}

#[test]
fn an_index_that_lags_is_brought_up_to_date() {
    run(async {
        let world = World::new();
        let store = world.open().await;
        let chunks: Vec<Chunk> = (0..30).map(|number| chunk(number, 300_000)).collect();
        let mut old_indexes = vec![world.index.crash(Survives::Everything)];
        drop(store);
        for (number, chunk) in chunks.iter().enumerate() {
            let index = old_indexes[old_indexes.len() - 1].crash(Survives::Everything);
            let files = world.files.clone();
            let world = World { files, index };
            let store = world.open().await;
            store.put(NOW, DOMAIN, vec![chunk.clone()]).await.unwrap();
            if number % 7 == 0 {
                old_indexes.push(world.index.clone());
            } else {
                let last = old_indexes.len() - 1;
                old_indexes[last] = world.index.clone();
            }
        }
        let full = World {
            files: world.files.clone(),
            index: old_indexes[old_indexes.len() - 1].crash(Survives::Everything),
        };
        let expected = all(&full.open().await);
        for index in old_indexes {
            let lagging = World {
                files: world.files.clone(),
                index: index.crash(Survives::Nothing),
            };
            let store = lagging.open().await;
            assert_eq!(all(&store), expected);
            assert_eq!(served(&store, &chunks).await, vec![true; 30]);
        }
    });
}

#[test]
fn an_index_of_other_volumes_is_not_believed() {
    run(async {
        let one = World::new();
        let chunks = [chunk(1, 100), chunk(2, 100)];
        let store = one.open().await;
        store
            .put(NOW, DOMAIN, vec![chunks[0].clone()])
            .await
            .unwrap();
        drop(store);
        let empty = World {
            files: World::new().files,
            index: one.index.clone(),
        };
        let store = empty.open().await;
        assert_eq!(served(&store, &chunks).await, [false, false]);
        store
            .put(NOW, DOMAIN, vec![chunks[1].clone()])
            .await
            .unwrap();
        assert_eq!(served(&store, &chunks).await, [false, true]);
        drop(store);

        // The files of an older copy under a newer index.
        let older = one.files.crash(Survives::Nothing);
        let store = World {
            files: older.clone(),
            ..World::new()
        };
        let store = store.open().await;
        store
            .put(NOW, DOMAIN, vec![chunk(3, 3_000_000 / 3)])
            .await
            .unwrap();
        drop(store);
        let file = older.open("vol-0000000000000001").unwrap();
        file.set_len(5000).unwrap();
        let store = World {
            files: older,
            index: empty.index.clone(),
        };
        let store = store.open().await;
        assert_eq!(served(&store, &chunks).await, [true, false]);
    });
}
