//! The passes, on a disk in memory and with a clock that is moved by hand.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chunking::{Chunk, ChunkId};
use kv::Memory;
use runtime::{ManualClock, MemoryFiles, Runtime};
use storage_node_api::{ClusterId, DedupDomain, Generation, NodeId, Timestamp};

use super::pace::Pace;
use super::{Ended, LOOK, Metrics, Next, PERIOD, Scrubbing, due, pass};
use crate::volumes::{Belongs, ChunkStore, Config, INDEX_FAMILY, Identity, Scrub};

const DOMAIN: DedupDomain = DedupDomain(7);
const RATE: u64 = 20 << 20;

#[derive(Clone)]
struct Disk {
    files: MemoryFiles,
    index: Memory,
}

impl Disk {
    fn new() -> Self {
        Self {
            files: MemoryFiles::new(),
            index: Memory::new(&[INDEX_FAMILY]),
        }
    }

    async fn open(&self, runtime: &Runtime) -> ChunkStore {
        let config = Config {
            reserve_bytes: 0,
            ..Config::default()
        };
        let identity = Identity {
            cluster: ClusterId([1; 16]),
            node: NodeId(1),
        };
        ChunkStore::open(
            Arc::new(self.files.clone()),
            Arc::new(self.index.clone()),
            identity,
            config.validate().unwrap(),
            None,
            runtime.clone(),
            crate::volumes::Metrics::default(),
        )
        .await
        .unwrap()
    }
}

async fn put(store: &ChunkStore, chunks: u32) {
    for number in 0..chunks {
        let bytes = Bytes::from(number.to_le_bytes().repeat(250_000));
        let id = ChunkId::of(&bytes);
        let chunk = Chunk { id, bytes };
        store.put(Generation(1), DOMAIN, vec![chunk]).await.unwrap();
    }
}

fn all() -> Option<Arc<Belongs>> {
    Some(Arc::new(|_, _| true))
}

/// Moves the clock from sleeper to sleeper until the task is done; returns how
/// much time that took.
async fn drive<T: Send + 'static>(
    clock: &ManualClock,
    runtime: &Runtime,
    work: impl Future<Output = T> + Send + 'static,
) -> (T, Duration) {
    let began = runtime.clock.monotonic();
    let work = tokio::spawn(work);
    while !work.is_finished() {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        clock.advance_to_next();
    }
    (work.await.unwrap(), runtime.clock.monotonic() - began)
}

fn tranquil() -> Pace {
    Pace::Tranquil {
        bytes_per_second: RATE,
    }
}

#[tokio::test]
async fn a_pass_keeps_to_its_rate_and_a_fast_one_does_not_wait() {
    let (runtime, clock) = Runtime::simulated(1);
    let store = Disk::new().open(&runtime).await;
    put(&store, 100).await;
    for (pace, least) in [(tranquil(), 4.5), (Pace::Fast, 0.0)] {
        let (store, of_pass) = (store.clone(), runtime.clone());
        let work = async move {
            let scrubbing = Scrubbing::new(RATE, Metrics::default(), Vec::new());
            let mut scrub = Scrub::load(store).await.unwrap();
            scrub.begin(of_pass.clock.now()).await.unwrap();
            let ended = pass(&mut scrub, &scrubbing, &of_pass, pace, &all).await;
            assert!(matches!(ended, Ended::Complete), "{ended:?}");
            (scrub.read_bytes(), scrubbing.report(None, 0))
        };
        let ((read, report), took) = drive(&clock, &runtime, work).await;
        assert!(read > 100_000_000, "only {read} bytes were read");
        assert_eq!(report.faults.total(), 0);
        assert_eq!(report.total_bytes, read);
        assert!(report.last_full_pass.is_some());
        let seconds = took.as_secs_f64();
        assert!(
            seconds >= least && seconds < least + 1.0,
            "{read} bytes took {seconds} s"
        );
    }
}

#[tokio::test]
async fn a_pass_goes_on_after_a_restart_where_it_was() {
    let (runtime, _clock) = Runtime::simulated(1);
    let disk = Disk::new();
    let store = disk.open(&runtime).await;
    put(&store, 200).await;
    let belongs = all().unwrap();
    let began = Timestamp(1_000);
    let mut scrub = Scrub::load(store.clone()).await.unwrap();
    assert!(!scrub.is_under_way() && scrub.began().is_none());
    scrub.begin(began).await.unwrap();
    for _ in 0..30 {
        scrub.step(&belongs, began).await.unwrap();
    }
    let read = scrub.read_bytes();
    drop((scrub, store));

    let mut again = Scrub::load(disk.open(&runtime).await).await.unwrap();
    assert!(again.is_under_way());
    assert_eq!(again.began(), Some(began));
    // Not all steps were kept, but nearly.
    let kept = again.read_bytes();
    assert!(kept <= read && read - kept <= 70 << 20, "{kept} of {read}");
    assert!(kept >= 50 << 20, "{kept} of {read}");
    let mut more = 0;
    loop {
        let step = again.step(&belongs, Timestamp(2_000)).await.unwrap();
        more += step.bytes;
        if step.ended {
            break;
        }
    }
    assert_eq!(again.read_bytes(), kept + more);
    assert_eq!(again.completed(), Some(Timestamp(2_000)));
    assert_eq!(again.total_bytes().await.unwrap(), again.read_bytes());
}

#[tokio::test]
async fn what_belongs_elsewhere_is_counted_and_stays() {
    let (runtime, _clock) = Runtime::simulated(1);
    let store = Disk::new().open(&runtime).await;
    put(&store, 10).await;
    let mut scrub = Scrub::load(store.clone()).await.unwrap();
    scrub.begin(Timestamp(1)).await.unwrap();
    let even: Arc<Belongs> = Arc::new(|domain, chunk| {
        assert_eq!(domain, DOMAIN);
        chunk.as_bytes()[0].is_multiple_of(2)
    });
    while !scrub.step(&even, Timestamp(2)).await.unwrap().ended {}
    let odd = store
        .iter()
        .filter(|stored| !stored.as_ref().unwrap().chunk.id.as_bytes()[0].is_multiple_of(2))
        .count();
    assert_eq!(scrub.surplus(), odd as u64);
    assert_eq!(store.stats().unwrap().chunks, 10);
}

#[tokio::test]
async fn an_order_begins_a_pass_at_once_and_others_fall_due() {
    let (runtime, _clock) = Runtime::simulated(1);
    let store = Disk::new().open(&runtime).await;
    let mut scrub = Scrub::load(store).await.unwrap();
    let now = runtime.clock.now();
    let never = Scrubbing::new(0, Metrics::default(), Vec::new());
    assert_eq!(never.next(&scrub, now), Next::Wait(LOOK));
    let scrubbing = Scrubbing::new(RATE, Metrics::default(), Vec::new());
    assert_eq!(scrubbing.next(&scrub, now), Next::Begin(tranquil()));
    scrub.begin(now).await.unwrap();
    assert_eq!(scrubbing.next(&scrub, now), Next::GoOn(tranquil()));
    scrubbing.order(true);
    assert!(scrubbing.report(None, 0).running);
    let ended = pass(&mut scrub, &scrubbing, &runtime, tranquil(), &all).await;
    assert!(matches!(ended, Ended::Ordered), "{ended:?}");
    assert_eq!(scrubbing.next(&scrub, now), Next::Begin(Pace::Fast));
    let ended = pass(&mut scrub, &scrubbing, &runtime, Pace::Fast, &all).await;
    assert!(matches!(ended, Ended::Complete), "{ended:?}");
    scrubbing.stopped();
    assert_eq!(scrubbing.next(&scrub, now), Next::Wait(LOOK));
    assert!(!scrubbing.report(None, 0).running);
    let ended = pass(&mut scrub, &scrubbing, &runtime, Pace::Fast, &|| None).await;
    assert!(matches!(ended, Ended::Gone), "{ended:?}");
}

#[test]
fn a_pass_is_due_a_period_after_the_last_whatever_the_clock_does() {
    let began = Timestamp(1_000_000_000_000);
    assert_eq!(due(None, began), Ok(()));
    assert_eq!(due(Some(began), began), Err(LOOK));
    let nearly = began.plus(PERIOD - Duration::from_secs(1));
    assert_eq!(due(Some(began), nearly), Err(Duration::from_secs(1)));
    assert_eq!(due(Some(began), began.plus(PERIOD)), Ok(()));
    assert_eq!(due(Some(began), Timestamp(5)), Ok(()));
}
