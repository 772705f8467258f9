use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use chunking::{Chunk, ChunkId, ChunkRef, MAX_CHUNK_BYTES};
use kv::Memory;
use runtime::{Files, HookedFiles, MemoryFiles, Runtime};
use storage_node_api::{DedupDomain, Generation, NodeId};

use super::watched::Watch;
use super::world::{DOMAIN, IDENTITY, NOW, World, all, chunk, config, reference, run, served};
use crate::volumes::{
    ChunkStore, Config, INDEX_FAMILY, Identity, Metrics, OpenError, StoreError, Verify,
};

#[test]
fn what_is_put_is_served_in_its_domain_only() {
    run(async {
        let store = World::new().open().await;
        let chunks: Vec<Chunk> = [1, 63, 64, 65, 4096, MAX_CHUNK_BYTES]
            .iter()
            .zip(0..)
            .map(|(length, number)| chunk(number, *length))
            .collect();
        store.put(NOW, DOMAIN, chunks.clone()).await.unwrap();
        assert_eq!(served(&store, &chunks).await, [true; 6]);
        assert_eq!(served(&store, &[chunk(99, 10)]).await, [false]);

        let elsewhere = store
            .get(DedupDomain(8), &[reference(&chunks[0])])
            .await
            .unwrap();
        assert_eq!(elsewhere, [None]);
        let other_length = ChunkRef {
            id: chunks[0].id,
            length: 2,
        };
        assert_eq!(store.get(DOMAIN, &[other_length]).await.unwrap(), [None]);
        assert_eq!(
            store.get(DOMAIN, &[]).await.unwrap(),
            Vec::<Option<Bytes>>::new()
        );

        let stats = store.stats().unwrap();
        assert_eq!((stats.chunks, stats.corrupt, stats.last_volume), (6, 0, 1));
        let bytes: usize = chunks.iter().map(|chunk| chunk.bytes.len()).sum();
        assert_eq!(stats.bytes, bytes as u64);
        assert_eq!(all(&store).len(), 6);
    });
}

#[test]
fn bytes_that_are_not_the_chunk_are_refused() {
    run(async {
        let store = World::new().open().await;
        let put = |id: ChunkId, bytes: Vec<u8>| {
            let bytes = Bytes::from(bytes);
            store.put(NOW, DOMAIN, vec![chunk(1, 10), Chunk { id, bytes }])
        };
        let id = ChunkId::of(b"right");
        let refused = put(id, b"wrong".to_vec()).await;
        assert!(matches!(refused, Err(StoreError::Mismatch { chunk }) if chunk == id));
        let refused = put(ChunkId::of(b""), Vec::new()).await;
        assert!(matches!(refused, Err(StoreError::Size { bytes: 0, .. })));
        let refused = put(id, vec![0; MAX_CHUNK_BYTES + 1]).await;
        assert!(matches!(refused, Err(StoreError::Size { .. })));
        assert_eq!(store.stats().unwrap().chunks, 0);
    });
}

#[test]
fn a_chunk_is_stored_once_however_often_it_is_put() {
    run(async {
        let world = World::new();
        let store = world.open().await;
        let one = chunk(1, 100_000);
        let put = |times: usize| store.put(NOW, DOMAIN, vec![one.clone(); times]);
        put(3).await.unwrap();
        let (a, b, c) = tokio::join!(put(1), put(2), put(1));
        assert!(a.is_ok() && b.is_ok() && c.is_ok());
        let other = store.put(NOW, DedupDomain(8), vec![one.clone()]);
        other.await.unwrap();
        drop(store);
        let file = world.files.open("vol-0000000000000001").unwrap();
        let mut bytes = vec![0; 1 << 20];
        file.read_at(&mut bytes, 0).unwrap();
        let copies = bytes
            .windows(32)
            .filter(|window| *window == &one.bytes[..32]);
        assert_eq!(copies.count(), 2, "one in each domain");
    });
}

#[test]
fn touches_only_rise_and_survive_a_new_start() {
    run(async {
        let world = World::new();
        let store = world.open().await;
        let (one, two) = (chunk(1, 10), chunk(2, 20));
        let put = |generation, chunk: &Chunk| {
            store.put(Generation(generation), DOMAIN, vec![chunk.clone()])
        };
        put(5, &one).await.unwrap();
        put(5, &two).await.unwrap();
        let ids = [one.id, ChunkId::of(b"none"), two.id];
        let held = store.presence(Generation(4), DOMAIN, &ids).await.unwrap();
        assert_eq!(held, [true, false, true]);
        put(7, &two).await.unwrap();
        put(6, &two).await.unwrap();
        let held = store.presence(Generation(6), DOMAIN, &ids).await.unwrap();
        assert_eq!(held, [true, false, true]);
        let touched = |store: &ChunkStore| {
            let mut touched: Vec<(u32, u64)> = all(store)
                .iter()
                .map(|stored| (stored.chunk.length, stored.touched.0))
                .collect();
            touched.sort_unstable();
            touched
        };
        assert_eq!(touched(&store), [(10, 6), (20, 7)]);
        drop(store);
        assert_eq!(touched(&world.open().await), [(10, 6), (20, 7)]);
        let rebuilt = world.without_index().open().await;
        assert_eq!(touched(&rebuilt), [(10, 6), (20, 7)]);
    });
}

#[test]
fn a_nearly_full_disk_refuses_puts_and_serves_reads() {
    run(async {
        let world = World::new();
        let config = Config {
            reserve_bytes: 1 << 20,
            ..config()
        };
        let files = Arc::new(world.files.clone());
        world.files.set_capacity(4 << 20);
        let store = world.open_on(files, config).await.unwrap();
        let mut kept = Vec::new();
        let refused = loop {
            let next = chunk(kept.len() as u64, 200_000);
            match store.put(NOW, DOMAIN, vec![next.clone()]).await {
                Ok(()) => kept.push(next),
                Err(error) => break error,
            }
            assert!(kept.len() < 30);
        };
        assert!(matches!(refused, StoreError::Full));
        assert!(kept.len() > 5);
        let stats = store.stats().unwrap();
        assert!(stats.full && !stats.failing);
        assert_eq!(served(&store, &kept).await, vec![true; kept.len()]);
        // What is there can be touched.
        let held = store.presence(Generation(9), DOMAIN, &[kept[0].id]).await;
        assert_eq!(held.unwrap(), [true]);

        world.files.set_capacity(100 << 20);
        store.put(NOW, DOMAIN, vec![chunk(1000, 10)]).await.unwrap();
    });
}

#[test]
fn a_disk_that_fills_up_without_warning_loses_nothing() {
    run(async {
        let world = World::new();
        let store = world.open().await;
        world.files.set_capacity(6_500_000);
        let mut kept = Vec::new();
        loop {
            let next: Vec<Chunk> = (0..3)
                .map(|part| chunk(kept.len() as u64 + part, 190_000))
                .collect();
            match store.put(NOW, DOMAIN, next.clone()).await {
                Ok(()) => kept.extend(next),
                Err(error) => {
                    assert!(matches!(error, StoreError::Full));
                    break;
                }
            }
        }
        assert_eq!(served(&store, &kept).await, vec![true; kept.len()]);
        world.files.set_capacity(20 << 20);
        let more = chunk(1 << 40, 900_000);
        store.put(NOW, DOMAIN, vec![more.clone()]).await.unwrap();
        kept.push(more);
        drop(store);
        let store = world.without_index().open().await;
        assert_eq!(served(&store, &kept).await, vec![true; kept.len()]);
        assert_eq!(store.stats().unwrap().damage, []);
    });
}

#[test]
fn volumes_of_others_are_refused() {
    run(async {
        let world = World::new();
        let store = world.open().await;
        store.put(NOW, DOMAIN, vec![chunk(1, 10)]).await.unwrap();
        drop(store);
        let identity = Identity {
            node: NodeId(4),
            ..IDENTITY
        };
        let opened = ChunkStore::open(
            Arc::new(world.files.clone()),
            Arc::new(world.index.clone()),
            identity,
            config().validate().unwrap(),
            None,
            Runtime::simulated(1).0,
            Metrics::default(),
        );
        assert!(matches!(opened.await, Err(OpenError::Foreign { .. })));
        let file = world.files.open("vol-0000000000000001").unwrap();
        file.write_at(&[2], 8).unwrap();
        let opened = world.try_open().await;
        assert!(matches!(opened, Err(OpenError::Newer { format: 2, .. })));
    });
}

#[test]
fn a_store_on_real_files_serves_after_it_is_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let chunks: Vec<Chunk> = (0..40).map(|number| chunk(number, 250_000)).collect();
    let index = Memory::new(&[INDEX_FAMILY]);
    for round in 0..3 {
        let files = runtime::RealFiles::open(directory.path()).unwrap();
        let index = if round < 2 {
            index.clone()
        } else {
            Memory::new(&[INDEX_FAMILY])
        };
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_time()
            .build()
            .unwrap();
        tokio.block_on(async {
            let store = ChunkStore::open(
                Arc::new(files),
                Arc::new(index),
                IDENTITY,
                Config {
                    verify: Verify::Always,
                    ..config()
                }
                .validate()
                .unwrap(),
                None,
                Runtime::real(),
                Metrics::default(),
            );
            let store = store.await.unwrap();
            if round == 0 {
                let puts = chunks.iter().map(|chunk| {
                    let store = store.clone();
                    let chunk = chunk.clone();
                    tokio::spawn(async move { store.put(NOW, DOMAIN, vec![chunk]).await })
                });
                for put in puts.collect::<Vec<_>>() {
                    put.await.unwrap().unwrap();
                }
            }
            assert_eq!(served(&store, &chunks).await, vec![true; 40]);
            assert!(store.stats().unwrap().last_volume >= 2);
        });
    }
}

#[test]
fn many_puts_share_a_sync() {
    const PUTS: u64 = 200;
    let files: Arc<dyn Files> = Arc::new(MemoryFiles::new());
    let watch = Arc::new(Watch {
        sync_takes: Duration::from_millis(2),
        ..Watch::default()
    });
    let watched = Arc::new(HookedFiles::new(files, watch.clone()));
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    tokio.block_on(async {
        let metrics = Metrics::default();
        let store = ChunkStore::open(
            watched,
            Arc::new(Memory::new(&[INDEX_FAMILY])),
            IDENTITY,
            config().validate().unwrap(),
            None,
            Runtime::real(),
            metrics.clone(),
        );
        let store = store.await.unwrap();
        let before = watch.syncs.load(Ordering::Relaxed);
        let puts: Vec<_> = (0..PUTS)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move { store.put(NOW, DOMAIN, vec![chunk(number, 5000)]).await })
            })
            .collect();
        for put in puts {
            put.await.unwrap().unwrap();
        }
        let syncs = watch.syncs.load(Ordering::Relaxed) - before;
        assert!(
            syncs > 0 && syncs < PUTS / 4,
            "{syncs} syncs of {PUTS} puts"
        );
        // One more makes the volume.
        assert_eq!(metrics.syncs.get() + 1, syncs);
        assert_eq!(metrics.appended.get(), PUTS);
    });
}
