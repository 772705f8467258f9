//! The chunk store against the disk itself, side by side in one run.
//!
//! Writes: chunks put into the store, three batches in flight as an upload has
//! them, against one file written sequentially with as many syncs of as many
//! bytes. Reads: batches of chunks against large sequential reads, from the disk
//! and from the system's cache. Arguments: a directory on the disk to measure
//! (default: the current one), megabytes to write (default 512).

#![expect(clippy::print_stdout, reason = "a program whose output is its result")]

use std::error::Error;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chunking::{Chunk, ChunkId, ChunkRef};
use futures_util::{StreamExt, stream};
use kv::RocksDb;
use runtime::{RealFiles, Runtime};
use rustix::fs::{Advice, FallocateFlags};
use storage_node_api::{ClusterId, DedupDomain, Generation, NodeId};
use storage_node_server::volumes::{ChunkStore, Config, INDEX_FAMILY, Identity, Metrics, Verify};

const CHUNK_BYTES: usize = 256 << 10;
const BATCH_CHUNKS: usize = 16;
const IN_FLIGHT: usize = 3;
const ROUNDS: usize = 3;
const DOMAIN: DedupDomain = DedupDomain(1);

type Failure = Box<dyn Error>;

/// Where and how much.
struct Bench {
    directory: PathBuf,
    runtime: Runtime,
    bytes: usize,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().unwrap_or_else(|| ".".to_owned()));
    let megabytes: usize = arguments.next().map_or(Ok(512), |text| text.parse())?;
    let bench = Bench {
        directory: directory.join("volumes-bench"),
        runtime: Runtime::real(),
        bytes: megabytes << 20,
    };
    println!("{megabytes} MB in chunks of {CHUNK_BYTES} bytes, {ROUNDS} rounds");
    for round in 1..=ROUNDS {
        std::fs::create_dir_all(&bench.directory)?;
        let measured = bench.round(round).await;
        std::fs::remove_dir_all(&bench.directory)?;
        measured?;
    }
    Ok(())
}

impl Bench {
    async fn round(&self, round: usize) -> Result<(), Failure> {
        let chunks = self.chunks(round);
        let metrics = Metrics::default();
        let store = self.open(&metrics, Verify::OncePerStart).await?;
        let begun = self.now();
        self.put(&store, &chunks).await?;
        let put = self.now() - begun;
        let syncs = metrics.syncs.get();
        let begun = self.now();
        self.raw_write(&chunks, usize::try_from(syncs)?)?;
        let raw = self.now() - begun;
        println!("round {round}");
        self.line(&format!("write, {syncs} syncs"), put, raw);

        let refs: Vec<ChunkRef> = chunks.iter().map(reference).collect();
        drop((store, chunks));
        for (name, verify, cold) in [
            ("first read, from disk", Verify::OncePerStart, true),
            ("every read verified, from cache", Verify::Always, false),
            ("later read, from cache", Verify::OncePerStart, false),
        ] {
            let store = self.open(&metrics, verify).await?;
            if !cold {
                self.get(&store, &refs).await?;
                self.raw_read()?;
            } else {
                self.forget()?;
            }
            let begun = self.now();
            self.get(&store, &refs).await?;
            let get = self.now() - begun;
            if cold {
                self.forget()?;
            }
            let begun = self.now();
            self.raw_read()?;
            let raw = self.now() - begun;
            self.line(name, get, raw);
        }
        Ok(())
    }

    fn now(&self) -> Duration {
        self.runtime.clock.monotonic()
    }

    fn line(&self, name: &str, ours: Duration, raw: Duration) {
        let rate = |took: Duration| self.bytes as f64 / 1e6 / took.as_secs_f64();
        println!(
            "  {name:34} {:7.0} MB/s, raw {:7.0} MB/s, ratio {:.2}",
            rate(ours),
            rate(raw),
            rate(ours) / rate(raw)
        );
    }

    fn chunks(&self, round: usize) -> Vec<Chunk> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&round.to_le_bytes());
        let mut stream = hasher.finalize_xof();
        (0..self.bytes / CHUNK_BYTES)
            .map(|_| {
                let mut bytes = vec![0; CHUNK_BYTES];
                stream.fill(&mut bytes);
                Chunk {
                    id: ChunkId::of(&bytes),
                    bytes: Bytes::from(bytes),
                }
            })
            .collect()
    }

    async fn open(&self, metrics: &Metrics, verify: Verify) -> Result<ChunkStore, Failure> {
        let files = RealFiles::open(self.directory.join("store"))?;
        let index = self.directory.join("index");
        // The writer of the store before may hold the lock for a moment.
        for _ in 0..1000 {
            match RocksDb::open(&index, &[INDEX_FAMILY]) {
                Err(kv::OpenError::Locked { .. }) => {
                    self.runtime.clock.sleep(Duration::from_millis(1)).await;
                }
                _ => break,
            }
        }
        let index = RocksDb::open(&index, &[INDEX_FAMILY])?;
        let identity = Identity {
            cluster: ClusterId([1; 16]),
            node: NodeId(1),
        };
        let config = Config {
            verify,
            ..Config::default()
        };
        let store = ChunkStore::open(
            Arc::new(files),
            Arc::new(index),
            identity,
            config.validate()?,
            None,
            self.runtime.clone(),
            metrics.clone(),
        );
        Ok(store.await?)
    }

    async fn put(&self, store: &ChunkStore, chunks: &[Chunk]) -> Result<(), Failure> {
        let batches = chunks
            .chunks(BATCH_CHUNKS)
            .map(|batch| store.put(Generation(1), DOMAIN, batch.to_vec()));
        let mut puts = stream::iter(batches).buffer_unordered(IN_FLIGHT);
        while let Some(put) = puts.next().await {
            put?;
        }
        Ok(())
    }

    async fn get(&self, store: &ChunkStore, refs: &[ChunkRef]) -> Result<(), Failure> {
        let batches = refs
            .chunks(BATCH_CHUNKS)
            .map(|batch| store.get(DOMAIN, batch));
        let mut gets = stream::iter(batches).buffered(IN_FLIGHT);
        while let Some(got) = gets.next().await {
            if got?.iter().any(Option::is_none) {
                return Err("a chunk is missing".into());
            }
        }
        Ok(())
    }

    fn raw(&self) -> PathBuf {
        self.directory.join("raw")
    }

    /// Writes the same bytes sequentially, preallocated like a volume, synced as
    /// often.
    fn raw_write(&self, chunks: &[Chunk], syncs: usize) -> Result<(), Failure> {
        let file = File::options()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(self.raw())?;
        let each = chunks.len().div_ceil(syncs);
        let step = Config::default().allocate_bytes;
        let (mut offset, mut allocated) = (0, 0);
        for group in chunks.chunks(each) {
            let end = offset + (group.len() * CHUNK_BYTES) as u64;
            while allocated < end {
                allocated += step;
                rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, allocated)?;
            }
            for chunk in group {
                file.write_all_at(&chunk.bytes, offset)?;
                offset += chunk.bytes.len() as u64;
            }
            file.sync_data()?;
        }
        Ok(())
    }

    fn raw_read(&self) -> Result<(), Failure> {
        let file = File::open(self.raw())?;
        let mut buffer = vec![0; 1 << 20];
        let mut offset = 0;
        while offset < self.bytes as u64 {
            file.read_exact_at(&mut buffer, offset)?;
            offset += buffer.len() as u64;
        }
        Ok(())
    }

    /// Drops the files from the system's cache.
    fn forget(&self) -> Result<(), Failure> {
        let drop = |path: &Path| {
            let file = File::open(path)?;
            rustix::fs::fadvise(&file, 0, None, Advice::DontNeed)?;
            Ok::<(), Failure>(())
        };
        drop(&self.raw())?;
        for entry in std::fs::read_dir(self.directory.join("store"))? {
            drop(&entry?.path())?;
        }
        Ok(())
    }
}

fn reference(chunk: &Chunk) -> ChunkRef {
    ChunkRef {
        id: chunk.id,
        length: CHUNK_BYTES as u32,
    }
}
