use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use chunking::{Chunk, ChunkId, ChunkRef};
use kv::Memory;
use runtime::{Files, MemoryFiles, Runtime, Survives};
use storage_node_api::{ClusterId, DedupDomain, Generation, NodeId};

use crate::volumes::{
    ChunkStore, Config, INDEX_FAMILY, Identity, Metrics, OpenError, Stored, Verify,
};

pub(super) const DOMAIN: DedupDomain = DedupDomain(7);
pub(super) const NOW: Generation = Generation(1);
pub(super) const IDENTITY: Identity = Identity {
    cluster: ClusterId(*b"the test cluster"),
    node: NodeId(3),
};

/// The least volume there may be, so that tests fill some.
pub(super) fn config() -> Config {
    Config {
        volume_bytes: 5 << 20,
        allocate_bytes: 1 << 20,
        reserve_bytes: 0,
        verify: Verify::OncePerStart,
        ..Config::default()
    }
}

/// A disk, and what is on it.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) files: MemoryFiles,
    pub(super) index: Memory,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            files: MemoryFiles::new(),
            index: Memory::new(&[INDEX_FAMILY]),
        }
    }

    pub(super) fn crash(&self, survives: Survives) -> Self {
        Self {
            files: self.files.crash(survives),
            index: self.index.crash(survives),
        }
    }

    /// The same volumes, and no index.
    pub(super) fn without_index(&self) -> Self {
        Self {
            files: self.files.clone(),
            index: Memory::new(&[INDEX_FAMILY]),
        }
    }

    pub(super) async fn try_open(&self) -> Result<ChunkStore, OpenError> {
        self.open_on(Arc::new(self.files.clone()), config()).await
    }

    pub(super) async fn open(&self) -> ChunkStore {
        self.try_open().await.unwrap()
    }

    pub(super) async fn open_on(
        &self,
        files: Arc<dyn Files>,
        config: Config,
    ) -> Result<ChunkStore, OpenError> {
        // No two starts draw the same numbers.
        static STARTS: AtomicU64 = AtomicU64::new(0);
        let (runtime, _clock) = Runtime::simulated(STARTS.fetch_add(1, Ordering::Relaxed));
        let index = Arc::new(self.index.clone());
        let config = config.validate().unwrap();
        let metrics = Metrics::default();
        ChunkStore::open(files, index, IDENTITY, config, None, runtime, metrics).await
    }

    /// Flips a bit of a volume, durably.
    pub(super) fn flip(&self, volume: &str, offset: u64) {
        let file = self.files.open(volume).unwrap();
        let mut byte = [0];
        assert_eq!(file.read_at(&mut byte, offset).unwrap(), 1);
        file.write_at(&[byte[0] ^ 1], offset).unwrap();
        file.sync_data().unwrap();
    }

    /// Where a chunk's bytes are: the volume's name and the offset.
    pub(super) fn find(&self, chunk: &Chunk) -> (String, u64) {
        for name in self.files.list("").unwrap() {
            let file = self.files.open(&name).unwrap();
            let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
            file.read_at(&mut bytes, 0).unwrap();
            let mut windows = bytes.windows(chunk.bytes.len());
            // The copy that a test made of a volume begins like the volume itself.
            if let Some(at) = windows.rposition(|window| window == chunk.bytes) {
                return (name, at as u64);
            }
        }
        panic!("{} is in no volume", chunk.id);
    }
}

/// Runs a test on one thread, in an order that its seed decides.
pub(super) fn run<T>(test: impl Future<Output = T>) -> T {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    tokio.block_on(test)
}

/// A chunk of this many bytes that no other number has.
pub(super) fn chunk(number: u64, length: usize) -> Chunk {
    let mut bytes = Vec::with_capacity(length + 32);
    let mut block = blake3::hash(&number.to_le_bytes());
    while bytes.len() < length {
        bytes.extend(block.as_bytes());
        block = blake3::hash(block.as_bytes());
    }
    bytes.truncate(length);
    let bytes = Bytes::from(bytes);
    Chunk {
        id: ChunkId::of(&bytes),
        bytes,
    }
}

pub(super) fn reference(chunk: &Chunk) -> ChunkRef {
    ChunkRef {
        id: chunk.id,
        length: u32::try_from(chunk.bytes.len()).unwrap(),
    }
}

/// Which of the chunks are served, and that these are said to be held.
pub(super) async fn served(store: &ChunkStore, chunks: &[Chunk]) -> Vec<bool> {
    let refs: Vec<ChunkRef> = chunks.iter().map(reference).collect();
    let ids: Vec<ChunkId> = chunks.iter().map(|chunk| chunk.id).collect();
    let got = store.get(DOMAIN, &refs).await.unwrap();
    for (chunk, bytes) in chunks.iter().zip(&got) {
        assert!(
            bytes.as_ref().is_none_or(|bytes| *bytes == chunk.bytes),
            "wrong bytes are served for {}",
            chunk.id
        );
    }
    let served: Vec<bool> = got.iter().map(Option::is_some).collect();
    let held = store.presence(Generation(0), DOMAIN, &ids).await.unwrap();
    assert_eq!(served, held, "what is held is what is served");
    served
}

pub(super) fn all(store: &ChunkStore) -> Vec<Stored> {
    store.iter().map(Result::unwrap).collect()
}
