//! The collector on nodes on twins: what nothing names goes and gives its bytes
//! back, and nothing that is named ever does, whatever happens in between.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chunking::{BlobId, Chunk, ChunkId, ChunkRef, DigestSet, Manifest, Profile};
use runtime::{Files, Survives};
use storage_node_api::blob::{Download, StoredBlob, Upload};
use storage_node_api::collect::{CollectOrder, CollectReport};
use storage_node_api::content::Session;
use storage_node_api::map::CLUSTER_GROUP;
use storage_node_api::node::{Node, NodeError};
use storage_node_api::order::{Answer, Command, Query, Refusal, Reply, Request};
use storage_node_api::placement::place;
use storage_node_api::{
    BlobOwner, Content, DedupDomain, Generation, NodeId, OwnerId, ReadPoint, RequestId, Slot,
    Storage, UploadId,
};
use storage_node_server::StorageNode;

use crate::world::World;

const DOMAIN: DedupDomain = DedupDomain(7);
const SLOT: Slot = Slot(3);
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes that no other seed gives.
fn content(seed: u64, length: usize) -> Bytes {
    let mut bytes = vec![0; length];
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for word in bytes.chunks_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let length = word.len();
        word.copy_from_slice(&state.to_le_bytes()[..length]);
    }
    bytes.into()
}

fn owner(number: u8) -> BlobOwner {
    BlobOwner::Named(OwnerId([number; 16]))
}

/// A client that does what frontends do.
#[derive(Clone)]
struct Client {
    storage: Arc<dyn Storage>,
    runtime: runtime::Runtime,
}

impl Client {
    fn new(world: &World) -> Self {
        Self {
            storage: world.storage(),
            runtime: world.runtime.clone(),
        }
    }

    async fn propose(&self, command: Command) -> Reply {
        let request = Request {
            id: RequestId::random(&*self.runtime.random),
            time: self.runtime.clock.now(),
            command,
        };
        self.storage.propose(SLOT, request).await.unwrap().reply
    }

    async fn session(&self) -> Session {
        self.storage.begin(DOMAIN).await.unwrap()
    }

    /// Makes a blob durable that nothing names; nothing if the session is too old.
    async fn upload(&self, session: Session, bytes: &Bytes) -> Option<StoredBlob> {
        let tier = Arc::clone(&self.storage) as Arc<dyn Content>;
        let (profile, hashes) = (Profile::GenericV1, DigestSet::NONE);
        let mut upload = Upload::new(tier, session, self.runtime.clone(), profile, hashes, 1);
        upload.push(bytes.clone()).await.ok()?;
        let finished = upload.finish().await.ok()?;
        let id = UploadId::random(&*self.runtime.random);
        let (blob, parts) = StoredBlob::staged(finished.manifest, finished.certificate, id, 0);
        for part in parts {
            assert_eq!(self.propose(part).await, Reply::Done);
        }
        Some(blob)
    }

    async fn name(&self, blob: StoredBlob, owner: BlobOwner) -> Reply {
        let (slot, domain) = (SLOT, DOMAIN);
        let put = Command::PutBlob {
            slot,
            blob,
            owner,
            domain,
        };
        self.propose(put).await
    }

    /// Puts a blob, renewing the session as often as it takes.
    async fn put(&self, bytes: &Bytes, owner: BlobOwner) -> BlobId {
        for _ in 0..50 {
            let session = self.session().await;
            let Some(blob) = self.upload(session, bytes).await else {
                self.runtime.clock.sleep(Duration::from_millis(20)).await;
                continue;
            };
            let id = blob.id;
            match self.name(blob, owner).await {
                Reply::Done => return id,
                Reply::Refused(Refusal::SessionExpired) => {}
                other => panic!("{other:?}"),
            }
        }
        panic!("a session is renewed for ever");
    }

    async fn remove(&self, blob: BlobId, owner: BlobOwner) {
        let slot = SLOT;
        let remove = Command::RemoveOwner { slot, blob, owner };
        assert_eq!(self.propose(remove).await, Reply::Done);
    }

    async fn manifest(&self, blob: BlobId) -> Option<Manifest> {
        let query = Query::Manifest {
            slot: SLOT,
            domain: DOMAIN,
            blob,
        };
        let asked = self.storage.read(SLOT, ReadPoint::Linearizable, query);
        match asked.await.unwrap() {
            Answer::Manifest(manifest) => manifest,
            other => panic!("{other:?}"),
        }
    }

    /// How many chunks a blob has.
    async fn count(&self, blob: BlobId) -> u64 {
        let manifest = self.manifest(blob).await.unwrap();
        let ids: BTreeSet<ChunkId> = manifest.chunks.iter().map(|chunk| chunk.id).collect();
        ids.len() as u64
    }

    /// A blob as a client reads it; nothing if it has no name.
    async fn read(&self, blob: BlobId) -> Option<Vec<u8>> {
        let manifest = self.manifest(blob).await?;
        let tier = Arc::clone(&self.storage) as Arc<dyn Content>;
        let (runtime, all) = (self.runtime.clone(), 0..manifest.length);
        let mut download = Download::new(tier, runtime, DOMAIN, &manifest, all);
        let mut bytes = Vec::new();
        while let Some(piece) = download
            .next()
            .await
            .unwrap_or_else(|error| panic!("read a named blob: {error:?}"))
        {
            bytes.extend_from_slice(&piece);
        }
        Some(bytes)
    }
}

impl World {
    fn running_node(&self, id: NodeId) -> Arc<StorageNode> {
        let running = self.links.running();
        running.into_iter().find(|node| node.id() == id).unwrap()
    }

    async fn collector(&self, id: NodeId) -> CollectReport {
        let look = CollectOrder::Look;
        self.running_node(id).collect(look).await.unwrap()
    }

    async fn chunks_of(&self, id: NodeId) -> u64 {
        self.running_node(id).status().await.unwrap().chunks
    }

    /// What whoever leads the cluster group answers.
    async fn ask_cluster(&self, command: Command) -> Reply {
        let request = Request {
            id: RequestId::random(&*self.runtime.random),
            time: self.runtime.clock.now(),
            command,
        };
        let began = self.runtime.clock.monotonic();
        loop {
            for node in self.links.running() {
                if let Ok(committed) = node.propose(CLUSTER_GROUP, request.clone()).await {
                    return committed.reply;
                }
            }
            let waited = self.runtime.clock.monotonic() - began;
            assert!(waited < PATIENCE, "nobody leads the cluster group");
            self.runtime.clock.sleep(Duration::from_millis(20)).await;
        }
    }

    /// Begins a cycle once the last one's barriers have passed.
    async fn advance(&self) -> Generation {
        let began = self.runtime.clock.monotonic();
        for node in self.links.running() {
            // A node sits out the generation that it finds when it first asks.
            while self.collector(node.id()).await.started_in.is_none() {
                assert!(self.runtime.clock.monotonic() - began < PATIENCE);
                self.runtime.clock.sleep(Duration::from_millis(20)).await;
            }
        }
        loop {
            let newest = self.links.running().into_iter();
            let newest = newest.filter_map(|node| node.current_map());
            let seen = newest.map(|map| map.generation).max().unwrap();
            match self.ask_cluster(Command::Advance { seen }).await {
                Reply::Done => return Generation(seen.0 + 1),
                Reply::Refused(
                    Refusal::BarrierOutstanding { .. } | Refusal::GenerationMoved { .. },
                ) => {}
                other => panic!("{other:?}"),
            }
            let waited = self.runtime.clock.monotonic() - began;
            assert!(waited < PATIENCE, "no cycle begins");
            self.runtime.clock.sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the nodes that run have swept a generation, or sit it out
    /// because they have started in it.
    async fn wait_until_swept(&self, generation: Generation) {
        let began = self.runtime.clock.monotonic();
        for node in self.links.running() {
            node.collect(CollectOrder::Hurry).await.unwrap();
            loop {
                let report = node.collect(CollectOrder::Look).await.unwrap();
                if report.swept >= Some(generation) || report.started_in >= Some(generation) {
                    break;
                }
                let waited = self.runtime.clock.monotonic() - began;
                assert!(waited < PATIENCE, "node {}: {report:?}", node.id());
                self.runtime.clock.sleep(Duration::from_millis(20)).await;
            }
        }
    }

    async fn collect(&self) {
        let generation = self.advance().await;
        self.wait_until_swept(generation).await;
    }

    async fn wait_for_chunks(&self, id: NodeId, count: u64) {
        let began = self.runtime.clock.monotonic();
        while self.chunks_of(id).await != count {
            let waited = self.runtime.clock.monotonic() - began;
            let found = self.chunks_of(id).await;
            assert!(
                waited < PATIENCE,
                "node {id} has {found} chunks, not {count}"
            );
            self.runtime.clock.sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the node that the last put did not wait for has its copies too.
    async fn wait_for_every_copy(&self) {
        let mut most = 0;
        for id in self.nodes() {
            most = most.max(self.chunks_of(id).await);
        }
        for id in self.nodes() {
            self.wait_for_chunks(id, most).await;
        }
    }

    fn nodes(&self) -> Vec<NodeId> {
        self.disks.keys().copied().collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lost_its_last_owner_goes_and_its_bytes_are_given_back() {
    let world = World::of(3).await;
    let client = Client::new(&world);
    let (live, dead) = (content(1, 3 << 20), content(2, 40 << 20));
    let kept = client.put(&live, owner(1)).await;
    let of_live = client.count(kept).await;
    let gone = client.put(&dead, owner(1)).await;
    // Also on the node that the put did not wait for.
    for id in world.nodes() {
        let all = of_live + client.count(gone).await;
        world.wait_for_chunks(id, all).await;
    }
    let volumes = |id| world.disks[&id].volumes.list("").unwrap().len();
    let before: Vec<usize> = world.nodes().into_iter().map(volumes).collect();
    world.collect().await;
    assert_eq!(client.read(gone).await.as_deref(), Some(&dead[..]));
    client.remove(gone, owner(1)).await;
    assert_eq!(client.read(gone).await, None);
    world.collect().await;
    for (id, before) in world.nodes().into_iter().zip(before) {
        assert_eq!(world.chunks_of(id).await, of_live, "node {id}");
        let report = world.collector(id).await;
        assert_eq!(report.dead, report.dropped);
        assert!(report.given_back > 24 << 20, "node {id}: {report:?}");
        assert!(volumes(id) < before, "node {id}: {before} volumes before");
    }
    assert_eq!(client.read(kept).await.as_deref(), Some(&live[..]));
    // What is gone can come back.
    assert_eq!(client.put(&dead, owner(2)).await, gone);
    assert_eq!(client.read(gone).await.as_deref(), Some(&dead[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shared_with_a_live_blob_or_has_another_owner_stays() {
    let world = World::of(3).await;
    let client = Client::new(&world);
    let common = content(1, 4 << 20);
    let mut longer = common.to_vec();
    longer.extend(content(2, 2 << 20));
    let longer = Bytes::from(longer);
    let first = client.put(&common, owner(1)).await;
    assert_eq!(client.put(&common, owner(2)).await, first);
    let second = client.put(&longer, owner(1)).await;
    client.remove(first, owner(1)).await;
    world.collect().await;
    assert_eq!(client.read(first).await.as_deref(), Some(&common[..]));
    client.remove(first, owner(2)).await;
    for _ in 0..2 {
        world.collect().await;
        assert_eq!(client.read(first).await, None);
        assert_eq!(client.read(second).await.as_deref(), Some(&longer[..]));
    }
    client.remove(second, owner(1)).await;
    world.collect().await;
    for id in world.nodes() {
        assert_eq!(world.chunks_of(id).await, 0, "node {id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_from_before_the_barrier_is_refused_and_renewed() {
    let world = World::of(3).await;
    let client = Client::new(&world);
    let bytes = content(1, 2 << 20);
    let session = client.session().await;
    let blob = client.upload(session, &bytes).await.unwrap();
    world.wait_for_every_copy().await;
    world.collect().await;
    // Its chunks were touched before the barrier, and nothing names them.
    for id in world.nodes() {
        assert_eq!(world.chunks_of(id).await, 0, "node {id}");
    }
    let refused = client.name(blob, owner(1)).await;
    assert_eq!(refused, Reply::Refused(Refusal::SessionExpired));
    let (node, chunks) = (world.running_node(NodeId(2)), [ChunkId::of(b"any")]);
    let asked = node.presence(&session, &chunks).await;
    assert_eq!(asked, Err(NodeError::SessionExpired));
    let id = client.put(&bytes, owner(1)).await;
    world.collect().await;
    assert_eq!(client.read(id).await.as_deref(), Some(&bytes[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_counts_what_the_next_cycle_drops_and_changes_nothing() {
    let world = World::of(3).await;
    let client = Client::new(&world);
    let kept = client.put(&content(1, 2 << 20), owner(1)).await;
    let gone = client.put(&content(2, 6 << 20), owner(1)).await;
    let all = client.count(kept).await + client.count(gone).await;
    for id in world.nodes() {
        world.wait_for_chunks(id, all).await;
    }
    client.remove(gone, owner(1)).await;
    let images = |world: &World| -> Vec<Vec<u8>> {
        let of = |id: NodeId| {
            let files = &world.disks[&id].volumes;
            let names = files.list("").unwrap();
            names.into_iter().flat_map(|name| {
                let file = files.open(&name).unwrap();
                let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
                file.read_at(&mut bytes, 0).unwrap();
                bytes
            })
        };
        world
            .nodes()
            .into_iter()
            .map(|id| of(id).collect())
            .collect()
    };
    let before = images(&world);
    let mut droppable = Vec::new();
    for id in world.nodes() {
        let node = world.running_node(id);
        node.collect(CollectOrder::Count).await.unwrap();
        let began = world.runtime.clock.monotonic();
        while world.collector(id).await.counts == 0 {
            assert!(world.runtime.clock.monotonic() - began < PATIENCE);
            world.runtime.clock.sleep(Duration::from_millis(20)).await;
        }
        droppable.push(world.collector(id).await.droppable);
    }
    assert!(images(&world) == before, "a volume has changed");
    world.collect().await;
    for (id, droppable) in world.nodes().into_iter().zip(droppable) {
        assert!(droppable.chunks > 10 && droppable.bytes == 6 << 20);
        assert_eq!(world.collector(id).await.dropped, droppable, "node {id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_race_with_cycles_lose_nothing() {
    let world = World::of(3).await;
    let stop = Arc::new(AtomicBool::new(false));
    // All put and remove the same bytes: every put finds what another has just
    // let go, or what the sweep is about to drop.
    let shared = content(9, 1 << 20);
    let mut working = Vec::new();
    for number in 1..=3_u8 {
        let (client, stop, shared) = (Client::new(&world), Arc::clone(&stop), shared.clone());
        working.push(tokio::spawn(async move {
            let mut rounds = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                rounds += 1;
                let mut own = shared.to_vec();
                own.extend(content(u64::from(number) * 1000 + rounds % 3, 300_000));
                let own = Bytes::from(own);
                let blob = client.put(&own, owner(number)).await;
                let read = client.read(blob).await;
                assert!(
                    read.as_deref() == Some(&own[..]),
                    "what was put is read back"
                );
                client.remove(blob, owner(number)).await;
            }
            rounds
        }));
    }
    let client = Client::new(&world);
    let kept = client.put(&shared, owner(7)).await;
    for round in 0..12 {
        world.collect().await;
        if round == 6 {
            client.remove(kept, owner(7)).await;
        }
        if round < 6 {
            assert_eq!(client.read(kept).await.as_deref(), Some(&shared[..]));
        }
    }
    stop.store(true, Ordering::Relaxed);
    for work in working {
        assert!(work.await.unwrap() > 0);
    }
    world.collect().await;
    world.collect().await;
    for id in world.nodes() {
        assert_eq!(world.chunks_of(id).await, 0, "node {id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_falls_anywhere_in_a_cycle_loses_nothing_and_goes_on_with_the_next() {
    let mut world = World::of(3).await;
    let client = Client::new(&world);
    let live = content(1, 3 << 20);
    let kept = client.put(&live, owner(1)).await;
    let victim = NodeId(3);
    for moment in 0..6_u64 {
        let dead = content(100 + moment, 12 << 20);
        let gone = client.put(&dead, owner(2)).await;
        client.remove(gone, owner(2)).await;
        let generation = world.advance().await;
        for node in world.links.running() {
            node.collect(CollectOrder::Hurry).await.unwrap();
        }
        if moment == 5 {
            world.wait_until_swept(generation).await;
        }
        let pause = Duration::from_millis(moment * moment * 7);
        world.runtime.clock.sleep(pause).await;
        let survives = match moment % 3 {
            0 => Survives::Nothing,
            1 => Survives::Everything,
            _ => Survives::Random(moment),
        };
        world.crash(victim, survives).await;
        let read = client.read(kept).await;
        assert!(read.as_deref() == Some(&live[..]), "moment {moment}");
        world.launch(victim).await;
        world.wait_until_swept(generation).await;
        let read = client.read(kept).await;
        assert!(read.as_deref() == Some(&live[..]), "moment {moment}");
    }
    world.collect().await;
    world.collect().await;
    for id in world.nodes() {
        world.wait_for_chunks(id, client.count(kept).await).await;
    }
    assert_eq!(client.read(kept).await.as_deref(), Some(&live[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_down_for_whole_cycles_drops_what_went_meanwhile() {
    let mut world = World::of(3).await;
    let client = Client::new(&world);
    let (live, dead) = (content(1, 2 << 20), content(2, 5 << 20));
    let kept = client.put(&live, owner(1)).await;
    let of_live = client.count(kept).await;
    let gone = client.put(&dead, owner(1)).await;
    let all = of_live + client.count(gone).await;
    for id in world.nodes() {
        world.wait_for_chunks(id, all).await;
    }
    world.crash(NodeId(3), Survives::Everything).await;
    client.remove(gone, owner(1)).await;
    world.collect().await;
    world.collect().await;
    for id in [NodeId(1), NodeId(2)] {
        assert_eq!(world.chunks_of(id).await, of_live, "node {id}");
    }
    world.launch(NodeId(3)).await;
    // It knows that it has started in this generation, and sits it out.
    world.runtime.clock.sleep(Duration::from_millis(300)).await;
    assert_eq!(world.chunks_of(NodeId(3)).await, all);
    world.collect().await;
    assert_eq!(world.chunks_of(NodeId(3)).await, of_live);
    assert_eq!(client.read(kept).await.as_deref(), Some(&live[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_elsewhere_than_placed_goes_only_when_every_placed_node_confirms() {
    let mut world = World::of(4).await;
    let client = Client::new(&world);
    let bytes = content(1, 2 << 20);
    let id = client.put(&bytes, owner(1)).await;
    let session = client.session().await;
    let blob = client.upload(session, &bytes).await.unwrap();
    let storage_node_api::blob::Chunks::Inline(refs) = &blob.chunks else {
        panic!("a short manifest");
    };
    let map = world.running_node(NodeId(1)).current_map().unwrap();
    let first: ChunkRef = refs[0];
    let placed = place(&first.id, DOMAIN, &map);
    let all = world.nodes();
    let extra = *all.iter().find(|id| !placed.contains(id)).unwrap();
    let chunk = Chunk {
        id: first.id,
        bytes: bytes.slice(..first.length as usize),
    };
    let holds = async |world: &World, id| {
        let fetched = world.running_node(id).fetch(DOMAIN, &[first]).await;
        fetched.unwrap()[0].is_some()
    };
    let surplus = world.running_node(extra);
    surplus.store(&session, vec![chunk]).await.unwrap();
    for node in &placed {
        let began = world.runtime.clock.monotonic();
        while !holds(&world, *node).await {
            assert!(world.runtime.clock.monotonic() - began < PATIENCE);
            world.runtime.clock.sleep(Duration::from_millis(20)).await;
        }
    }
    let down = *placed.iter().find(|id| **id != NodeId(1)).unwrap();
    world.crash(down, Survives::Everything).await;
    world.collect().await;
    assert!(holds(&world, extra).await, "{down} cannot confirm");
    assert_eq!(world.collector(extra).await.extra.chunks, 0);
    assert!(world.collector(extra).await.unconfirmed.chunks > 0);
    world.launch(down).await;
    world.collect().await;
    assert!(!holds(&world, extra).await, "{placed:?} have confirmed");
    for node in &placed {
        assert!(holds(&world, *node).await);
    }
    assert_eq!(client.read(id).await.as_deref(), Some(&bytes[..]));
}
