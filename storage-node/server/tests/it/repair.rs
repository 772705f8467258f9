//! Bytes that change on a disk: found by the scrub or by a read, never served,
//! replaced from a peer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chunking::{Chunk, ChunkId, ChunkRef, DigestSet, Profile};
use runtime::{Files, MemoryFiles, Survives};
use storage_node_api::blob::{Download, StoredBlob, Upload};
use storage_node_api::content::GetError;
use storage_node_api::node::Node;
use storage_node_api::order::{Answer, Command, Query, Reply, Request};
use storage_node_api::scrub::{ScrubOrder, ScrubReport};
use storage_node_api::{
    BlobOwner, Content, DedupDomain, NodeId, OwnerId, ReadPoint, RequestId, Slot, Storage, UploadId,
};

use crate::world::World;

pub(crate) const DOMAIN: DedupDomain = DedupDomain(7);
pub(crate) const SLOT: Slot = Slot(3);
pub(crate) const NODES: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];
const HEADER: u64 = 96;

/// A blob that is committed and on all three nodes, and its chunks.
pub(crate) struct Stored {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) bytes: Bytes,
    chunks: Vec<Chunk>,
}

/// Bytes that no other seed gives.
fn content(seed: u32, length: usize) -> Bytes {
    let word = seed.wrapping_mul(0x9e37_79b9) | 1;
    let words = (0..u32::try_from(length.div_ceil(4)).unwrap())
        .flat_map(|n| (n.wrapping_mul(word).rotate_left(7) ^ n).to_le_bytes());
    words.take(length).collect::<Vec<u8>>().into()
}

pub(crate) async fn propose(world: &World, storage: &Arc<dyn Storage>, command: Command) -> Reply {
    let request = Request {
        id: RequestId::random(&*world.runtime.random),
        time: world.runtime.clock.now(),
        command,
    };
    storage.propose(SLOT, request).await.unwrap().reply
}

impl Stored {
    pub(crate) async fn begin(world: &World) -> Self {
        Self::of(world, 3 << 20).await
    }

    pub(crate) async fn of(world: &World, length: usize) -> Self {
        let storage = world.storage();
        let bytes = content(1, length);
        let content = Arc::clone(&storage) as Arc<dyn Content>;
        let session = content.begin(DOMAIN).await.unwrap();
        let runtime = world.runtime.clone();
        let (profile, hashes) = (Profile::GenericV1, DigestSet::NONE);
        let mut upload = Upload::new(content, session, runtime, profile, hashes, 1);
        upload.push(bytes.clone()).await.unwrap();
        let finished = upload.finish().await.unwrap();
        let mut at = 0;
        let chunks: Vec<Chunk> = finished
            .manifest
            .chunks
            .iter()
            .map(|chunk| {
                let end = at + chunk.length as usize;
                let bytes = bytes.slice(at..end);
                at = end;
                Chunk {
                    id: chunk.id,
                    bytes,
                }
            })
            .collect();
        assert!(chunks.len() >= 8, "only {} chunks", chunks.len());
        let upload = UploadId::random(&*world.runtime.random);
        let (blob, parts) = StoredBlob::staged(finished.manifest, finished.certificate, upload, 0);
        assert!(parts.is_empty());
        let put = Command::PutBlob {
            slot: SLOT,
            blob,
            owner: BlobOwner::Named(OwnerId::random(&*world.runtime.random)),
            domain: DOMAIN,
        };
        assert_eq!(propose(world, &storage, put).await, Reply::Done);
        let stored = Self {
            storage,
            bytes,
            chunks,
        };
        for id in NODES {
            stored.wait_until_whole(world, id).await;
        }
        stored
    }

    pub(crate) fn refs(&self) -> Vec<ChunkRef> {
        self.chunks.iter().map(reference).collect()
    }

    /// The blob as a client reads it.
    pub(crate) async fn read(&self, world: &World) -> Result<Vec<u8>, String> {
        let blob = chunking::BlobId::of(&self.bytes);
        let query = Query::Manifest {
            slot: SLOT,
            domain: DOMAIN,
            blob,
        };
        let asked = self
            .storage
            .read(SLOT, ReadPoint::Linearizable, query)
            .await;
        let Ok(Answer::Manifest(Some(manifest))) = asked else {
            return Err(format!("{asked:?}"));
        };
        let content = Arc::clone(&self.storage) as Arc<dyn Content>;
        let (runtime, all) = (world.runtime.clone(), 0..manifest.length);
        let mut download = Download::new(content, runtime, DOMAIN, &manifest, all);
        let mut bytes = Vec::new();
        loop {
            match download.next().await {
                Ok(Some(piece)) => bytes.extend_from_slice(&piece),
                Ok(None) => return Ok(bytes),
                Err(error) => return Err(format!("{error:?}")),
            }
        }
    }

    /// Which chunks a node serves. It must not serve other bytes.
    async fn served(&self, world: &World, id: NodeId) -> Vec<bool> {
        let node = world.node(id);
        let served = node.fetch(DOMAIN, &self.refs()).await.unwrap();
        for (chunk, bytes) in self.chunks.iter().zip(&served) {
            let right = bytes.as_ref().is_none_or(|bytes| *bytes == chunk.bytes);
            assert!(right, "node {id} serves wrong bytes for {}", chunk.id);
        }
        served.iter().map(Option::is_some).collect()
    }

    pub(crate) async fn wait_until_whole(&self, world: &World, id: NodeId) {
        eventually(world, "a node has all chunks", async || {
            self.served(world, id).await.iter().all(|served| *served)
        })
        .await;
    }
}

fn reference(chunk: &Chunk) -> ChunkRef {
    ChunkRef {
        id: chunk.id,
        length: u32::try_from(chunk.bytes.len()).unwrap(),
    }
}

/// Waits for something that comes about by itself.
pub(crate) async fn eventually(world: &World, what: &str, holds: impl AsyncFn() -> bool) {
    let began = world.runtime.clock.monotonic();
    while !holds().await {
        let waited = world.runtime.clock.monotonic() - began;
        assert!(waited < Duration::from_secs(30), "{what}: not in time");
        world.runtime.clock.sleep(Duration::from_millis(20)).await;
    }
}

impl World {
    pub(crate) fn node(&self, id: NodeId) -> Arc<storage_node_server::StorageNode> {
        let running = self.links.running();
        running.into_iter().find(|node| node.id() == id).unwrap()
    }

    pub(crate) async fn report(&self, id: NodeId) -> ScrubReport {
        self.node(id).scrub(ScrubOrder::Look).await.unwrap()
    }

    /// Has a node make a fast pass, and waits until it is through.
    pub(crate) async fn scrub(&self, id: NodeId) -> ScrubReport {
        let before = self.report(id).await.pass;
        let start = ScrubOrder::Start { fast: true };
        let ordered = self.node(id).scrub(start).await.unwrap();
        // A small pass may be over before the answer is written.
        assert_eq!(ordered.pass, before + 1);
        eventually(self, "a pass is complete", async || {
            !self.report(id).await.running
        })
        .await;
        self.report(id).await
    }

    /// Flips a bit of a chunk's record on a node's disk, so far from its payload.
    fn flip(&self, id: NodeId, chunk: &Chunk, at: i64) {
        let files = &self.disks[&id].volumes;
        let (name, offset) = find(files, chunk);
        let file = files.open(&name).unwrap();
        let offset = offset.checked_add_signed(at).unwrap();
        let mut byte = [0];
        assert_eq!(file.read_at(&mut byte, offset).unwrap(), 1);
        file.write_at(&[byte[0] ^ 4], offset).unwrap();
        file.sync_data().unwrap();
    }
}

/// Where the bytes of a chunk are: in which file, from where on.
fn find(files: &MemoryFiles, chunk: &Chunk) -> (String, u64) {
    for name in files.list("").unwrap() {
        let file = files.open(&name).unwrap();
        let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
        file.read_at(&mut bytes, 0).unwrap();
        let start = &chunk.bytes[..64];
        let places = bytes.chunks(32).enumerate();
        for (number, _) in places.filter(|(_, piece)| *piece == &start[..32]) {
            if bytes[number * 32..].starts_with(&chunk.bytes) {
                return (name, number as u64 * 32);
            }
        }
    }
    panic!("{} is in no volume", chunk.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scrub_finds_flipped_bits_and_a_peer_replaces_them() {
    let world = World::of(3).await;
    let stored = Stored::begin(&world).await;
    let last = stored.chunks.len() - 1;
    let middle = last / 2;
    let half = i64::try_from(stored.chunks[middle].bytes.len() / 2).unwrap();
    let header = -i64::try_from(HEADER).unwrap();
    let flips = [(0, header), (2, -10), (middle, half), (last, 0)];
    for (number, at) in flips {
        world.flip(NODES[1], &stored.chunks[number], at);
    }
    let report = world.scrub(NODES[1]).await;
    assert_eq!(
        report.faults.total() - report.faults.stretches,
        4,
        "{report:?}"
    );
    assert_eq!(report.faults.records, 2);
    assert!(report.last_full_pass.is_some() && report.lost == 0);
    assert_eq!(stored.read(&world).await, Ok(stored.bytes.to_vec()));
    stored.wait_until_whole(&world, NODES[1]).await;
    eventually(&world, "the repair is told", async || {
        let report = world.report(NODES[1]).await;
        (report.quarantined, report.repaired, report.lost) == (0, 4, 0)
    })
    .await;
    let report = world.scrub(NODES[1]).await;
    assert_eq!(report.quarantined, 0);
    assert_eq!(report.faults.records, 2, "nothing new is found");
    assert_eq!(stored.read(&world).await, Ok(stored.bytes.to_vec()));
    for id in [NODES[0], NODES[2]] {
        assert_eq!(world.scrub(id).await.faults.total(), 0, "node {id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_read_finds_corrupt_is_replaced_without_a_scrub() {
    let world = World::of(3).await;
    let stored = Stored::begin(&world).await;
    world.flip(NODES[2], &stored.chunks[1], 100);
    let served = stored.served(&world, NODES[2]).await;
    assert!(!served[1], "it is not served");
    assert_eq!(served.iter().filter(|served| !**served).count(), 1);
    stored.wait_until_whole(&world, NODES[2]).await;
    eventually(&world, "the repair is told", async || {
        let report = world.report(NODES[2]).await;
        (report.quarantined, report.faults.reads) == (0, 1)
    })
    .await;
    assert_eq!(stored.read(&world).await, Ok(stored.bytes.to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn rot_of_all_copies_is_told_and_the_read_fails_until_it_is_put_again() {
    let world = World::of(3).await;
    let stored = Stored::begin(&world).await;
    let lost = stored.chunks[1].clone();
    for id in NODES {
        world.flip(id, &lost, 7);
    }
    for id in NODES {
        world.scrub(id).await;
    }
    for id in NODES {
        eventually(&world, "the loss is told", async || {
            let report = world.report(id).await;
            (report.quarantined, report.lost, report.repaired) == (1, 1, 0)
        })
        .await;
    }
    let asked = stored.storage.get(DOMAIN, &[reference(&lost)]).await;
    assert_eq!(asked, Err(GetError::Missing { chunk: lost.id }));
    let error = stored.read(&world).await.unwrap_err();
    assert!(error.contains(&lost.id.to_string()), "{error}");

    let session = stored.storage.begin(DOMAIN).await.unwrap();
    let put = stored.storage.put(&session, vec![lost]).await.unwrap();
    assert_eq!(put.len(), 1);
    assert_eq!(stored.read(&world).await, Ok(stored.bytes.to_vec()));
    for id in NODES {
        eventually(&world, "nothing is lost any more", async || {
            let report = world.report(id).await;
            (report.quarantined, report.lost) == (0, 0)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_chunk_that_nobody_needs_is_no_loss() {
    let world = World::of(1).await;
    let storage = world.storage();
    let session = storage.begin(DOMAIN).await.unwrap();
    let bytes = content(9, 5000);
    let chunk = Chunk {
        id: ChunkId::of(&bytes),
        bytes,
    };
    storage.put(&session, vec![chunk.clone()]).await.unwrap();
    world.flip(NODES[0], &chunk, 3);
    let report = world.scrub(NODES[0]).await;
    assert_eq!(report.faults.records, 1);
    eventually(&world, "it is left to the collector", async || {
        let report = world.report(NODES[0]).await;
        (report.quarantined, report.lost) == (0, 0)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_volumes_directory_is_filled_again() {
    let mut world = World::of(3).await;
    let stored = Stored::begin(&world).await;
    world.crash(NODES[1], Survives::Nothing).await;
    world.disks.get_mut(&NODES[1]).unwrap().volumes = MemoryFiles::new();
    world.launch(NODES[1]).await;
    stored.wait_until_whole(&world, NODES[1]).await;
    assert_eq!(world.scrub(NODES[1]).await.faults.total(), 0);
    assert_eq!(stored.read(&world).await, Ok(stored.bytes.to_vec()));
}
