use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chunking::{Chunk, ChunkId};
use objects::{MemoryObjects, Meta, ObjectError, Objects, Upload};
use runtime::{Files, ManualClock, Runtime, Survives, Timestamp};
use storage_node_api::Generation;
use storage_node_api::NodeId;

use super::world::{DOMAIN, IDENTITY, NOW, World, all, chunk, config, reference, run, served};
use crate::volumes::cold::{self, Cooled, directory_of};
use crate::volumes::{
    Belongs, ChunkStore, ColdStore, Metrics, OpenError, Pace, Scrub, StoreError, VolumeId,
};

const NEXT: Generation = Generation(2);
const CHUNK_BYTES: usize = 900_000;

/// Everything that is sealed goes at once.
fn at_once() -> cold::Config {
    cold::Config {
        local_bytes: 0,
        after_seconds: 0,
        bytes_per_second: u64::MAX,
        cache_bytes: 3 << 20,
        readers: 4,
        ..cold::Config::default()
    }
}

/// A disk and a bucket.
#[derive(Clone, Debug)]
struct Place {
    disk: World,
    bucket: MemoryObjects,
    config: cold::Config,
}

impl Place {
    fn new() -> Self {
        Self {
            disk: World::new(),
            bucket: MemoryObjects::new(),
            config: at_once(),
        }
    }

    async fn try_open(&self) -> Result<(ChunkStore, ManualClock), OpenError> {
        self.open_on(Arc::new(self.bucket.clone())).await
    }

    async fn open(&self) -> ChunkStore {
        self.try_open().await.unwrap().0
    }

    async fn open_on(
        &self,
        objects: Arc<dyn Objects>,
    ) -> Result<(ChunkStore, ManualClock), OpenError> {
        static STARTS: AtomicU64 = AtomicU64::new(1 << 32);
        let (runtime, clock) = Runtime::simulated(STARTS.fetch_add(1, Ordering::Relaxed));
        clock.advance(Duration::from_secs(1));
        let cold = ColdStore {
            objects,
            config: self.config.clone().validate().unwrap(),
            metrics: cold::Metrics::default(),
        };
        let (files, index) = (self.disk.files.clone(), self.disk.index.clone());
        let (config, metrics) = (config().validate().unwrap(), Metrics::default());
        let opened = ChunkStore::open(
            Arc::new(files),
            Arc::new(index),
            IDENTITY,
            config,
            Some(cold),
            runtime,
            metrics,
        );
        Ok((opened.await?, clock))
    }

    /// The power fails; the bucket is elsewhere.
    fn crash(&self, survives: Survives) -> Self {
        Self {
            disk: self.disk.crash(survives),
            bucket: self.bucket.clone(),
            config: self.config.clone(),
        }
    }

    fn without_index(&self) -> Self {
        Self {
            disk: self.disk.without_index(),
            ..self.clone()
        }
    }

    fn volumes_on_disk(&self) -> usize {
        let names = self.disk.files.list("").unwrap();
        names
            .iter()
            .filter(|name| VolumeId::of_file(name).is_some())
            .count()
    }

    /// Objects but for the mark.
    fn objects(&self) -> Vec<String> {
        let mut names = self.bucket.names();
        names.retain(|name| !name.ends_with("/mark"));
        names
    }

    /// Tickets that say that an object is there.
    fn tickets(&self) -> BTreeSet<String> {
        let names = self.disk.files.list("").unwrap().into_iter();
        let below = directory_of(IDENTITY.cluster, IDENTITY.node);
        let object = |name: String| {
            let words: Vec<&str> = name.split('-').collect();
            (words[0] == "cold").then(|| format!("{below}/{}-{}", words[1], words[3]))
        };
        names.filter_map(object).collect()
    }
}

async fn put_all(store: &ChunkStore, chunks: &[Chunk]) {
    for chunk in chunks {
        store.put(NOW, DOMAIN, vec![chunk.clone()]).await.unwrap();
    }
}

fn chunks(count: u64) -> Vec<Chunk> {
    (0..count).map(|n| chunk(n, CHUNK_BYTES)).collect()
}

fn ids(chunks: &[Chunk]) -> Vec<ChunkId> {
    chunks.iter().map(|chunk| chunk.id).collect()
}

/// Rounds until one does nothing.
async fn cool(store: &ChunkStore) -> Cooled {
    let mut sum = Cooled::default();
    for _ in 0..20 {
        let round = store.cool().await;
        if round == Cooled::default() {
            return sum;
        }
        sum.uploaded += round.uploaded;
        sum.left += round.left;
        sum.returned += round.returned;
        sum.deleted += round.deleted;
        if !round.pause.is_zero() {
            return sum;
        }
    }
    panic!("the cold tier never rests: {sum:?}");
}

async fn serves(store: &ChunkStore, chunks: &[Chunk], expected: bool, why: &str) {
    let served = served(store, chunks).await;
    assert_eq!(served, vec![expected; chunks.len()], "{why}");
}

#[test]
fn sealed_volumes_go_to_the_store_and_are_read_from_it() {
    run(async {
        let place = Place::new();
        let store = place.open().await;
        let chunks = chunks(23);
        put_all(&store, &chunks).await;
        let before = place.volumes_on_disk();
        let cooled = cool(&store).await;
        assert!(
            cooled.uploaded >= 4 && cooled.uploaded == cooled.left,
            "{cooled:?}"
        );
        assert_eq!(place.volumes_on_disk() as u64, before as u64 - cooled.left);
        assert!(place.volumes_on_disk() <= 1, "the last one stays");
        serves(&store, &chunks, true, "from the store").await;
        let (count, stats) = (chunks.len() as u64, store.stats().unwrap());
        assert_eq!((stats.chunks, stats.damage), (count, vec![]));
        drop(store);
        let crashed = place.crash(Survives::Nothing);
        serves(&crashed.open().await, &chunks, true, "after a crash").await;
        let again = crashed.crash(Survives::Everything).without_index();
        serves(&again.open().await, &chunks, true, "by an index made anew").await;
    });
}

/// The steps of a life: fills volumes, lets them go cold, reads, drops most, compacts. Returns the
/// chunks that must be there whatever happened.
async fn live(store: &ChunkStore, all: &[Chunk]) -> Vec<Chunk> {
    let mut acknowledged = Vec::new();
    for chunk in all {
        if store.put(NOW, DOMAIN, vec![chunk.clone()]).await.is_ok() {
            acknowledged.push(chunk.clone());
        }
    }
    store.cool().await;
    let (live, dead): (Vec<_>, Vec<_>) = (0..).zip(&acknowledged).partition(|(n, _)| n % 4 == 0);
    let strip = |part: Vec<(usize, &Chunk)>| -> Vec<Chunk> {
        part.into_iter().map(|(_, chunk)| chunk.clone()).collect()
    };
    let (live, dead) = (strip(live), strip(dead));
    // Only what was pinned is to stay.
    if store.presence(NEXT, DOMAIN, &ids(&live)).await.is_err() {
        return acknowledged;
    }
    let gone = store.drop_untouched(NEXT, DOMAIN, ids(&dead)).await;
    drop(gone);
    let pace = Pace {
        dead_percent: 50,
        bytes_per_second: None,
    };
    drop(store.compact(pace).await);
    store.cool().await;
    live
}

/// What all of it must come to in the end, by whatever way.
async fn ends_well(place: &Place, live: &[Chunk], why: &str) {
    let store = place.open().await;
    serves(&store, live, true, why).await;
    cool(&store).await;
    serves(&store, live, true, why).await;
    assert_eq!(store.stats().unwrap().damage, [], "{why}");
    let objects: BTreeSet<String> = place.objects().into_iter().collect();
    assert_eq!(
        objects,
        place.tickets(),
        "objects are what tickets name: {why}"
    );
    assert!(place.volumes_on_disk() <= 1, "{why}");
}

/// Runs a life with the n-th call of the disk or the bucket failing, or all from it on, for every
/// n, then cuts the power and opens what is left.
fn fail_each(stride: u64, schedule: impl Fn(&Place, u64), calls: impl Fn(&Place) -> u64) {
    let all = chunks(17);
    let mut n = 0;
    loop {
        let made = run(async {
            let place = Place::new();
            schedule(&place, n);
            let live = match place.try_open().await {
                Ok((store, _clock)) => live(&store, &all).await,
                Err(_) => Vec::new(),
            };
            let made = calls(&place);
            place.disk.files.faults().heal();
            place.bucket.faults().heal();
            place.bucket.late().heal();
            let survives = match n % 3 {
                0 => Survives::Nothing,
                1 => Survives::Everything,
                _ => Survives::Random(n),
            };
            let crashed = place.crash(survives);
            let crashed = if n % 5 == 0 {
                crashed.without_index()
            } else {
                crashed
            };
            ends_well(&crashed, &live, &format!("call {n}, {survives:?}")).await;
            made
        });
        if made <= n {
            assert!(n > 20, "only {made} calls were made");
            return;
        }
        n += stride;
    }
}

#[test]
fn whichever_call_to_the_disk_fails_nothing_is_lost() {
    fail_each(
        3,
        |place, n| place.disk.files.faults().fail_after(n),
        |place| place.disk.files.faults().calls(),
    );
}

#[test]
fn at_whichever_call_to_the_disk_the_power_fails_nothing_is_lost() {
    fail_each(
        3,
        |place, n| place.disk.files.faults().fail_all_after(n),
        |place| place.disk.files.faults().calls(),
    );
}

#[test]
fn whichever_call_to_the_store_fails_nothing_is_lost() {
    fail_each(
        1,
        |place, n| place.bucket.faults().fail_after(n),
        |place| place.bucket.faults().calls(),
    );
}

#[test]
fn from_whichever_call_on_the_store_is_away_nothing_is_lost() {
    fail_each(
        1,
        |place, n| place.bucket.faults().fail_all_after(n),
        |place| place.bucket.faults().calls(),
    );
}

#[test]
fn whichever_answer_of_the_store_is_lost_nothing_else_is() {
    fail_each(
        1,
        |place, n| place.bucket.late().fail_after(n),
        |place| place.bucket.late().calls(),
    );
}

/// A store that keeps something else than what it is sent.
#[derive(Debug)]
struct Liar {
    bucket: MemoryObjects,
    keeps: fn(&MemoryObjects, &str),
}

#[derive(Debug)]
struct LyingUpload {
    upload: Box<dyn Upload>,
    bucket: MemoryObjects,
    keeps: fn(&MemoryObjects, &str),
    name: String,
}

impl Objects for Liar {
    fn begin(&self, name: &str) -> Result<Box<dyn Upload>, ObjectError> {
        Ok(Box::new(LyingUpload {
            upload: self.bucket.begin(name)?,
            bucket: self.bucket.clone(),
            keeps: self.keeps,
            name: name.to_owned(),
        }))
    }

    fn read(&self, name: &str, range: Range<u64>) -> Result<Bytes, ObjectError> {
        self.bucket.read(name, range)
    }

    fn length(&self, name: &str) -> Result<u64, ObjectError> {
        self.bucket.length(name)
    }

    fn delete(&self, name: &str) -> Result<(), ObjectError> {
        self.bucket.delete(name)
    }

    fn list(&self, directory: &str, visit: &mut dyn FnMut(Meta)) -> Result<(), ObjectError> {
        self.bucket.list(directory, visit)
    }
}

impl Upload for LyingUpload {
    fn part(&mut self, bytes: Bytes) -> Result<(), ObjectError> {
        self.upload.part(bytes)
    }

    fn finish(self: Box<Self>) -> Result<(), ObjectError> {
        self.upload.finish()?;
        (self.keeps)(&self.bucket, &self.name);
        Ok(())
    }
}

#[test]
fn a_file_stays_while_its_object_is_not_what_was_sent() {
    let ways: [fn(&MemoryObjects, &str); 2] = [
        |bucket, name| bucket.lose(name),
        |bucket, name| {
            if !name.ends_with("/mark") {
                bucket.flip(name, 1_000_000);
            }
        },
    ];
    for keeps in ways {
        run(async {
            let place = Place::new();
            let liar = Liar {
                bucket: place.bucket.clone(),
                keeps,
            };
            let (store, _clock) = place.open_on(Arc::new(liar)).await.unwrap();
            let chunks = chunks(13);
            put_all(&store, &chunks).await;
            let before = place.volumes_on_disk();
            for _ in 0..5 {
                assert_eq!(store.cool().await.left, 0);
            }
            assert_eq!(place.volumes_on_disk(), before);
            serves(&store, &chunks, true, "from the disk").await;
        });
    }
}

/// A store whose sealed volumes are in the bucket only.
async fn cold_place(count: u64) -> (Place, ChunkStore, ManualClock, Vec<Chunk>) {
    let place = Place::new();
    let (store, clock) = place.try_open().await.unwrap();
    let chunks = chunks(count);
    put_all(&store, &chunks).await;
    assert!(cool(&store).await.left > 0);
    (place, store, clock, chunks)
}

#[test]
fn a_rotten_object_is_quarantined_chunk_by_chunk_and_replaced() {
    run(async {
        let (place, store, _clock, chunks) = cold_place(13).await;
        place.bucket.flip(&place.objects()[0], 4096 + 96 + 10);
        let mut expected = vec![true; chunks.len()];
        expected[0] = false;
        assert_eq!(served(&store, &chunks).await, expected);
        let quarantined = store.quarantined().await.unwrap();
        assert_eq!(quarantined.len(), 1);
        store.put(NOW, DOMAIN, chunks[..1].to_vec()).await.unwrap();
        serves(&store, &chunks, true, "once it was put again").await;
    });
}

#[test]
fn the_scrub_finds_what_is_rotten_in_the_store() {
    run(async {
        let (place, store, _clock, chunks) = cold_place(13).await;
        place.bucket.flip(&place.objects()[0], 4096 + 96 + 10);
        let mut scrub = Scrub::load(store.clone()).await.unwrap();
        scrub.begin(Timestamp(5)).await.unwrap();
        let belongs: Arc<Belongs> = Arc::new(|_, _| true);
        let mut found = 0;
        loop {
            let step = scrub.step(&belongs, Timestamp(6)).await.unwrap();
            found += step.faults.records;
            assert_eq!(step.faults.entries, 0);
            if step.ended {
                break;
            }
        }
        assert_eq!(found, 1);
        assert_eq!(store.quarantined().await.unwrap()[0].id, chunks[0].id);
    });
}

#[test]
fn an_object_that_is_gone_counts_as_not_held_and_its_volume_ends_when_it_is_replaced() {
    for by_read in [true, false] {
        run(async {
            let (place, store, clock, chunks) = cold_place(13).await;
            let objects = place.objects();
            place.bucket.lose(&objects[0]);
            if by_read {
                let one = [reference(&chunks[0])];
                assert_eq!(store.get(DOMAIN, &one).await.unwrap(), [None]);
            } else {
                clock.advance(Duration::from_secs(3600));
            }
            cool(&store).await;
            let held = store.held(DOMAIN, &ids(&chunks)).await.unwrap();
            let lost: Vec<Chunk> = held
                .iter()
                .zip(&chunks)
                .filter(|(held, _)| !**held)
                .map(|(_, chunk)| chunk.clone())
                .collect();
            assert_eq!(
                lost.len(),
                5,
                "the chunks of one volume, none of which was read but one"
            );
            put_all(&store, &lost).await;
            serves(&store, &chunks, true, "once they were put again").await;
            clock.advance(Duration::from_secs(3600));
            cool(&store).await;
            assert!(
                !place.tickets().contains(&objects[0]),
                "nothing needs it any more"
            );
            let reopened = place.crash(Survives::Nothing);
            serves(&reopened.open().await, &chunks, true, "after a crash").await;
        });
    }
}

#[test]
fn an_index_made_anew_without_an_object_takes_its_chunks_for_absent() {
    run(async {
        let (place, store, _clock, chunks) = cold_place(13).await;
        drop(store);
        place.bucket.lose(&place.objects()[0]);
        let place = place.crash(Survives::Everything).without_index();
        let store = place.open().await;
        let absent = served(&store, &chunks)
            .await
            .iter()
            .filter(|held| !**held)
            .count();
        assert_eq!(absent, 5);
        put_all(&store, &chunks).await;
        serves(&store, &chunks, true, "once they were put again").await;
    });
}

#[test]
fn while_the_store_is_away_writes_go_on_and_reads_say_so() {
    run(async {
        let (place, store, clock, chunks) = cold_place(13).await;
        place.bucket.faults().fail_all_after(0);
        let cold = [reference(&chunks[0])];
        for _ in 0..100 {
            let read = store.get(DOMAIN, &cold).await;
            assert!(matches!(read, Err(StoreError::Away { .. })), "{read:?}");
        }
        assert_eq!(place.bucket.faults().calls(), 1, "nobody queues before it");
        let new = chunk(100, 1000);
        store.put(NOW, DOMAIN, vec![new.clone()]).await.unwrap();
        // What is here is served beside what is not.
        let both = [reference(&chunks[0]), reference(&new)];
        assert_eq!(
            store.get(DOMAIN, &both).await.unwrap(),
            [None, Some(new.bytes)]
        );
        let held = store.held(DOMAIN, &ids(&chunks)).await.unwrap();
        assert_eq!(
            held,
            vec![true; chunks.len()],
            "nothing is known to be lost"
        );
        assert!(!store.cool().await.pause.is_zero());
        place.bucket.faults().heal();
        clock.advance(Duration::from_secs(60));
        serves(&store, &chunks, true, "when it is back").await;
        assert_eq!(store.stats().unwrap().corrupt, 0);
    });
}

#[test]
fn an_emptied_or_other_bucket_is_no_loss_of_single_volumes() {
    run(async {
        let (place, store, _clock, chunks) = cold_place(13).await;
        for name in place.bucket.names() {
            place.bucket.lose(&name);
        }
        let read = store.get(DOMAIN, &[reference(&chunks[0])]).await;
        let Err(StoreError::Away { cause }) = read else {
            panic!("{read:?}");
        };
        assert!(cause.contains("right bucket"), "{cause}");
        cool(&store).await;
        assert_eq!(store.stats().unwrap().corrupt, 0);
        drop(store);
        let refused = place.try_open().await.map(drop).unwrap_err().to_string();
        assert!(refused.contains("right bucket and prefix"), "{refused}");
        let refused = place
            .disk
            .try_open()
            .await
            .map(drop)
            .unwrap_err()
            .to_string();
        assert!(refused.contains("set node.cold.url"), "{refused}");
    });
}

#[test]
fn a_volume_that_is_read_again_and_again_comes_back() {
    run(async {
        let mut place = Place::new();
        place.config = cold::Config {
            cache_bytes: 0,
            ..at_once()
        };
        let store = place.open().await;
        let chunks = chunks(13);
        put_all(&store, &chunks).await;
        cool(&store).await;
        drop(store);
        place = place.crash(Survives::Everything);
        place.config.local_bytes = 11 << 20;
        let store = place.open().await;
        let before = place.volumes_on_disk();
        serves(&store, &chunks, true, "the first time").await;
        assert_eq!(cool(&store).await.returned, 0, "one pass moves nothing");
        for _ in 0..3 {
            serves(&store, &chunks[..5], true, "again").await;
        }
        assert_eq!(cool(&store).await.returned, 1);
        assert_eq!(place.volumes_on_disk(), before + 1);
        place.bucket.faults().fail_all_after(0);
        serves(&store, &chunks[..5], true, "from the disk").await;
        place.bucket.faults().heal();
        // Its object is still there: it may leave again at once.
        assert_eq!(place.objects().len(), 2);
    });
}

#[test]
fn what_has_no_ticket_goes_and_what_is_another_nodes_stays() {
    run(async {
        let place = Place::new();
        let own = directory_of(IDENTITY.cluster, IDENTITY.node);
        let other = directory_of(IDENTITY.cluster, NodeId(4));
        let put = |name: String| {
            place
                .bucket
                .put(&name, Bytes::from_static(b"a volume"))
                .unwrap()
        };
        let hash = "ab".repeat(32);
        put(format!("{own}/00000000000000ff-{hash}"));
        put(format!("{other}/00000000000000ff-{hash}"));
        let store = place.open().await;
        assert_eq!(store.cool().await.pause, Duration::ZERO);
        assert_eq!(
            place.objects(),
            [format!("{other}/00000000000000ff-{hash}")]
        );
    });
}

#[test]
fn drops_in_cold_volumes_free_their_objects() {
    run(async {
        let (place, store, _clock, chunks) = cold_place(23).await;
        let before = place.objects().len();
        let live: Vec<Chunk> = chunks.iter().step_by(6).cloned().collect();
        store.presence(NEXT, DOMAIN, &ids(&live)).await.unwrap();
        store
            .drop_untouched(NEXT, DOMAIN, ids(&chunks))
            .await
            .unwrap();
        let pace = Pace {
            dead_percent: 50,
            bytes_per_second: None,
        };
        let compacted = store.compact(pace).await.unwrap();
        assert_eq!(compacted.volumes, before as u64);
        let cooled = cool(&store).await;
        assert_eq!(cooled.deleted, before as u64);
        assert!(place.objects().len() < before / 2);
        serves(&store, &live, true, "after compaction").await;
        assert_eq!(all(&store).len(), live.len());
    });
}
